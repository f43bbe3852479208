-- description: directories that provision members (public.scim_tokens, public.scim_mappings), what they know of people and groups (auth.scim_users, auth.scim_groups, auth.scim_group_members), domains that companies proved (app.proved_domains)
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123130000
-- rollback: drops what directories said; members stay as they are

create table public.scim_tokens (
  company_id   uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id           uuid not null default app.uuid_v7(),
  name         text not null check (length(btrim(name)) between 1 and 200),
  -- SHA-256 of 256 random bits.
  token_hash   text not null unique check (token_hash ~ '^[0-9a-f]{64}$'),
  token_prefix text not null check (length(token_prefix) between 1 and 20),
  expires_at   timestamptz not null,
  last_used_at timestamptz,
  revoked_at   timestamptz,
  created_by   uuid default auth.uid(),
  version      bigint not null default 1,
  created_at   timestamptz not null default now(),
  updated_at   timestamptz not null default now(),
  primary key (company_id, id)
);
comment on table public.scim_tokens is 'Tokens by which a company''s directory provisions its members. Only the digest is kept.';
comment on column public.scim_tokens.name is 'What the token is for, such as the name of the directory.';
comment on column public.scim_tokens.token_hash is 'secret';
comment on column public.scim_tokens.token_prefix is 'How the token begins, to tell it from others.';
comment on column public.scim_tokens.expires_at is 'From when on it is not good any more.';
comment on column public.scim_tokens.last_used_at is 'When it was last used, to the minute.';
comment on column public.scim_tokens.revoked_at is 'When it was taken back.';
comment on column public.scim_tokens.created_by is 'Who made it.';
create index scim_tokens_id_idx on public.scim_tokens (id);
create index scim_tokens_created_at_idx on public.scim_tokens (company_id, created_at desc, id);
select app.enclose('public.scim_tokens');

create table public.scim_mappings (
  company_id    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id            uuid not null default app.uuid_v7(),
  -- The name of a group of the directory; * is whoever the directory provisions.
  group_name    text not null check (length(btrim(group_name)) between 1 and 200),
  group_key     text generated always as (lower(btrim(group_name))) stored,
  role          text check (role in ('admin', 'manager', 'dispatcher', 'technician', 'csr', 'member', 'viewer')),
  role_id       uuid,
  department_id uuid,
  version       bigint not null default 1,
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, group_name),
  check (role is not null or department_id is not null),
  check (role_id is null or role is not null),
  constraint scim_mappings_role_id_fkey foreign key (company_id, role_id)
    references public.custom_roles (company_id, id) on delete cascade,
  constraint scim_mappings_department_id_fkey foreign key (company_id, department_id)
    references public.departments (company_id, id) on delete cascade
);
comment on table public.scim_mappings is 'What members are by the groups that a directory has them in.';
comment on column public.scim_mappings.group_name is 'The group''s name; * stands for everybody whom the directory provisions.';
comment on column public.scim_mappings.group_key is 'The name as it is compared.';
comment on column public.scim_mappings.role is 'The role of the group''s members.';
comment on column public.scim_mappings.role_id is 'The custom role that is laid over it.';
comment on column public.scim_mappings.department_id is 'The department of the group''s members.';
create index scim_mappings_id_idx on public.scim_mappings (id);
create index scim_mappings_created_at_idx on public.scim_mappings (company_id, created_at desc, id);
create index scim_mappings_role_id_idx on public.scim_mappings (company_id, role_id);
create index scim_mappings_department_id_idx on public.scim_mappings (company_id, department_id);
select app.enclose('public.scim_mappings');

