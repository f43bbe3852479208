-- description: the settings of sign-in as the servers have them, for auth.config
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123170000
-- rollback: the next start of a server writes them again

create table app.auth_settings (
  parameter  text primary key check (length(parameter) between 1 and 100),
  value      text check (length(value) <= 2048),
  updated_at timestamptz not null default now()
);
comment on table app.auth_settings is 'What a server was told of sign-in when it started. Nothing reads it but auth.config.';
comment on column app.auth_settings.value is 'Null for a secret, which is nowhere in the database.';
select app.enclose('app.auth_settings');
