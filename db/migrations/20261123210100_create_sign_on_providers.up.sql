-- description: identity providers that companies have their members sign in with (public.sign_on_providers)
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123210000
-- rollback: drops the providers; whoever signed in with one signs in otherwise

create table public.sign_on_providers (
  company_id    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id            uuid not null default app.uuid_v7(),
  name          text not null check (length(btrim(name)) between 1 and 200),
  issuer        text not null check (length(issuer) between 1 and 2048),
  client_id     text not null check (length(client_id) between 1 and 512),
  -- Sealed by the server's key ring for this row: the database sees ciphertext only.
  client_secret text not null check (length(client_secret) <= 4096),
  default_role  text not null default 'member' check (default_role in ('manager', 'dispatcher', 'technician', 'csr', 'member', 'viewer')),
  joins         boolean not null default false,
  is_enforced   boolean not null default false,
  is_enabled    boolean not null default true,
  created_by    uuid default auth.uid(),
  version       bigint not null default 1,
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, issuer, client_id)
);
comment on table public.sign_on_providers is 'OpenID Connect providers that a company''s members sign in with.';
comment on column public.sign_on_providers.name is 'What the company calls it.';
comment on column public.sign_on_providers.issuer is 'Its issuer, below which it describes itself.';
comment on column public.sign_on_providers.client_id is 'What it knows this server by.';
comment on column public.sign_on_providers.client_secret is 'secret';
comment on column public.sign_on_providers.default_role is 'What people are who join by it.';
comment on column public.sign_on_providers.joins is 'Whether whoever it vouches for, with an address of a proved domain, becomes a member.';
comment on column public.sign_on_providers.is_enforced is 'Whether members with an address of a proved domain sign in with it and not with a password; owners do both.';
comment on column public.sign_on_providers.is_enabled is 'Whether people are sent there.';
comment on column public.sign_on_providers.created_by is 'Who added it.';
create index sign_on_providers_id_idx on public.sign_on_providers (id);
create index sign_on_providers_created_at_idx on public.sign_on_providers (company_id, created_at desc, id);
select app.enclose('public.sign_on_providers');
