-- description: companies, their members, departments, roles and invitations, and the sessions that have one of them active
-- author: Thorbis
-- date: 2026-11-21
-- depends: 20261121090000
-- rollback: drops all companies with everything in them; take a backup first

create table public.companies (
  id                               uuid primary key default app.uuid_v7(),
  external_id                      text unique check (length(external_id) between 1 and 255),
  name                             text not null check (length(btrim(name)) between 1 and 200),
  slug                             text not null unique check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(slug) between 2 and 63),
  -- Null only while a company made by a service program waits for its first owner.
  owner_id                         uuid references public.users (id),
  industry                         text check (length(industry) between 1 and 100),
  legal_name                       text check (length(legal_name) <= 200),
  doing_business_as                text check (length(doing_business_as) <= 200),
  logo                             text check (length(logo) <= 2048),
  email                            text check (length(email) <= 254),
  phone                            text check (length(phone) <= 32),
  support_email                    text check (length(support_email) <= 254),
  support_phone                    text check (length(support_phone) <= 32),
  website                          text check (length(website) <= 2048),
  address                          text check (length(address) <= 300),
  address2                         text check (length(address2) <= 300),
  city                             text check (length(city) <= 120),
  state                            text check (length(state) <= 120),
  zip_code                         text check (length(zip_code) <= 20),
  country                          text not null default 'USA' check (length(country) <= 60),
  lat                              double precision check (lat between -90 and 90),
  lon                              double precision check (lon between -180 and 180),
  license_number                   text check (length(license_number) <= 100),
  tax_id                           text check (length(tax_id) <= 100),
  company_size                     text check (length(company_size) <= 40),
  brand_color                      text check (brand_color ~ '^#[0-9A-Fa-f]{6}$'),
  business_timezone                text not null default 'America/New_York' check (length(business_timezone) <= 64),
  currency                         text not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
  settings                         jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
  onboarding_step                  integer not null default 0 check (onboarding_step >= 0),
  onboarding_progress              jsonb not null default '{}' check (jsonb_typeof(onboarding_progress) = 'object'),
  onboarding_completed_at          timestamptz,
  subscription_tier                text not null default 'free' check (subscription_tier in ('free', 'starter', 'pro', 'enterprise')),
  subscription_status              text not null default 'active'
                                     check (subscription_status in ('active', 'trialing', 'past_due', 'incomplete', 'cancelled')),
  max_seats                        integer not null default 5 check (max_seats > 0),
  trial_ends_at                    timestamptz,
  created_by                       uuid default auth.uid(),
  archived_at                      timestamptz,
  deleted_at                       timestamptz,
  deleted_by                       uuid,
  permanent_delete_scheduled_at    timestamptz,
  version                          bigint not null default 1,
  created_at                       timestamptz not null default now(),
  updated_at                       timestamptz not null default now()
);
comment on table public.companies is 'The tenant: one business.';
create index companies_owner_id_idx on public.companies (owner_id);
create index companies_created_at_idx on public.companies (created_at desc, id);
select app.enclose('public.companies');

create table app.counters (
  company_id uuid not null references public.companies (id) on delete cascade,
  name       text not null check (length(name) between 1 and 63),
  value      bigint not null default 0 check (value >= 0),
  primary key (company_id, name)
);
comment on table app.counters is 'The last number given, per company and kind. Taken last in a transaction: the row stays locked until commit.';
select app.enclose('app.counters');

create table public.departments (
  company_id  uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id          uuid not null default app.uuid_v7(),
  name        text not null check (length(btrim(name)) between 1 and 120),
  description text check (length(description) <= 2000),
  color       text check (length(color) <= 32),
  version     bigint not null default 1,
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, name)
);
create index departments_id_idx on public.departments (id);
create index departments_created_at_idx on public.departments (company_id, created_at desc, id);
select app.enclose('public.departments');

create table public.custom_roles (
  company_id  uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id          uuid not null default app.uuid_v7(),
  name        text not null check (length(btrim(name)) between 1 and 120),
  description text check (length(description) <= 2000),
  permissions jsonb not null default '{}' check (jsonb_typeof(permissions) = 'object'),
  color       text check (length(color) <= 32),
  is_system   boolean not null default false,
  version     bigint not null default 1,
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, name)
);
comment on column public.custom_roles.permissions is 'Permission to true or false, laid over the member''s role.';
create index custom_roles_id_idx on public.custom_roles (id);
create index custom_roles_created_at_idx on public.custom_roles (company_id, created_at desc, id);
select app.enclose('public.custom_roles');

