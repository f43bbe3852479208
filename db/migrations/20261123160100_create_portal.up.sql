-- description: customers who sign in to the portal of a company
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261121090200
-- rollback: drops who is signed in to a portal; customers ask for another link

-- Begins as a link that was sent to a customer; who follows it opens the session.
create table auth.portal_sessions (
  company_id  uuid not null references public.companies (id) on delete cascade,
  id          uuid not null default app.uuid_v7(),
  customer_id uuid not null,
  -- SHA-256 of what the link holds, until it is followed.
  link_hash   text check (link_hash ~ '^[0-9a-f]{64}$'),
  -- SHA-256 of what the customer shows from then on.
  token_hash  text check (token_hash ~ '^[0-9a-f]{64}$'),
  -- Of the link first, of the session then.
  expires_at  timestamptz not null,
  opened_at   timestamptz,
  ended_at    timestamptz,
  address     inet,
  user_agent  text check (length(user_agent) <= 1000),
  created_at  timestamptz not null default now(),
  primary key (company_id, id),
  constraint portal_sessions_state_check check ((link_hash is null) <> (token_hash is null) and (token_hash is null) = (opened_at is null)),
  constraint portal_sessions_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id) on delete cascade
);
comment on table auth.portal_sessions is 'Customers who are signed in to the portal of a company, or may be by a link that was sent. Reached by the auth service only.';
comment on column auth.portal_sessions.link_hash is 'secret';
comment on column auth.portal_sessions.token_hash is 'secret';
comment on column auth.portal_sessions.address is 'pii:ip';
create index portal_sessions_customer_id_idx on auth.portal_sessions (company_id, customer_id, created_at desc);
create index portal_sessions_expires_at_idx on auth.portal_sessions (expires_at);
select app.enclose('auth.portal_sessions');
