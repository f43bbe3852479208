-- Owners and admins have long passwords: whoever becomes one with a short one changes it first.
-- Invariant: auth.users.password_is_long speaks of the hash beside it; another hash is of unknown length until the server says it.

create or replace function app.forget_password_class() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  new.password_is_long := null;
  return new;
end $$;
revoke all on function app.forget_password_class() from public;
create or replace trigger forget_password_class before update of encrypted_password on auth.users
  for each row when (old.encrypted_password is distinct from new.encrypted_password) execute function app.forget_password_class();

create or replace function app.has_short_password(p_user_id uuid) returns boolean
  language sql stable security definer
  set search_path = ''
as $$
  select exists (select from auth.users u where u.id = p_user_id and u.encrypted_password is not null and u.password_is_long is not true)
$$;
comment on function app.has_short_password(uuid) is 'Whether somebody''s password is not known to be as long as owners and admins need.';
alter function app.has_short_password(uuid) owner to app_definer;
revoke all on function app.has_short_password(uuid) from public;

create or replace function app.guard_owner_password() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if app.has_short_password(new.user_id) then
    raise exception using errcode = 'TH422', constraint = 'weak_password', detail = '{"reasons": ["length"]}',
      message = format('Owners and admins need a password of at least %s characters.',
                       (select r.password_characters_min from app.company_rules r)),
      hint = 'Choose a longer one with PUT /auth/v1/user; or sign in with it again, if it is as long.';
  end if;
  return new;
end $$;
alter function app.guard_owner_password() owner to app_definer;
revoke all on function app.guard_owner_password() from public;
create or replace trigger guard_owner_password before insert on public.team_members
  for each row when (new.role in ('owner', 'admin') and app.is_within_reach(new.company_id)) execute function app.guard_owner_password();
create or replace trigger guard_new_owner_password before update of role on public.team_members
  for each row when (new.role in ('owner', 'admin') and old.role <> new.role and app.is_within_reach(new.company_id))
  execute function app.guard_owner_password();
