-- description: e-mail domains of companies (public.company_domains), and members who asked to join
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123150200
-- rollback: drops the domains and whoever asked to join and was not let in yet
-- lint: allow constraint-missing-not-valid because every row has one of the words that were there before

create table public.company_domains (
  company_id  uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id          uuid not null default app.uuid_v7(),
  domain      text not null check (length(domain) between 4 and 253
                                   and domain ~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])$'),
  -- What the domain's own name server has to say.
  proof       text not null default replace(gen_random_uuid()::text, '-', '') check (proof ~ '^[0-9a-f]{32}$'),
  join_mode   text not null default 'nobody' check (join_mode in ('nobody', 'request', 'join')),
  join_role   text not null default 'member' check (join_role in ('manager', 'dispatcher', 'technician', 'csr', 'member', 'viewer')),
  verified_at timestamptz,
  verified_by text check (verified_by in ('dns', 'operator')),
  checked_at  timestamptz,
  version     bigint not null default 1,
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, domain),
  constraint company_domains_verified_check check ((verified_at is null) = (verified_by is null))
);
comment on table public.company_domains is 'An e-mail domain that a company says is its own; verified once it proved it.';
comment on column public.company_domains.proof is 'What a TXT record of _thorbis-challenge below the domain has to say.';
comment on column public.company_domains.join_mode is 'What people with a confirmed address of the verified domain may do: nothing, ask, or join.';
comment on column public.company_domains.join_role is 'What they are then.';
comment on column public.company_domains.verified_by is 'dns: by the record; operator: by the word of the service key.';
comment on column public.company_domains.checked_at is 'When the record was last asked for.';
create unique index company_domains_verified_key on public.company_domains (domain) where verified_at is not null;
create index company_domains_id_idx on public.company_domains (id);
create index company_domains_created_at_idx on public.company_domains (company_id, created_at desc, id);
select app.enclose('public.company_domains');

alter table public.team_members drop constraint team_members_status_check;
alter table public.team_members add constraint team_members_status_check check (status in ('active', 'invited', 'requested', 'suspended')) not valid;
alter table public.team_members validate constraint team_members_status_check;
