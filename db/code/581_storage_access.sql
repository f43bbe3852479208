-- Who reaches the files of companies: whoever holds the permission, in the folder of the company that he works in. Buckets that somebody
-- makes himself follow the policies that he writes, and no others.
-- Invariant: in a bucket of companies nobody but the server reaches a name of another company, whatever further policies say.

grant select, insert, update, delete on storage.objects to authenticated;
grant select on storage.buckets to authenticated;

do $$
declare
  v_name text;
begin
  foreach v_name in array array['company_files', 'company_files_read', 'company_files_create', 'company_files_update', 'company_files_delete'] loop
    execute format('drop policy if exists %I on storage.objects', v_name);
  end loop;
  drop policy if exists company_buckets_read on storage.buckets;
end $$;

create policy company_files on storage.objects as restrictive for all to anon, authenticated, guest
  using (bucket_id not in (select c.bucket_id from app.company_buckets c) or (storage.foldername(name))[1] = (select app.company_id()::text))
  with check (bucket_id not in (select c.bucket_id from app.company_buckets c) or (storage.foldername(name))[1] = (select app.company_id()::text));

-- Whoever sees only what is assigned to him sees the files that rows name which he may read.
create policy company_files_read on storage.objects as permissive for select to authenticated
  using (bucket_id in (select c.bucket_id from app.company_buckets c)
         and ((select app.has_permission('files:read'))
              or ((select app.has_permission('files:read_assigned')) or (select app.has_permission('files:read_own'))) and owner = (select auth.uid())
              or ((select app.has_permission('files:read_assigned'))
                  and (exists (select from public.attachments a
                                where a.company_id = (select app.company_id()) and a.storage_bucket = objects.bucket_id
                                  and a.storage_path = objects.name and a.deleted_at is null)
                       or exists (select from public.file_storage f
                                   where f.company_id = (select app.company_id()) and f.storage_bucket = objects.bucket_id
                                     and f.storage_path = objects.name and f.deleted_at is null)))));
create policy company_files_create on storage.objects as permissive for insert to authenticated
  with check (bucket_id in (select c.bucket_id from app.company_buckets c) and owner is not distinct from (select auth.uid())
              and ((select app.has_permission('files:create')) or (select app.has_permission('files:create_assigned'))));
create policy company_files_update on storage.objects as permissive for update to authenticated
  using (bucket_id in (select c.bucket_id from app.company_buckets c)
         and ((select app.has_permission('files:update'))
              or (select app.has_permission('files:update_own')) and owner = (select auth.uid())))
  with check (bucket_id in (select c.bucket_id from app.company_buckets c)
         and ((select app.has_permission('files:update'))
              or (select app.has_permission('files:update_own')) and owner = (select auth.uid())));
create policy company_files_delete on storage.objects as permissive for delete to authenticated
  using (bucket_id in (select c.bucket_id from app.company_buckets c)
         and ((select app.has_permission('files:delete'))
              or (select app.has_permission('files:delete_own')) and owner = (select auth.uid())));
create policy company_buckets_read on storage.buckets as permissive for select to authenticated
  using (id in (select c.bucket_id from app.company_buckets c));
