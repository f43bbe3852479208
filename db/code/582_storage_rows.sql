-- Rows that name a file by its bucket and path, how much a company keeps, and what becomes of files with their rows and their company.
-- Invariants: what stands in a row about its file is what the file is, whatever the client says; a row learns nothing of a file that whoever
-- writes it may not read, and means the file that was there then, or the first that came, not whatever has its name later; no file goes by a row
-- for somebody who may not remove it.

-- Bytes that a company may still add; null is without a limit.
create or replace function app.file_room(p_company_id uuid) returns bigint
  language sql stable security definer
  set search_path = ''
as $$
  select (t.quotas ->> 'storage_mib')::bigint * 1048576 - coalesce(u.bytes, 0)
    from public.companies c
    join app.subscription_tiers t on t.tier = app.current_tier(c.subscription_tier, c.writes_until)
    left join app.company_bytes u on u.company_id = c.id
   where c.id = p_company_id
$$;
alter function app.file_room(uuid) owner to app_definer;
revoke all on function app.file_room(uuid) from public;
grant execute on function app.file_room(uuid) to service_role, app_definer;

-- The digest of a file that the caller has found, in hexadecimal.
create or replace function app.object_checksum(p_object_id uuid, p_version text) returns text
  language sql stable security definer
  set search_path = ''
as $$
  select encode(b.sha256, 'hex')
    from app.object_versions v
    join app.blobs b on b.company_id = v.company_id and b.key = v.blob_key
   where v.id = p_version and v.object_id = p_object_id
     and (v.company_id = app.company_id() or current_setting('role') in ('service_role', 'app_definer'))
$$;
alter function app.object_checksum(uuid, text) owner to app_definer;
revoke all on function app.object_checksum(uuid, text) from public;
grant execute on function app.object_checksum(uuid, text) to authenticated, service_role;

-- Whether a name is that of a file in a bucket of companies, in the folder of the company that asks.
create or replace function app.is_company_file_there(p_bucket_id text, p_name text) returns boolean
  language sql stable security definer
  set search_path = ''
as $$
  select exists (select from storage.objects o join app.company_buckets c on c.id = o.bucket_id
                  where o.bucket_id = p_bucket_id and o.name = p_name and starts_with(p_name, app.company_id() || '/'))
$$;
alter function app.is_company_file_there(text, text) owner to app_definer;
revoke all on function app.is_company_file_there(text, text) from public;
grant execute on function app.is_company_file_there(text, text) to authenticated, service_role, app_definer;

-- Whether a file of that name would be one of the company that asks, in a bucket of companies.
create or replace function app.is_company_place(p_bucket_id text, p_name text) returns boolean
  language sql stable security definer
  set search_path = ''
as $$
  select exists (select from app.company_buckets c where c.id = p_bucket_id and starts_with(p_name, app.company_id() || '/'))
$$;
alter function app.is_company_place(text, text) owner to app_definer;
revoke all on function app.is_company_place(text, text) from public;
grant execute on function app.is_company_place(text, text) to authenticated, service_role, app_definer;

-- Whether whoever asks may take a file away by what he does to its row: the server may.
create or replace function app.may_remove_file(p_owner uuid) returns boolean
  language sql stable
  set search_path = ''
  return current_setting('role') not in ('anon', 'authenticated', 'guest')
         or app.has_permission('files:delete') or app.has_permission('files:delete_own') and p_owner = auth.uid();
revoke all on function app.may_remove_file(uuid) from public;
grant execute on function app.may_remove_file(uuid) to authenticated, service_role, app_definer;

-- Size, type, digest and what was found in a row's file come from the file, where there is one that whoever writes may read.
create or replace function app.describe_file() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_object    record;
  v_scan      record;
  v_is_other  constant boolean := tg_op = 'INSERT' or (new.storage_bucket, new.storage_path) is distinct from (old.storage_bucket, old.storage_path);
  v_is_server constant boolean := current_user not in ('anon', 'authenticated', 'guest');
begin
  select o.id, o.version, o.owner, (o.metadata ->> 'size')::bigint as bytes, o.metadata ->> 'mimetype' as mime_type into v_object
    from storage.objects o
   where o.bucket_id = new.storage_bucket and o.name = new.storage_path and starts_with(o.name, new.company_id || '/');
  -- Which file it means is not the client's to say.
  if not v_is_server then
    new.object_id := case when v_object.id is not null then v_object.id when not v_is_other then old.object_id end;
  elsif new.object_id is null or tg_op = 'UPDATE' and v_is_other and new.object_id is not distinct from old.object_id then
    new.object_id := v_object.id;
  end if;
  if v_object.id is null then
    -- A row opens its file to those who read the row: whoever writes it reads the file first. One that is not there yet is named by whoever would
    -- read it whatever it will be, and the answer tells nobody which of both it is.
    if current_user = 'authenticated' and app.is_company_place(new.storage_bucket, new.storage_path)
       and v_is_other then
      -- By itself, since others may not even ask this.
      if app.is_company_file_there(new.storage_bucket, new.storage_path)
         or not (app.has_permission('files:read') and app.reaches_all_entities('read')) then
        raise exception using errcode = 'TH403', constraint = 'file_out_of_reach', message = 'There is no file of this name that you may read.',
          hint = 'Upload the file first, then write the row that names it.';
      end if;
    end if;
    -- Of a file that nobody sees nobody says what was found in it, but whoever looks for the server or the project itself.
    if auth.role() is distinct from 'service_role' and current_user <> 'app_owner' then
      new.virus_scan_status := case when v_is_other then 'pending' else old.virus_scan_status end;
    end if;
    return new;
  end if;
  -- A later file of the name is none of this row's.
  if v_object.id is distinct from new.object_id then
    return new;
  end if;
  new.file_size := coalesce(v_object.bytes, new.file_size);
  new.mime_type := coalesce(v_object.mime_type, new.mime_type);
  new.checksum := coalesce(app.object_checksum(v_object.id, v_object.version), new.checksum);
  new.file_extension := coalesce(new.file_extension, nullif(left(lower(substring(new.storage_path from '\.([A-Za-z0-9]{1,20})$')), 20), ''));
  select * into v_scan from app.object_scan(v_object.id, v_object.version);
  new.virus_scan_status := coalesce(v_scan.result, new.virus_scan_status);
  if tg_table_name = 'attachments' then
    new.virus_scanned_at := v_scan.scanned_at;
    new.is_image := new.mime_type like 'image/%';
    new.is_video := new.mime_type like 'video/%';
    new.is_document := new.mime_type like 'application/%' or new.mime_type like 'text/%';
    new.storage_provider := 'local';
  else
    new.virus_scan_date := v_scan.scanned_at;
  end if;
  return new;
