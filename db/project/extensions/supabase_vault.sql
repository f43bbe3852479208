-- supabase_vault: its table, view and functions, so that what names them can be made. No secret is kept yet, and a call says so.

set role app_owner;

create table if not exists vault.secrets (
  id          uuid primary key default gen_random_uuid(),
  name        text unique,
  description text not null default '',
  secret      text not null,
  key_id      uuid,
  nonce       bytea,
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now()
);
select app.enclose('vault.secrets');
create or replace view vault.decrypted_secrets with (security_invoker = true) as
select id, name, description, secret, null::text as decrypted_secret, key_id, nonce, created_at, updated_at from vault.secrets;
grant select on vault.secrets, vault.decrypted_secrets to service_role, project_owner;
drop policy if exists project_owner_read on vault.secrets;
create policy project_owner_read on vault.secrets for select to project_owner using (true);

create or replace function vault.create_secret(new_secret text, new_name text default null, new_description text default '', new_key_id uuid default null)
  returns uuid
  language plpgsql
  set search_path = ''
as $$
begin
  raise exception using errcode = '0A000', message = 'vault is not served here: no secret is kept in the database',
    hint = 'Keep it where the program that needs it finds it.';
end $$;
create or replace function vault.update_secret(secret_id uuid, new_secret text default null, new_name text default null,
                                               new_description text default null, new_key_id uuid default null) returns void
  language plpgsql
  set search_path = ''
as $$
begin
  perform vault.create_secret(new_secret);
end $$;

revoke all on function vault.create_secret(text, text, text, uuid), vault.update_secret(uuid, text, text, text, uuid) from public;
grant execute on function vault.create_secret(text, text, text, uuid), vault.update_secret(uuid, text, text, text, uuid)
  to project_owner, service_role;
grant usage on schema vault to service_role;

reset role;
