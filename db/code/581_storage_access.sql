-- Who reaches the files of companies: whoever holds the permission, in the folder of the company that he works in. Buckets that somebody
-- makes himself follow the policies that he writes, and no others.
-- A company that owes for too long reads its files and writes none.
-- Invariant: in a bucket of companies nobody but the server reaches a name of another company, whatever further policies say.

grant select, insert, update, delete on storage.objects to authenticated;

-- Whether a row binds a file of the caller's company to something.
create or replace function app.is_bound_file(p_bucket_id text, p_name text) returns boolean
  language sql stable security definer
  set search_path = ''
as $$
  select exists (select from public.attachments a
                  where a.company_id = app.company_id() and a.storage_bucket = p_bucket_id and a.storage_path = p_name and a.deleted_at is null)
      or exists (select from public.file_storage f
                  where f.company_id = app.company_id() and f.storage_bucket = p_bucket_id and f.storage_path = p_name and f.deleted_at is null
                    and f.entity_type is not null and f.entity_id is not null)
$$;
alter function app.is_bound_file(text, text) owner to app_definer;
revoke all on function app.is_bound_file(text, text) from public;
grant execute on function app.is_bound_file(text, text) to authenticated;

-- Whether the caller may do something with the thing that a row names. Asked with his own rights, so that he reaches no row that he does not see.
create or replace function app.reaches_entity(p_entity_type text, p_entity_id uuid, p_verb text) returns boolean
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_table app.protected_tables;
  v_does  boolean;
begin
  if p_entity_type is null or p_entity_id is null then
    return true;
  end if;
  select p.* into v_table from app.entity_types() e join app.protected_tables p on p.table_name = e.table_name
   where e.entity_type = p_entity_type;
  if not found then
    -- Written before types were known.
    return true;
  end if;
  if app.has_permission(v_table.noun || ':' || p_verb) then
    return true;
  end if;
  if not app.has_permission(v_table.noun || ':' || p_verb || '_assigned') and not app.has_permission(v_table.noun || ':' || p_verb || '_own') then
    return false;
  end if;
  execute format('select exists (select from %1$s where %1$s.company_id = $1 and %1$s.id = $2 and (%2$s))', v_table.table_name,
                 app.scope_condition(v_table.table_name, v_table.noun, p_verb, v_table.assigned_column, v_table.own_column, v_table.crew_column,
                                     v_table.parent_table, v_table.parent_column))
    into v_does using app.company_id(), p_entity_id;
  return v_does;
end $$;
revoke all on function app.reaches_entity(text, uuid, text) from public;
grant execute on function app.reaches_entity(text, uuid, text) to authenticated;
grant execute on function app.scope_condition(text, text, text, text, text, text, text, text) to authenticated;

-- Whether nothing that a row could name is kept from the caller.
create or replace function app.reads_all_entities() returns boolean
  language sql stable
  set search_path = ''
as $$
  select bool_and(app.has_permission(p.noun || ':read'))
    from app.entity_types() e join app.protected_tables p on p.table_name = e.table_name
$$;
revoke all on function app.reads_all_entities() from public;
grant execute on function app.reads_all_entities() to authenticated;

do $$
declare
  v_name text;
begin
  foreach v_name in array array['company_files', 'company_files_read', 'company_files_create', 'company_files_update', 'company_files_delete',
                               'company_files_rewritten', 'company_files_removed', 'guest_files', 'guest_read'] loop
    execute format('drop policy if exists %I on storage.objects', v_name);
  end loop;
end $$;

create policy company_files on storage.objects as restrictive for all to anon, authenticated
  using (bucket_id not in (select c.id from app.company_buckets c) or path_tokens[1] = (select app.company_id())::text)
  with check (bucket_id not in (select c.id from app.company_buckets c) or path_tokens[1] = (select app.company_id())::text);

