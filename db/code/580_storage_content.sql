-- What objects have as their bytes. The server writes a blob, says for which version it is meant, and then writes the row of the object as
-- whoever uploads; the row takes its content by naming the version, which nobody else can guess.
-- Invariants: an object's content changes in the transaction that changes its row, whoever changes it; content never leaves its company;
-- a blob without a version is taken away, and no version is without its blob.

-- What follows from a change of one row in others is done with more rights than whoever makes it has.
grant usage on schema storage to app_definer;
revoke all on app.blobs, app.meant_contents, app.object_versions, app.company_buckets, app.company_bytes
  from public, anon, authenticated, guest, service_role;
grant select, insert, update, delete on app.blobs, app.meant_contents to service_role;
grant select on app.object_versions, app.company_bytes to service_role;
grant select on app.company_buckets to anon, authenticated, guest, service_role;
drop policy if exists declared_read on app.company_buckets;
create policy declared_read on app.company_buckets as permissive for select to anon, authenticated, guest using (true);

-- The company whose file it is: the first folder, in buckets of companies; none in every other bucket.
create or replace function app.company_of_object(p_bucket_id text, p_name text) returns uuid
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_folder constant text := (string_to_array(p_name, '/'))[1];
begin
  if not exists (select from app.company_buckets b where b.id = p_bucket_id) then
    return app.no_company();
  end if;
  if strpos(p_name, '/') = 0 or v_folder !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    raise exception using errcode = 'TH400', constraint = 'company_folder_required',
      message = format('The first folder of a name in the bucket %s is the id of the company.', p_bucket_id);
  end if;
  return v_folder::uuid;
end $$;
revoke all on function app.company_of_object(text, text) from public;
grant execute on function app.company_of_object(text, text) to service_role, app_definer;

create or replace function app.keep_content() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_company uuid;
  v_content app.meant_contents;
  v_blob    app.blobs;
  v_key     text;
begin
  if tg_op = 'UPDATE' and (new.id, new.bucket_id, new.name, new.version) is not distinct from (old.id, old.bucket_id, old.name, old.version) then
    return null;
  end if;
  v_company := app.company_of_object(new.bucket_id, new.name);
  if v_company <> app.no_company() and not exists (select from public.companies c where c.id = v_company) then
    raise exception using errcode = 'TH400', constraint = 'company_folder_required',
      message = format('The first folder of a name in the bucket %s is the id of the company.', new.bucket_id);
  end if;
  if tg_op = 'UPDATE' then
    if new.id <> old.id or v_company is distinct from app.company_of_object(old.bucket_id, old.name) then
      raise exception using errcode = 'TH400', constraint = 'object_stays',
        message = 'An object stays in its company and keeps its id.', hint = 'Copy it, and remove it here.';
    end if;
    update app.object_versions v
       set bucket_id = new.bucket_id, name = new.name,
           ended_at = case when v.id is distinct from new.version then now() end, ended_how = case when v.id is distinct from new.version then 'replaced' end,
           ended_by = case when v.id is distinct from new.version then auth.uid() end
     where v.object_id = new.id and v.ended_at is null;
    if new.version is not distinct from old.version then
      return null;
    end if;
  end if;
  delete from app.meant_contents m where m.version = new.version returning * into v_content;
  if not found then
    return null;
  end if;
  select * into v_blob from app.blobs b where b.key = v_content.blob_key for update;
  if v_blob.company_id is distinct from v_company or v_blob.state = 'doomed' or v_blob.bytes is null then
    raise exception using errcode = 'TH409', constraint = 'upload_lost', message = 'The content of this upload is not there any more.';
  end if;
  v_key := v_blob.key;
  if v_blob.state = 'intended' then
    if v_company <> app.no_company() then
      select b.key into v_key from app.blobs b
       where b.company_id = v_company and b.sha256 = v_blob.sha256 and b.bytes = v_blob.bytes and b.state = 'stored'
       order by b.key limit 1 for update;
      -- What was found in these bytes now holds for the same bytes that were kept before, when nobody looked or could.
      update app.blobs b set scan_result = v_blob.scan_result, scanned_at = v_blob.scanned_at
       where b.key = v_key and (b.scan_result, v_blob.scan_result) in (('skipped', 'pending'), ('skipped', 'clean'), ('pending', 'clean'));
      v_key := coalesce(v_key, v_blob.key);
    end if;
    update app.blobs b set state = case when v_key = b.key then 'stored' else 'doomed' end where b.key = v_blob.key;
  end if;
  insert into app.object_versions (id, object_id, company_id, bucket_id, name, blob_key, bytes, etag, content_type, cache_control, owner, owner_id,
                                   user_metadata)
  values (new.version, new.id, v_company, new.bucket_id, new.name, v_key, v_blob.bytes, v_content.etag, v_content.content_type,
          v_content.cache_control, new.owner, new.owner_id, new.user_metadata);
  return null;
end $$;
alter function app.keep_content() owner to app_definer;
revoke all on function app.keep_content() from public;
create or replace trigger keep_content after insert or update on storage.objects for each row execute function app.keep_content();

-- A row that goes leaves its content behind for as long as it can be brought back.
create or replace function app.end_content() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  update app.object_versions v set ended_at = now(), ended_how = 'removed', ended_by = auth.uid()
   where v.object_id = old.id and v.ended_at is null;
  return null;
end $$;
alter function app.end_content() owner to app_definer;
revoke all on function app.end_content() from public;
create or replace trigger end_content after delete on storage.objects for each row execute function app.end_content();

