-- Thumbnails and previews of files that rows name: what is to be made is a task of the server's, put in by the transaction in which a row and
-- its file come together.
-- Invariants: addresses and states stand in the rows of a file as the server found them, whatever a client says; a file that nobody has looked at
-- for viruses yet, while somebody will, is not opened for a preview.

-- What something can be made of.
create or replace function app.is_previewable(p_mime_type text) returns boolean
  language sql immutable
  return lower(btrim(split_part(coalesce(p_mime_type, ''), ';', 1))) in ('image/jpeg', 'image/png', 'image/webp', 'image/gif', 'application/pdf');
revoke all on function app.is_previewable(text) from public;
grant execute on function app.is_previewable(text) to authenticated, service_role, app_definer;

-- Before a row is written: what the server says of it is the server's to say, where the file is in a bucket of companies.
create or replace function app.tell_of_previews() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_is_other constant boolean := tg_op = 'INSERT' or (new.storage_bucket, new.storage_path) is distinct from (old.storage_bucket, old.storage_path);
begin
  if current_user not in ('anon', 'authenticated') and not v_is_other
     or not starts_with(new.storage_path, new.company_id || '/')
     or not exists (select from app.company_buckets c where c.id = new.storage_bucket) then
    return new;
  end if;
  if v_is_other then
    new.processing_status := case when app.is_previewable(new.mime_type) then 'pending' else 'completed' end;
    new.processing_error := null;
    new.thumbnail_url := null;
    new.preview_url := null;
  else
    new.processing_status := old.processing_status;
    new.processing_error := old.processing_error;
    new.thumbnail_url := old.thumbnail_url;
    new.preview_url := old.preview_url;
  end if;
  return new;
end $$;
revoke all on function app.tell_of_previews() from public;
create or replace trigger previews_told
  before insert or update of storage_bucket, storage_path, processing_status, processing_error, thumbnail_url, preview_url on public.file_storage
  for each row execute function app.tell_of_previews();
create or replace trigger previews_told
  before insert or update of storage_bucket, storage_path, processing_status, processing_error, thumbnail_url, preview_url on public.attachments
  for each row execute function app.tell_of_previews();

-- Puts the task in, unless the kind is not taken just now: the upkeep looks for what was left then.
create or replace function app.put_previews(p_company_id uuid, p_version text, p_mime_type text) returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  if app.is_previewable(p_mime_type)
     and exists (select from app.task_kinds k where k.name = 'make_previews' and not k.is_draining)
     and not exists (select from app.task_limits l where l.company_id = p_company_id and l.kind in ('*', 'make_previews') and l.is_draining) then
    perform app.enqueue_task('make_previews', jsonb_build_object('version', p_version), p_company_id, p_unique_key => p_version);
  end if;
end $$;
revoke all on function app.put_previews(uuid, text, text) from public;
grant execute on function app.put_previews(uuid, text, text) to app_definer;

-- Writes into the rows of a file what became of its previews.
create or replace function app.write_previews(p_version app.object_versions, p_state text, p_thumbnail_url text, p_preview_url text, p_error text)
  returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  update public.file_storage f
     set processing_status = p_state, processing_error = left(p_error, 500), thumbnail_url = p_thumbnail_url, preview_url = p_preview_url
   where f.company_id = p_version.company_id and f.storage_bucket = p_version.bucket_id and f.storage_path = p_version.name
     and f.object_id = p_version.object_id
     and (f.processing_status, f.processing_error, f.thumbnail_url, f.preview_url)
         is distinct from (p_state, left(p_error, 500), p_thumbnail_url, p_preview_url);
  update public.attachments a
     set processing_status = p_state, processing_error = left(p_error, 500), thumbnail_url = p_thumbnail_url, preview_url = p_preview_url
   where a.company_id = p_version.company_id and a.storage_bucket = p_version.bucket_id and a.storage_path = p_version.name
     and a.object_id = p_version.object_id
     and (a.processing_status, a.processing_error, a.thumbnail_url, a.preview_url)
         is distinct from (p_state, left(p_error, 500), p_thumbnail_url, p_preview_url);
end $$;
revoke all on function app.write_previews(app.object_versions, text, text, text, text) from public;
grant execute on function app.write_previews(app.object_versions, text, text, text, text) to app_definer;

-- A row names a file that is there, or what was found in it is known now. What the file is, its version says, and not whoever wrote the row.
create or replace function app.want_previews() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_version app.object_versions;
begin
  select v.* into v_version
    from storage.objects o
    join app.object_versions v on v.object_id = o.id and v.id = o.version
    join app.blobs b on b.company_id = v.company_id and b.key = v.blob_key
   where o.id = new.object_id and o.bucket_id = new.storage_bucket and o.name = new.storage_path and v.company_id = new.company_id
     and b.scan_result <> 'pending';
  if not found then
    return null;
  elsif app.is_previewable(v_version.content_type) then
    perform app.put_previews(v_version.company_id, v_version.id, v_version.content_type);
  else
    perform app.write_previews(v_version, 'completed', null, null, null);
  end if;
  return null;
end $$;
alter function app.want_previews() owner to app_definer;
revoke all on function app.want_previews() from public;
create or replace trigger previews_wanted after insert or update of storage_bucket, storage_path, virus_scan_status on public.file_storage
  for each row when (new.processing_status = 'pending') execute function app.want_previews();
create or replace trigger previews_wanted after insert or update of storage_bucket, storage_path, virus_scan_status on public.attachments
  for each row when (new.processing_status = 'pending') execute function app.want_previews();

-- A file comes that rows name already, who mean it from now on, or its content becomes another.
create or replace function app.renew_previews() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_state constant text := case when app.is_previewable(new.content_type) then 'pending' else 'completed' end;
  v_files bigint;
  v_attachments bigint;