-- Files that rows bind to something are read by whoever reads one of the rows.
-- Whoever sees only what is assigned to him sees the files that rows name which he may read.
create policy company_files_read on storage.objects as permissive for select to authenticated
  using (bucket_id in (select c.id from app.company_buckets c)
         and ((select app.has_permission('files:read'))
              and ((select app.reads_all_entities()) or owner = (select auth.uid()) or not app.is_bound_file(bucket_id, name)
                   or exists (select from public.attachments a
                               where a.company_id = (select app.company_id()) and a.storage_bucket = objects.bucket_id
                                 and a.storage_path = objects.name and a.deleted_at is null)
                   or exists (select from public.file_storage f
                               where f.company_id = (select app.company_id()) and f.storage_bucket = objects.bucket_id
                                 and f.storage_path = objects.name and f.deleted_at is null))
              or ((select app.has_permission('files:read_assigned')) or (select app.has_permission('files:read_own'))) and owner = (select auth.uid())
              or ((select app.has_permission('files:read_assigned'))
                  and (exists (select from public.attachments a
                                where a.company_id = (select app.company_id()) and a.storage_bucket = objects.bucket_id
                                  and a.storage_path = objects.name and a.deleted_at is null)
                       or exists (select from public.file_storage f
                                   where f.company_id = (select app.company_id()) and f.storage_bucket = objects.bucket_id
                                     and f.storage_path = objects.name and f.deleted_at is null)))));
create policy company_files_create on storage.objects as permissive for insert to authenticated
  with check (bucket_id in (select c.id from app.company_buckets c) and owner is not distinct from (select auth.uid())
              and not (select app.has_permission('subscription:over'))
              and ((select app.has_permission('files:create')) or (select app.has_permission('files:create_assigned'))));
create policy company_files_update on storage.objects as permissive for update to authenticated
  using (bucket_id in (select c.id from app.company_buckets c) and not (select app.has_permission('subscription:over'))
         and ((select app.has_permission('files:update'))
              or (select app.has_permission('files:update_own')) and owner = (select auth.uid())))
  with check (bucket_id in (select c.id from app.company_buckets c)
         and ((select app.has_permission('files:update'))
              or (select app.has_permission('files:update_own')) and owner = (select auth.uid())));
create policy company_files_delete on storage.objects as permissive for delete to authenticated
  using (bucket_id in (select c.id from app.company_buckets c) and not (select app.has_permission('subscription:over'))
         and ((select app.has_permission('files:delete'))
              or (select app.has_permission('files:delete_own')) and owner = (select auth.uid())));

-- A file that rows bind to something is replaced and removed by whoever may change that.
create or replace function app.changes_bound_file(p_bucket_id text, p_name text) returns boolean
  language sql stable
  set search_path = ''
as $$
  select exists (select from public.attachments a
                  where a.company_id = app.company_id() and a.storage_bucket = p_bucket_id and a.storage_path = p_name and a.deleted_at is null
                    and app.reaches_entity(a.entity_type, a.entity_id, 'update'))
      or exists (select from public.file_storage f
                  where f.company_id = app.company_id() and f.storage_bucket = p_bucket_id and f.storage_path = p_name and f.deleted_at is null
                    and app.reaches_entity(f.entity_type, f.entity_id, 'update'))
$$;
revoke all on function app.changes_bound_file(text, text) from public;
grant execute on function app.changes_bound_file(text, text) to authenticated;
create policy company_files_rewritten on storage.objects as restrictive for update to authenticated
  using (bucket_id not in (select c.id from app.company_buckets c)
         or not app.is_bound_file(bucket_id, name) or app.changes_bound_file(bucket_id, name));
create policy company_files_removed on storage.objects as restrictive for delete to authenticated
  using (bucket_id not in (select c.id from app.company_buckets c)
         or not app.is_bound_file(bucket_id, name) or app.changes_bound_file(bucket_id, name));

-- Guests read files of companies alone, and of these what rows that they read name: no further policy opens one to them.
create or replace function app.is_company_file(p_bucket_id text, p_name text) returns boolean
  language sql stable security definer
  set search_path = ''
as $$
  select starts_with(p_name, app.company_id() || '/') and exists (select from app.company_buckets c where c.id = p_bucket_id)
$$;
alter function app.is_company_file(text, text) owner to app_definer;
revoke all on function app.is_company_file(text, text) from public;
grant execute on function app.is_company_file(text, text) to guest;
grant usage on schema storage to guest;
revoke all on storage.objects from guest;
grant select (id, bucket_id, name, version, metadata, user_metadata, created_at, updated_at, last_accessed_at, path_tokens) on storage.objects to guest;
create policy guest_files on storage.objects as restrictive for all to guest
  using (app.is_company_file(bucket_id, name)
         and (exists (select from public.attachments a
                       where a.company_id = (select app.company_id()) and a.storage_bucket = objects.bucket_id and a.storage_path = objects.name)
              or exists (select from public.file_storage f
                          where f.company_id = (select app.company_id()) and f.storage_bucket = objects.bucket_id and f.storage_path = objects.name)));
create policy guest_read on storage.objects as permissive for select to guest using ((select app.has_permission('files:read_own')));
