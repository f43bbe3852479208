-- What every change of a row does to the row itself.

create or replace function app.touch() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  -- Figures that a trigger computes are no edit: whoever edits the row at the same time keeps his version.
  if current_user = 'app_definer' and pg_trigger_depth() > 1 then
    return new;
  end if;
  -- Whoever sends a version says which one he saw: the one he found, or the next.
  if new.version is distinct from old.version and new.version is distinct from old.version + 1 then
    raise exception using errcode = 'TH409', constraint = 'version_conflict',
      message = 'Somebody else changed this row in the meantime.',
      detail = jsonb_build_object('version', old.version)::text,
      hint = 'Read it again. A change may say the version that follows the one it read.';
  end if;
  new.updated_at := now();
  new.version := old.version + 1;
  if current_user = 'authenticated' then
    new.created_at := old.created_at;
  end if;
  return new;
end $$;
comment on function app.touch() is
  'Before each update: updated_at, version + 1; a version that is neither the present nor the next one is refused; a member cannot change created_at.';
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
