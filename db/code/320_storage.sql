-- The parts of a file's name, as the policies of projects on storage.objects ask for them.
-- Invariant: nothing here reads a table; who reaches which file is for the policies to say.

create or replace function storage.foldername(name text) returns text[]
  language sql immutable parallel safe
  return (pg_catalog.string_to_array(name, '/'))[1:pg_catalog.cardinality(pg_catalog.string_to_array(name, '/')) - 1];
comment on function storage.foldername(text) is 'The folders of a file''s name, the outermost first.';

create or replace function storage.filename(name text) returns text
  language sql immutable parallel safe
  return (pg_catalog.string_to_array(name, '/'))[pg_catalog.cardinality(pg_catalog.string_to_array(name, '/'))];
comment on function storage.filename(text) is 'The last part of a file''s name.';

create or replace function storage.extension(name text) returns text
  language sql immutable parallel safe
  return pg_catalog.reverse(pg_catalog.split_part(pg_catalog.reverse(storage.filename(name)), '.', 1));
comment on function storage.extension(text) is 'What stands behind the last dot of a file''s name.';

revoke all on function storage.foldername(text), storage.filename(text), storage.extension(text) from public;
grant execute on function storage.foldername(text), storage.filename(text), storage.extension(text)
  to anon, authenticated, service_role, app_definer;

revoke all on storage.buckets, storage.objects from public;
grant select, insert, update, delete on storage.buckets, storage.objects to service_role;
grant usage on schema storage to anon, authenticated, service_role;
create or replace trigger touch before update on storage.buckets
  for each row execute function public.update_updated_at_column();
create or replace trigger touch before update on storage.objects
  for each row execute function public.update_updated_at_column();
