-- What was found in files that were taken while the scanner was away.
-- Invariant: of an infected file nothing can be read or brought back from the transaction on that says so.

create or replace function app.judge_blob(p_key text, p_result text, p_virus text) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_company uuid;
  v_buckets text[];
  v_names   text[];
  v_objects uuid[];
begin
  if auth.role() is distinct from 'service_role' or app.company_id() is not null then
    raise exception using errcode = '42501', message = 'Only the server itself says what was found in a file.';
  end if;
  select b.company_id into v_company from app.blobs b where b.key = p_key and b.scan_result = 'pending' for update;
  if not found then
    return;
  end if;
  select array_agg(v.bucket_id order by v.id), array_agg(v.name order by v.id), array_agg(v.object_id order by v.id)
    into v_buckets, v_names, v_objects
    from app.object_versions v where v.company_id = v_company and v.blob_key = p_key and v.ended_at is null;
  if p_result = 'infected' then
    delete from app.meant_contents m where m.blob_key = p_key;
    delete from storage.objects o using app.object_versions v
     where v.company_id = v_company and v.blob_key = p_key and v.ended_at is null and o.id = v.object_id and o.version = v.id;
    delete from app.object_versions v where v.company_id = v_company and v.blob_key = p_key;
    update app.blobs b set state = 'doomed', scan_result = 'skipped', scanned_at = now() where b.key = p_key;
  else
    update app.blobs b set scan_result = p_result, scanned_at = now() where b.key = p_key;
  end if;
  -- Rows that name the file say what was found in it: last, since a row says what is true of a file that is there.
  update public.file_storage f
     set virus_scan_status = p_result, virus_scan_date = now()
    from unnest(v_buckets, v_names, v_objects) as n (bucket_id, name, object_id)
   where f.company_id = v_company and f.storage_bucket = n.bucket_id and f.storage_path = n.name and f.object_id = n.object_id;
  update public.attachments a
     set virus_scan_status = p_result, virus_scan_result = p_virus, virus_scanned_at = now()
    from unnest(v_buckets, v_names, v_objects) as n (bucket_id, name, object_id)
   where a.company_id = v_company and a.storage_bucket = n.bucket_id and a.storage_path = n.name and a.object_id = n.object_id;
end $$;
comment on function app.judge_blob(text, text, text) is
  'Notes what was found in a file that was taken unseen; of an infected one objects and versions go. For the server.';
alter function app.judge_blob(text, text, text) owner to app_definer;
revoke all on function app.judge_blob(text, text, text) from public;
grant execute on function app.judge_blob(text, text, text) to service_role;

-- What was found in the file that a caller has found; nothing where it is not of his company.
create or replace function app.object_scan(p_object_id uuid, p_version text, out result text, out scanned_at timestamptz)
  language sql stable security definer
  set search_path = ''
as $$
  select b.scan_result, b.scanned_at
    from app.object_versions v
    join app.blobs b on b.company_id = v.company_id and b.key = v.blob_key
   where v.id = p_version and v.object_id = p_object_id
     and (v.company_id = app.company_id() or current_setting('role') in ('service_role', 'app_definer'))
$$;
alter function app.object_scan(uuid, text) owner to app_definer;
revoke all on function app.object_scan(uuid, text) from public;
grant execute on function app.object_scan(uuid, text) to authenticated, service_role;