end $$;
revoke all on function app.describe_file() from public;
create or replace trigger describe_file before insert or update of storage_bucket, storage_path, object_id, file_size, mime_type, checksum, virus_scan_status,
  virus_scan_date on public.file_storage
  for each row execute function app.describe_file();
create or replace trigger describe_file before insert or update of storage_bucket, storage_path, object_id, file_size, mime_type, checksum, virus_scan_status,
  virus_scanned_at on public.attachments
  for each row execute function app.describe_file();

-- A file is over at the time that a row says, so that whoever says one is somebody who may remove the file.
create or replace function app.guard_file_time() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if exists (select from storage.objects o join app.company_buckets c on c.id = o.bucket_id
              where o.id = new.object_id and starts_with(o.name, new.company_id || '/') and not app.may_remove_file(o.owner)) then
    raise exception using errcode = 'TH403', constraint = 'file_not_removable', message = 'You may not have this file end: it is not yours to remove.',
      hint = 'A row of yours may go without its time; the file stays.';
  end if;
  return new;
end $$;
alter function app.guard_file_time() owner to app_definer;
revoke all on function app.guard_file_time() from public;
-- By its name after describe_file, which says which file the row means.
create or replace trigger guard_file_time before insert or update of expires_at, storage_bucket, storage_path, object_id on public.file_storage
  for each row when (new.expires_at is not null and app.is_within_reach(new.company_id)) execute function app.guard_file_time();

-- Takes away the file that a row meant, unless another row has it: one that is not marked as deleted, or any. Waits for whoever does the same to
-- another row of the file, so that one of the two is the last.
create or replace function app.take_file_of_row(p_company_id uuid, p_bucket_id text, p_name text, p_object_id uuid, p_marked_count boolean) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_object record;
begin
  select o.id, o.owner into v_object from storage.objects o
   where o.id = p_object_id and o.bucket_id = p_bucket_id and o.name = p_name and starts_with(o.name, p_company_id || '/')
     and o.bucket_id in (select c.id from app.company_buckets c)
     for update;
  if not found
     or exists (select from public.file_storage f
                 where f.company_id = p_company_id and f.storage_bucket = p_bucket_id and f.storage_path = p_name and f.object_id = p_object_id
                   and (p_marked_count or f.deleted_at is null))
     or exists (select from public.attachments a
                 where a.company_id = p_company_id and a.storage_bucket = p_bucket_id and a.storage_path = p_name and a.object_id = p_object_id
                   and (p_marked_count or a.deleted_at is null)) then
    return;
  end if;
  if not app.may_remove_file(v_object.owner) then
    raise exception using errcode = 'TH403', constraint = 'file_not_removable', message = 'With this row its file would go, which is not yours to remove.',
      hint = 'Have somebody remove the row who may remove files (files:delete).';
  end if;
  delete from storage.objects o where o.id = p_object_id;
  update app.object_versions v set went_with_row = true where v.object_id = p_object_id and v.ended_how = 'removed' and v.ended_at = now();
end $$;
revoke all on function app.take_file_of_row(uuid, text, text, uuid, boolean) from public;
grant execute on function app.take_file_of_row(uuid, text, text, uuid, boolean) to app_definer;

-- A file whose last row is gone for good goes into the trash.
create or replace function app.trash_file() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  perform app.take_file_of_row(old.company_id, old.storage_bucket, old.storage_path, old.object_id, true);
  return null;
end $$;
alter function app.trash_file() owner to app_definer;
revoke all on function app.trash_file() from public;
create or replace trigger trash_file after delete on public.file_storage for each row execute function app.trash_file();
create or replace trigger trash_file after delete on public.attachments for each row execute function app.trash_file();

-- Nothing of a company is left when it is gone: neither files nor what could be brought back of them.
create or replace function app.forget_company_files() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  delete from storage.objects o using app.company_buckets c
   where o.bucket_id = c.id and starts_with(o.name, old.id || '/');
  update app.object_versions v set ended_at = '-infinity', ended_how = 'removed' where v.company_id = old.id;
  return null;
end $$;
alter function app.forget_company_files() owner to app_definer;
revoke all on function app.forget_company_files() from public;
create or replace trigger forget_company_files after delete on public.companies for each row execute function app.forget_company_files();