create table public.team_members (
  company_id            uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                    uuid not null default app.uuid_v7(),
  user_id               uuid not null references public.users (id) on delete cascade,
  role                  text not null default 'member'
                          check (role in ('owner', 'admin', 'manager', 'dispatcher', 'technician', 'csr', 'member', 'viewer')),
  role_id               uuid,
  department_id         uuid,
  status                text not null default 'active' check (status in ('active', 'invited', 'suspended')),
  permissions           jsonb not null default '{}' check (jsonb_typeof(permissions) = 'object'),
  -- Everything the member may do, as ',noun:verb,noun:verb_assigned,'. Computed; read once per transaction.
  effective_permissions text not null default '',
  -- Copies of the person's own name and address: colleagues may read these and not the account.
  name                  text,
  email                 text,
  job_title             text check (length(job_title) <= 120),
  phone                 text check (length(phone) <= 32),
  invited_by            uuid,
  invited_at            timestamptz,
  joined_at             timestamptz default now(),
  last_active_at        timestamptz,
  archived_at           timestamptz,
  version               bigint not null default 1,
  created_at            timestamptz not null default now(),
  updated_at            timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, user_id),
  -- A role or department in use cannot be removed.
  constraint team_members_role_id_fkey foreign key (company_id, role_id) references public.custom_roles (company_id, id),
  constraint team_members_department_id_fkey foreign key (company_id, department_id) references public.departments (company_id, id)
);
comment on table public.team_members is 'A person in one company.';
create unique index team_members_one_owner_key on public.team_members (company_id) where role = 'owner';
create index team_members_id_idx on public.team_members (id);
create index team_members_user_id_idx on public.team_members (user_id);
create index team_members_role_id_idx on public.team_members (company_id, role_id);
create index team_members_department_id_idx on public.team_members (company_id, department_id);
create index team_members_created_at_idx on public.team_members (company_id, created_at desc, id);
-- The change feed must say whose membership ended or changed.
alter table public.team_members replica identity full;
select app.enclose('public.team_members');

create table public.invitations (
  company_id    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id            uuid not null default app.uuid_v7(),
  email         text not null check (length(email) between 3 and 254 and email like '%_@_%'),
  email_key     text generated always as (lower(btrim(email))) stored,
  name          text check (length(name) <= 200),
  role          text not null check (role in ('admin', 'manager', 'dispatcher', 'technician', 'csr', 'member', 'viewer')),
  role_id       uuid,
  department_id uuid,
  -- SHA-256 of the token; the token itself is given out once and never stored.
  token_hash    text not null unique check (token_hash ~ '^[0-9a-f]{64}$'),
  invited_by    uuid,
  expires_at    timestamptz not null default now() + interval '7 days',
  used_at       timestamptz,
  accepted_by   uuid,
  version       bigint not null default 1,
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  primary key (company_id, id),
  constraint invitations_role_id_fkey foreign key (company_id, role_id)
    references public.custom_roles (company_id, id) on delete cascade,
  constraint invitations_department_id_fkey foreign key (company_id, department_id)
    references public.departments (company_id, id) on delete set null (department_id)
);
create unique index invitations_open_email_key on public.invitations (company_id, email_key) where used_at is null;
create index invitations_id_idx on public.invitations (id);
create index invitations_role_id_idx on public.invitations (company_id, role_id);
create index invitations_department_id_idx on public.invitations (company_id, department_id);
create index invitations_created_at_idx on public.invitations (company_id, created_at desc, id);
select app.enclose('public.invitations');

-- The two logs hold no keys to people or companies: they outlive both.
create table public.role_change_log (
  company_id      uuid not null default app.company_id(),
  id              uuid not null default app.uuid_v7(),
  user_id         uuid not null,
  changed_by      uuid,
  old_role        text,
  new_role        text,
  old_role_id     uuid,
  new_role_id     uuid,
  old_permissions jsonb,
  new_permissions jsonb,
  reason          text check (length(reason) <= 500),
  created_at      timestamptz not null default now(),
  primary key (company_id, id)
);
create index role_change_log_user_id_idx on public.role_change_log (company_id, user_id, created_at desc);
create index role_change_log_created_at_idx on public.role_change_log (company_id, created_at desc, id);
select app.enclose('public.role_change_log');

create table public.ownership_transfers (
  company_id        uuid not null default app.company_id(),
  id                uuid not null default app.uuid_v7(),
  from_user_id      uuid not null,
  to_user_id        uuid not null,
  reason            text check (length(reason) <= 500),
  ip                inet,
  user_agent        text check (length(user_agent) <= 500),
  password_verified boolean not null default false,
  created_at        timestamptz not null default now(),
  primary key (company_id, id)
);
create index ownership_transfers_created_at_idx on public.ownership_transfers (company_id, created_at desc, id);
select app.enclose('public.ownership_transfers');

create table auth.sessions (
  id                uuid primary key default app.uuid_v7(),
  user_id           uuid not null references auth.users (id) on delete cascade,
  active_company_id uuid references public.companies (id) on delete set null,
  aal               text not null default 'aal1' check (aal in ('aal1', 'aal2', 'aal3')),
  amr               jsonb not null default '[]' check (jsonb_typeof(amr) = 'array'),
  -- A refresh token is this session's id, this counter and the server's signature over both.
  refresh_counter   bigint not null default 0 check (refresh_counter >= 0),
  refreshed_at      timestamptz,
  not_after         timestamptz,
  revoked_at        timestamptz,
  user_agent        text check (length(user_agent) <= 1000),
  ip                inet,
  created_at        timestamptz not null default now(),
  updated_at        timestamptz not null default now()
);
create index sessions_user_id_idx on auth.sessions (user_id, created_at desc);
create index sessions_active_company_id_idx on auth.sessions (active_company_id);
create index sessions_not_after_idx on auth.sessions (not_after);
select app.enclose('auth.sessions');