begin
  update public.file_storage f
     set object_id = new.object_id, processing_status = v_state, processing_error = null, thumbnail_url = null, preview_url = null
   where f.company_id = new.company_id and f.storage_bucket = new.bucket_id and f.storage_path = new.name
     and coalesce(f.object_id = new.object_id, true);
  get diagnostics v_files = row_count;
  update public.attachments a
     set object_id = new.object_id, processing_status = v_state, processing_error = null, thumbnail_url = null, preview_url = null
   where a.company_id = new.company_id and a.storage_bucket = new.bucket_id and a.storage_path = new.name
     and coalesce(a.object_id = new.object_id, true);
  get diagnostics v_attachments = row_count;
  if v_files + v_attachments > 0
     and exists (select from app.blobs b where b.company_id = new.company_id and b.key = new.blob_key and b.scan_result <> 'pending') then
    perform app.put_previews(new.company_id, new.id, new.content_type);
  end if;
  return null;
end $$;
alter function app.renew_previews() owner to app_definer;
revoke all on function app.renew_previews() from public;
create or replace trigger previews_renewed after insert on app.object_versions
  for each row when (new.company_id <> '00000000-0000-0000-0000-000000000000') execute function app.renew_previews();

-- Writes what became of it into the rows of the file, as long as the file is still that one.
create or replace function app.note_previews(p_company_id uuid, p_version text, p_thumbnail_url text, p_preview_url text, p_error text) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_version app.object_versions;
  v_state constant text := case when p_error is null then 'completed' else 'failed' end;
begin
  if auth.role() is distinct from 'service_role' then
    raise exception using errcode = '42501', message = 'Only the server itself says where previews are.';
  end if;
  perform app.keep_to_company(p_company_id);
  select * into v_version from app.object_versions v where v.company_id = p_company_id and v.id = p_version and v.ended_at is null for share;
  if not found then
    return;
  end if;
  perform app.write_previews(v_version, v_state, p_thumbnail_url, p_preview_url, p_error);
end $$;
comment on function app.note_previews(uuid, text, text, text, text) is 'Says in the rows of a file where its thumbnail and preview are, or why there is none. For the server.';
alter function app.note_previews(uuid, text, text, text, text) owner to app_definer;
revoke all on function app.note_previews(uuid, text, text, text, text) from public;
grant execute on function app.note_previews(uuid, text, text, text, text) to service_role;

-- Rows that wait while no task is there for them: the kind was not taken, or every attempt died. Those that wait
-- longest come first. A task that died is tried anew after an hour, since what it died of may be over, and given up when a day went by.
create or replace function app.put_lost_previews(p_rows_max integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_lost record;
  v_done bigint := 0;
begin
  if auth.role() is distinct from 'service_role' or app.company_id() is not null then
    raise exception using errcode = '42501', message = 'Only the server itself looks for previews that were lost.';
  end if;
  for v_lost in
    with waiting as (
      select x.company_id, x.storage_bucket, x.storage_path, x.object_id, min(x.updated_at) as since
        from (select f.company_id, f.storage_bucket, f.storage_path, f.object_id, f.updated_at from public.file_storage f
               where f.processing_status = 'pending' and f.updated_at < now() - interval '10 minutes'
               union all
              select a.company_id, a.storage_bucket, a.storage_path, a.object_id, a.updated_at from public.attachments a
               where a.processing_status = 'pending' and a.updated_at < now() - interval '10 minutes') x
       group by x.company_id, x.storage_bucket, x.storage_path, x.object_id)
    select v as version, w.since, d.last_at as died_at
      from waiting w
      join storage.objects o on o.id = w.object_id and o.bucket_id = w.storage_bucket and o.name = w.storage_path
      join app.object_versions v on v.object_id = o.id and v.id = o.version and v.company_id = w.company_id
      join app.blobs b on b.company_id = v.company_id and b.key = v.blob_key and b.scan_result <> 'pending'
     cross join lateral (select max(d.finished_at) as last_at from app.dead_tasks d
                          where d.company_id = v.company_id and d.kind = 'make_previews' and d.unique_key = v.id) d
     where not exists (select from app.tasks t where t.company_id = v.company_id and t.kind = 'make_previews' and t.unique_key = v.id)
       -- What cannot be put in now does not stand in the way of others.
       and (not app.is_previewable(v.content_type)
            or d.last_at is not null and w.since < now() - interval '1 day'
            or coalesce(d.last_at < now() - interval '1 hour', true)
               and not exists (select from app.task_kinds k where k.name = 'make_previews' and k.is_draining)
               and not exists (select from app.task_limits l where l.company_id = v.company_id and l.kind in ('*', 'make_previews') and l.is_draining))
     order by w.since, v.id
     limit p_rows_max
  loop
    if not app.is_previewable((v_lost.version).content_type) then
      perform app.write_previews(v_lost.version, 'completed', null, null, null);
    elsif v_lost.died_at is not null and v_lost.since < now() - interval '1 day' then
      perform app.write_previews(v_lost.version, 'failed', null, null, 'Making a preview was given up (previews_given_up)');
    else
      perform app.put_previews((v_lost.version).company_id, (v_lost.version).id, (v_lost.version).content_type);
    end if;
    v_done := v_done + 1;
  end loop;
  return v_done;
end $$;
comment on function app.put_lost_previews(integer) is 'Puts tasks in for files that wait for a preview while there is none. For the server.';
alter function app.put_lost_previews(integer) owner to app_definer;
revoke all on function app.put_lost_previews(integer) from public;
grant execute on function app.put_lost_previews(integer) to service_role;