-- Of a member who was there before the directory wrote of him there is no row; the first change makes it, with the member's id.
create table auth.scim_users (
  company_id            uuid not null references public.companies (id) on delete cascade,
  id                    uuid not null default app.uuid_v7(),
  -- Null as long as the person was invited and has not come.
  user_id               uuid,
  user_name_key         text not null check (length(user_name_key) between 1 and 1000),
  -- The address to which an invitation goes, as addresses are compared.
  email_key             text check (length(email_key) between 3 and 254),
  attributes            jsonb not null check (jsonb_typeof(attributes) = 'object' and length(attributes::text) <= 65536),
  -- What groups gave the member last: only that is taken back when he leaves them.
  granted_role          text,
  granted_role_id       uuid,
  granted_department_id uuid,
  version               bigint not null default 1,
  created_at            timestamptz not null default now(),
  updated_at            timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, user_name_key),
  unique (company_id, user_id),
  -- Without the membership the directory knows the person no more.
  constraint scim_users_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete cascade
);
comment on table auth.scim_users is 'What a company''s directory says of a member or of somebody who was invited. Reached by the auth service only.';
comment on column auth.scim_users.user_id is 'The member; null as long as he was invited and has not come.';
comment on column auth.scim_users.user_name_key is 'pii:email';
comment on column auth.scim_users.email_key is 'pii:email';
comment on column auth.scim_users.attributes is 'pii:name';
comment on column auth.scim_users.granted_role is 'The role that groups gave last.';
comment on column auth.scim_users.granted_role_id is 'The custom role that groups gave last.';
comment on column auth.scim_users.granted_department_id is 'The department that groups gave last.';
create index scim_users_email_key_idx on auth.scim_users (company_id, email_key) where user_id is null;
select app.enclose('auth.scim_users');

create table auth.scim_groups (
  company_id       uuid not null references public.companies (id) on delete cascade,
  id               uuid not null default app.uuid_v7(),
  display_name     text not null check (length(btrim(display_name)) between 1 and 200),
  display_name_key text generated always as (lower(btrim(display_name))) stored,
  external_id      text check (length(external_id) between 1 and 255),
  version          bigint not null default 1,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  primary key (company_id, id),
  -- In any letters a name is there once, which whoever writes groups sees to under the directory's lock.
  unique (company_id, display_name)
);
comment on table auth.scim_groups is 'Groups of a company''s directory. Reached by the auth service only.';
comment on column auth.scim_groups.display_name is 'The name by which a company maps it.';
comment on column auth.scim_groups.display_name_key is 'The name as it is compared.';
comment on column auth.scim_groups.external_id is 'The id that the directory has for it.';
select app.enclose('auth.scim_groups');

create table auth.scim_group_members (
  company_id uuid not null,
  group_id   uuid not null,
  member_id  uuid not null,
  created_at timestamptz not null default now(),
  primary key (company_id, group_id, member_id),
  constraint scim_group_members_group_id_fkey foreign key (company_id, group_id)
    references auth.scim_groups (company_id, id) on delete cascade,
  constraint scim_group_members_member_id_fkey foreign key (company_id, member_id)
    references auth.scim_users (company_id, id) on delete cascade
);
comment on table auth.scim_group_members is 'Who is in which group of a directory. Reached by the auth service only.';
comment on column auth.scim_group_members.member_id is 'The row of auth.scim_users.';
create index scim_group_members_member_id_idx on auth.scim_group_members (company_id, member_id);
select app.enclose('auth.scim_group_members');

create table app.proved_domains (
  domain     text primary key check (domain = lower(domain) and domain ~ '^[a-z0-9-]+(\.[a-z0-9-]+)+$' and length(domain) <= 253),
  company_id uuid not null references public.companies (id) on delete cascade,
  proved_at  timestamptz not null default now()
);
comment on table app.proved_domains is 'Mail domains that companies proved to be theirs, each of one company. Reached by the server only.';
comment on column app.proved_domains.domain is 'The domain, in small letters.';
comment on column app.proved_domains.proved_at is 'When that was proved, or the operator said so.';
create index proved_domains_company_id_idx on app.proved_domains (company_id);
select app.enclose('app.proved_domains');
