-- What every change of a row does to the row itself.

create or replace function app.touch() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  new.updated_at := now();
  new.version := old.version + 1;
  if current_user = 'authenticated' then
    new.created_at := old.created_at;
  end if;
  return new;
end $$;
comment on function app.touch() is 'Before each update: updated_at, version + 1; a member cannot change created_at.';
revoke all on function app.touch() from public;

create or replace function public.update_updated_at_column() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  new.updated_at := now();
  return new;
end $$;
revoke all on function public.update_updated_at_column() from public;

create or replace trigger touch before update on auth.users
  for each row execute function public.update_updated_at_column();
create or replace trigger touch before update on auth.identities
  for each row execute function public.update_updated_at_column();
create or replace trigger touch before update on auth.sessions
  for each row execute function public.update_updated_at_column();
