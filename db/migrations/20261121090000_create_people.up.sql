-- description: people who sign in (auth.users), how they prove it (auth.identities), what others may know of them (public.users); the tables that permissions are kept in
-- author: Thorbis
-- date: 2026-11-21
-- depends: none
-- rollback: drops all accounts; take a backup first

create table app.role_permissions (
  role       text not null check (role ~ '^[a-z][a-z_]{0,62}$'),
  permission text not null check (permission ~ '^[a-z][a-z_]{0,62}:[a-z][a-z_]{0,62}$' and permission !~ '_(assigned|own)$'),
  scope      text not null check (scope in ('all', 'assigned', 'own')),
  primary key (role, permission)
);
comment on table app.role_permissions is 'What each role may do, loaded from db/permissions.toml at every migrate.';
select app.enclose('app.role_permissions');

create table app.protected_tables (
  table_name      text primary key,
  noun            text not null,
  soft_delete     boolean not null default false,
  assigned_column text,
  own_column      text,
  tenant_column   text,
  verbs           text[] not null
);
comment on table app.protected_tables is 'One row per table that app.protect declared; tenant_column is null for tables of no company.';
select app.enclose('app.protected_tables');

create table auth.users (
  id                       uuid primary key default app.uuid_v7(),
  aud                      text not null default 'authenticated',
  role                     text not null default 'authenticated' check (role in ('authenticated', 'service_role')),
  email                    text check (length(email) between 3 and 254 and email like '%_@_%'),
  -- The address as it is compared. An index on lower(email) would not be used under row security.
  email_key                text generated always as (lower(btrim(email))) stored,
  encrypted_password       text,
  email_confirmed_at       timestamptz,
  phone                    text check (length(phone) between 3 and 32),
  phone_confirmed_at       timestamptz,
  confirmed_at             timestamptz generated always as (least(email_confirmed_at, phone_confirmed_at)) stored,
  invited_at               timestamptz,
  confirmation_sent_at     timestamptz,
  recovery_sent_at         timestamptz,
  email_change             text,
  email_change_sent_at     timestamptz,
  phone_change             text,
  phone_change_sent_at     timestamptz,
  reauthentication_sent_at timestamptz,
  last_sign_in_at          timestamptz,
  raw_app_meta_data        jsonb not null default '{"provider": "email", "providers": ["email"]}'
                             check (jsonb_typeof(raw_app_meta_data) = 'object'),
  raw_user_meta_data       jsonb not null default '{}' check (jsonb_typeof(raw_user_meta_data) = 'object'),
  is_sso_user              boolean not null default false,
  is_anonymous             boolean not null default false,
  banned_until             timestamptz,
  created_at               timestamptz not null default now(),
  updated_at               timestamptz not null default now(),
  deleted_at               timestamptz
);
comment on table auth.users is 'Accounts. Reached by the auth service only.';
create unique index users_email_key on auth.users (email_key) where deleted_at is null and not is_sso_user;
create unique index users_phone_key on auth.users (phone) where deleted_at is null and phone is not null;
create index users_created_at_idx on auth.users (created_at desc, id);
select app.enclose('auth.users');

create table auth.identities (
  id              uuid primary key default app.uuid_v7(),
  user_id         uuid not null references auth.users (id) on delete cascade,
  provider        text not null check (length(provider) between 1 and 100),
  provider_id     text not null check (length(provider_id) between 1 and 512),
  identity_data   jsonb not null default '{}' check (jsonb_typeof(identity_data) = 'object'),
  email           text generated always as (lower(identity_data ->> 'email')) stored,
  last_sign_in_at timestamptz,
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now(),
  unique (provider, provider_id)
);
create index identities_user_id_idx on auth.identities (user_id);
select app.enclose('auth.identities');

create table public.users (
  id             uuid primary key references auth.users (id) on delete cascade,
  -- The key that an older identity provider knew this person by.
  external_id    text unique check (length(external_id) between 1 and 255),
  name           text not null check (length(name) between 1 and 200),
  email          text not null check (length(email) <= 254),
  avatar         text check (length(avatar) <= 2048),
  bio            text check (length(bio) <= 2000),
  phone          text check (length(phone) <= 32),
  preferences    jsonb not null default '{}' check (jsonb_typeof(preferences) = 'object'),
  status         text not null default 'available' check (status in ('online', 'available', 'busy')),
  email_verified boolean not null default false,
  is_active      boolean not null default true,
  last_login_at  timestamptz,
  version        bigint not null default 1,
  created_at     timestamptz not null default now(),
  updated_at     timestamptz not null default now()
);
comment on table public.users is 'The public side of an account, kept in step with auth.users. Belongs to no company.';
create index users_email_idx on public.users (email);
select app.enclose('public.users');
