-- Who reaches the files of companies: whoever holds the permission, in the folder of the company that he works in. Buckets that somebody
-- lint: allow policy-bare-call because app.bindings is asked last, of files that nothing else opens, and no condition can ask what the caller cannot read
-- makes himself follow the policies that he writes, and no others.
-- A company that owes for too long reads its files and writes none.
-- Invariant: in a bucket of companies nobody but the server reaches a name of another company, whatever further policies say.

grant select, insert, update, delete on storage.objects to authenticated;

-- How many rows bind a file of the caller's company to something: looks into indexes. Rows that the caller may not read count, which is why
-- it is asked of a function; policies ask it of a row only where nothing cheaper has said yes. A row that meant an earlier file of the name binds
-- nothing.
create or replace function app.bindings(p_bucket_id text, p_name text) returns bigint
  language plpgsql stable security definer
  set search_path = ''
as $$
begin
  return (select count(*) from public.attachments a join storage.objects o on o.id = a.object_id and o.bucket_id = p_bucket_id and o.name = p_name
           where a.company_id = app.company_id() and a.storage_bucket = p_bucket_id and a.storage_path = p_name and a.deleted_at is null)
       + (select count(*) from public.file_storage f join storage.objects o on o.id = f.object_id and o.bucket_id = p_bucket_id and o.name = p_name
           where f.company_id = app.company_id() and f.storage_bucket = p_bucket_id and f.storage_path = p_name and f.deleted_at is null
             and f.entity_type is not null and f.entity_id is not null);
end $$;
alter function app.bindings(text, text) owner to app_definer;
revoke all on function app.bindings(text, text) from public;
grant execute on function app.bindings(text, text) to authenticated;

-- Whether the caller may do something with everything that a row could name.
create or replace function app.reaches_all_entities(p_verb text) returns boolean
  language sql stable
  set search_path = ''
as $$
  select bool_and(app.has_permission(p.noun || ':' || p_verb))
    from app.entity_types() e join app.protected_tables p on p.table_name = e.table_name
$$;
revoke all on function app.reaches_all_entities(text) from public;
grant execute on function app.reaches_all_entities(text) to authenticated;

do $$
declare
  v_name text;
begin
  foreach v_name in array array['company_files', 'company_files_read', 'company_files_create', 'company_files_update', 'company_files_delete',
                               'guest_files', 'guest_read'] loop
    execute format('drop policy if exists %I on storage.objects', v_name);
  end loop;
end $$;

create policy company_files on storage.objects as restrictive for all to anon, authenticated
  using (bucket_id not in (select c.id from app.company_buckets c) or path_tokens[1] = (select app.company_id())::text)
  with check (bucket_id not in (select c.id from app.company_buckets c) or path_tokens[1] = (select app.company_id())::text);

-- Files that rows bind to something are read by whoever reads one of the rows; all others by whoever reads the company's files.
create policy company_files_read on storage.objects as permissive for select to authenticated
  using (bucket_id in (select c.id from app.company_buckets c)
         and ((select app.has_permission('files:read')) and (select app.reaches_all_entities('read'))
              or ((select app.has_permission('files:read')) or (select app.has_permission('files:read_assigned'))
                  or (select app.has_permission('files:read_own'))) and owner = (select auth.uid())
              or ((select app.has_permission('files:read')) or (select app.has_permission('files:read_assigned')))
                 and (exists (select from public.attachments a
                               where a.company_id = (select app.company_id()) and a.storage_bucket = objects.bucket_id
                                 and a.storage_path = objects.name and a.object_id = objects.id and a.deleted_at is null)
                      or exists (select from public.file_storage f
                                  where f.company_id = (select app.company_id()) and f.storage_bucket = objects.bucket_id
                                    and f.storage_path = objects.name and f.object_id = objects.id and f.deleted_at is null))
              or (select app.has_permission('files:read')) and app.bindings(bucket_id, name) = 0));
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

-- Guests read files of companies alone, and of these what rows that they read name: no further policy opens one to them.
grant usage on schema storage to guest;
revoke all on storage.objects from guest;
grant select (id, bucket_id, name, version, metadata, user_metadata, created_at, updated_at, last_accessed_at, path_tokens) on storage.objects to guest;
create policy guest_files on storage.objects as restrictive for all to guest
  using (bucket_id in (select c.id from app.company_buckets c) and path_tokens[1] = (select app.company_id())::text
         and (exists (select from public.attachments a
                       where a.company_id = (select app.company_id()) and a.storage_bucket = objects.bucket_id and a.storage_path = objects.name
                         and a.object_id = objects.id)
              or exists (select from public.file_storage f
                          where f.company_id = (select app.company_id()) and f.storage_bucket = objects.bucket_id and f.storage_path = objects.name
                            and f.object_id = objects.id)));
create policy guest_read on storage.objects as permissive for select to guest using ((select app.has_permission('files:read_own')));
