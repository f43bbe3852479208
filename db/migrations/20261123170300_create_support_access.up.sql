-- description: people of the operator who work in a company as one of its members: its consent, what was done with it, and the session
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123170200
-- rollback: ends all work of support; who was there and why is lost, take a backup first

create table public.support_consents (
  company_id uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id         uuid not null default app.uuid_v7(),
  granted_by uuid,
  reason     text check (length(reason) <= 500),
  -- Null for a standing one.
  expires_at timestamptz,
  revoked_at timestamptz,
  revoked_by uuid,
  version    bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (company_id, id)
);
comment on table public.support_consents is 'That support may work in a company, given by a member of it for a time or until it is taken back.';
create index support_consents_id_idx on public.support_consents (id);
create unique index support_consents_open_key on public.support_consents (company_id) where revoked_at is null;
select app.enclose('public.support_consents');

create table public.support_sessions (
  company_id uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id         uuid not null default app.uuid_v7(),
  consent_id uuid not null,
  -- As whom.
  user_id    uuid not null references public.users (id) on delete cascade,
  session_id uuid references auth.sessions (id) on delete set null,
  operator   text not null check (length(btrim(operator)) between 3 and 254),
  reason     text not null check (length(btrim(reason)) between 3 and 500),
  expires_at timestamptz not null,
  ended_at   timestamptz,
  ended_by   uuid,
  version    bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (company_id, id),
  constraint support_sessions_consent_id_fkey foreign key (company_id, consent_id) references public.support_consents (company_id, id)
);
comment on table public.support_sessions is 'Who of support worked in a company, as which member, why, from when to when.';
comment on column public.support_sessions.operator is 'pii:contact';
create index support_sessions_id_idx on public.support_sessions (id);
create index support_sessions_created_at_idx on public.support_sessions (company_id, created_at desc, id);
create index support_sessions_consent_id_idx on public.support_sessions (company_id, consent_id);
create index support_sessions_user_id_idx on public.support_sessions (user_id);
create index support_sessions_session_id_idx on public.support_sessions (session_id);
select app.enclose('public.support_sessions');

alter table auth.sessions add column impersonated_by text check (length(impersonated_by) between 3 and 254);
comment on column auth.sessions.impersonated_by is 'Who of support works in it, in place of its user.';
