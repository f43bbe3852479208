-- An account's public side follows the account, and a person reaches his own row and no other.

create or replace function app.sync_user() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_name text := nullif(btrim(coalesce(new.raw_user_meta_data ->> 'name', new.raw_user_meta_data ->> 'full_name')), '');
begin
  insert into public.users as u (id, name, email, avatar, phone, email_verified, is_active, last_login_at)
  values (new.id,
          left(coalesce(v_name, nullif(btrim(new.email), ''), new.phone, 'Guest'), 200),
          coalesce(btrim(new.email), ''),
          left(nullif(new.raw_user_meta_data ->> 'avatar_url', ''), 2048),
          new.phone,
          new.email_confirmed_at is not null,
          new.deleted_at is null,
          new.last_sign_in_at)
  on conflict (id) do update
     set email = excluded.email,
         email_verified = excluded.email_verified,
         is_active = excluded.is_active,
         last_login_at = excluded.last_login_at,
         -- A name that the person changed in his profile stays until he changes the account's.
         name = case when tg_op = 'UPDATE' and v_name is not null
                      and old.raw_user_meta_data is distinct from new.raw_user_meta_data
                     then excluded.name else u.name end;
  return null;
end $$;
alter function app.sync_user() owner to app_definer;
revoke all on function app.sync_user() from public;
create or replace trigger sync_user
  after insert or update of email, phone, raw_user_meta_data, email_confirmed_at, last_sign_in_at, deleted_at on auth.users
  for each row execute function app.sync_user();

create or replace function app.sync_member_name() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  update public.team_members set name = new.name, email = new.email where user_id = new.id;
  return null;
end $$;
alter function app.sync_member_name() owner to app_definer;
revoke all on function app.sync_member_name() from public;
create or replace trigger sync_member_name after update on public.users
  for each row when (old.name is distinct from new.name or old.email is distinct from new.email)
  execute function app.sync_member_name();

drop policy if exists own_row_read on public.users;
drop policy if exists own_row_update on public.users;
create policy own_row_read on public.users as permissive for select to authenticated
  using (id = (select auth.uid()));
create policy own_row_update on public.users as permissive for update to authenticated
  using (id = (select auth.uid())) with check (id = (select auth.uid()));
revoke all on public.users from public, anon, authenticated, service_role;
grant select on public.users to authenticated;
grant update (name, avatar, bio, phone, preferences, status) on public.users to authenticated;
grant select, insert, update, delete on public.users to service_role;
create or replace trigger touch before update on public.users for each row execute function app.touch();

insert into app.protected_tables (table_name, noun, own_column, tenant_column, verbs)
values ('public.users', 'users', 'id', null, '{read,update}')
on conflict (table_name) do update
   set noun = excluded.noun, own_column = excluded.own_column, tenant_column = excluded.tenant_column, verbs = excluded.verbs;

revoke all on auth.users, auth.identities, auth.sessions from public, anon, authenticated, service_role;
grant select, insert, update, delete on auth.users, auth.identities, auth.sessions to service_role;
revoke all on auth.mfa_factors, auth.mfa_challenges, auth.recovery_codes from public, anon, authenticated, service_role;
grant select, insert, update, delete on auth.mfa_factors, auth.mfa_challenges, auth.recovery_codes to service_role;
