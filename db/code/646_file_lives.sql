-- A row that is marked as deleted takes its file into the trash, and brings it back when it comes back while the trash has it.
-- Invariant: a file that another living row names stays.

create or replace function app.follow_row() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_gone app.object_versions;
  v_version constant text := gen_random_uuid()::text;
begin
  if not exists (select from app.company_buckets c where c.id = new.storage_bucket) or not starts_with(new.storage_path, new.company_id || '/') then
    return null;
  end if;
  if new.deleted_at is not null then
    perform app.take_file_of_row(new.company_id, new.storage_bucket, new.storage_path, new.object_id, false);
    return null;
  end if;
  -- Whoever removed the file himself has it stay away: what is brought back went with a row, and is the file that this row means.
  select * into v_gone from app.object_versions v
   where v.company_id = new.company_id and v.bucket_id = new.storage_bucket and v.name = new.storage_path and v.object_id = new.object_id
     and v.ended_how = 'removed' and v.went_with_row and new.object_id = old.object_id
     and (new.storage_bucket, new.storage_path) = (old.storage_bucket, old.storage_path)
   order by v.ended_at desc, v.id limit 1 for update;
  if not found or exists (select from storage.objects o
                           where o.bucket_id = new.storage_bucket and o.name = new.storage_path or o.id = new.object_id) then
    return null;
  end if;
  insert into app.meant_contents (version, blob_key, etag, content_type, cache_control)
  values (v_version, v_gone.blob_key, v_gone.etag, v_gone.content_type, v_gone.cache_control);
  -- It is the same file again, which all its rows mean.
  insert into storage.objects (id, bucket_id, name, owner, owner_id, metadata, user_metadata, version)
  values (v_gone.object_id, v_gone.bucket_id, v_gone.name, v_gone.owner, v_gone.owner_id,
          jsonb_build_object('eTag', '"' || v_gone.etag || '"', 'size', v_gone.bytes, 'mimetype', v_gone.content_type,
                             'cacheControl', v_gone.cache_control, 'lastModified', now(), 'contentLength', v_gone.bytes, 'httpStatusCode', 200),
          v_gone.user_metadata, v_version);
  return null;
end $$;
alter function app.follow_row() owner to app_definer;
revoke all on function app.follow_row() from public;
create or replace trigger follow_row after update of deleted_at on public.file_storage
  for each row when (old.deleted_at is null and new.deleted_at is not null or old.deleted_at is not null and new.deleted_at is null)
  execute function app.follow_row();
create or replace trigger follow_row after update of deleted_at on public.attachments
  for each row when (old.deleted_at is null and new.deleted_at is not null or old.deleted_at is not null and new.deleted_at is null)
  execute function app.follow_row();