-- What a company keeps is counted where it is kept.
create or replace function app.count_version() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if tg_op = 'INSERT' and new.company_id <> app.no_company() then
    -- What an application says of a file takes room as the file does.
    insert into app.company_bytes as u (company_id, objects, bytes)
      values (new.company_id, 1, new.bytes + coalesce(octet_length(new.user_metadata::text), 0))
        on conflict (company_id) do update set objects = u.objects + 1, bytes = u.bytes + excluded.bytes;
    if current_setting('role') <> 'app_owner' and app.file_room(new.company_id) < 0 then
      raise exception using errcode = 'TH402', constraint = 'quota_exceeded',
        message = 'The subscription includes less room for files.',
        hint = 'A higher tier includes more: subscription_tiers() lists them. What is in the trash counts until it is taken away.';
    end if;
  elsif tg_op = 'DELETE' and old.company_id <> app.no_company() then
    update app.company_bytes u set objects = greatest(u.objects - 1, 0), bytes = greatest(u.bytes - old.bytes - coalesce(octet_length(old.user_metadata::text), 0), 0)
     where u.company_id = old.company_id;
  end if;
  return null;
end $$;
alter function app.count_version() owner to app_definer;
revoke all on function app.count_version() from public;
create or replace trigger count_version after insert or delete on app.object_versions for each row execute function app.count_version();

-- A project that brings a bucket of the name of one of ours gets the name, as long as nothing is in ours.
create or replace function app.yield_bucket() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  delete from storage.buckets b using app.company_buckets c
   where b.id = new.id and c.id = b.id and not exists (select from storage.objects o where o.bucket_id = b.id);
  return new;
end $$;
alter function app.yield_bucket() owner to app_definer;
revoke all on function app.yield_bucket() from public;
create or replace trigger yield_bucket before insert on storage.buckets
  for each row when (current_user = 'project_owner') execute function app.yield_bucket();

-- Dooms what is to go, a bounded number, in one look: uploads that never came to their end, versions whose time is over, and blobs that
-- nothing names. Whoever is about to name a blob holds its row; it is passed over then.
create or replace function app.reap_blobs(
  p_unfinished_hours integer, p_trash_days integer, p_version_days integer, p_versions_max integer, p_rows_max integer
) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_done bigint := 0;
  v_rows bigint;
  v_keys text[];
begin
  if auth.role() is distinct from 'service_role' or app.company_id() is not null then
    raise exception using errcode = '42501', message = 'Only the server itself takes files away.';
  end if;
  -- A file whose time is over by a row, unless another row has it that lives.
  delete from storage.objects o using public.file_storage f, app.company_buckets c
   where f.expires_at < now() and o.id = f.object_id and o.bucket_id = f.storage_bucket and o.name = f.storage_path and c.id = o.bucket_id
     and starts_with(o.name, f.company_id || '/')
     and not exists (select from public.attachments a
                      where a.company_id = f.company_id and a.storage_bucket = o.bucket_id and a.storage_path = o.name and a.object_id = o.id
                        and a.deleted_at is null)
     and not exists (select from public.file_storage g
                      where g.company_id = f.company_id and g.storage_bucket = o.bucket_id and g.storage_path = o.name and g.object_id = o.id
                        and g.deleted_at is null and coalesce(g.expires_at > now(), true));
  delete from app.meant_contents m
   where m.version in (select x.version from app.meant_contents x
                        where x.created_at < now() - make_interval(hours => p_unfinished_hours) order by x.created_at limit p_rows_max for update skip locked);
  get diagnostics v_rows = row_count;
  v_done := v_done + v_rows;
  -- Versions: those whose time is over, those that are too many, and those whose company is gone.
  delete from app.object_versions v
   where (v.company_id, v.id) in (
     select x.company_id, x.id from app.object_versions x
      where x.ended_at is not null
        -- What the law has stay stays with its rows; erasures and the end of a company have decided that already.
        and (x.ended_at = '-infinity' or not app.is_file_held(x.company_id, x.bucket_id, x.name, x.object_id))
        and (x.ended_how = 'removed' and x.ended_at < now() - make_interval(days => p_trash_days)
             or x.ended_how = 'replaced'
                and (x.ended_at < now() - make_interval(days => p_version_days)
                     or p_versions_max <= (select count(*) from app.object_versions later
                                            where later.company_id = x.company_id and later.object_id = x.object_id and later.ended_how = 'replaced'
                                              and (later.ended_at, later.id) > (x.ended_at, x.id))))
      order by x.ended_at limit p_rows_max for update skip locked);
  get diagnostics v_rows = row_count;
  v_done := v_done + v_rows;
  -- Locked first: from then on nobody begins to name them, and the next statement sees who did before.
  select array_agg(l.key) into v_keys
    from (select b.key from app.blobs b
           where (b.state = 'stored' and not exists (select from app.object_versions v where v.company_id = b.company_id and v.blob_key = b.key)
                  or b.state = 'intended' and b.keep_until < now())
             and not exists (select from app.meant_contents m where m.blob_key = b.key)
           order by b.created_at limit p_rows_max for update skip locked) l;
  update app.blobs b set state = 'doomed'
   where b.key = any (v_keys)
     and not exists (select from app.object_versions v where v.company_id = b.company_id and v.blob_key = b.key)
     and not exists (select from app.meant_contents m where m.blob_key = b.key);
  get diagnostics v_rows = row_count;
  return v_done + v_rows;
end $$;
comment on function app.reap_blobs(integer, integer, integer, integer, integer) is
  'Dooms files that nothing names any more, and says how many rows it changed; the server takes away what is doomed.';
alter function app.reap_blobs(integer, integer, integer, integer, integer) owner to app_definer;
revoke all on function app.reap_blobs(integer, integer, integer, integer, integer) from public;
grant execute on function app.reap_blobs(integer, integer, integer, integer, integer) to service_role;
