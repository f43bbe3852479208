-- Images that were made of objects. Their blobs wait for nobody: they stay 'intended' until their time is over, and the server takes them away
-- then as it takes away what was begun and never ended.
-- lint: allow id-without-company because the server asks by a version, which is random, unique and told to nobody
-- Invariant: no image outlives the version that it was made of.

revoke all on app.derived_images from public, anon, authenticated, guest, service_role;
grant select on app.derived_images to service_role;

-- Keeps an image, in the place of the oldest where there are too many, and of one of the same name.
create or replace function app.keep_derived_image(
  p_version text, p_name text, p_blob_key text, p_content_type text, p_bytes bigint, p_rows_max integer
) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  if auth.role() is distinct from 'service_role' or app.company_id() is not null then
    raise exception using errcode = '42501', message = 'Only the server itself keeps images.';
  end if;
  -- One that ends meanwhile has none.
  perform from app.object_versions v where v.id = p_version and v.ended_at is null for no key update;
  if not found then
    update app.blobs b set state = 'doomed' where b.key = p_blob_key and b.state = 'intended';
    return;
  end if;
  with gone as (
    delete from app.derived_images d
     where d.version = p_version
       and (d.name = p_name or d.name in (select x.name from app.derived_images x where x.version = p_version and x.name <> p_name
                                           order by x.created_at desc, x.name offset p_rows_max - 1))
    returning d.blob_key)
  update app.blobs b set state = 'doomed' from gone g where b.key = g.blob_key and b.state = 'intended';
  insert into app.derived_images (version, name, blob_key, content_type, bytes) values (p_version, p_name, p_blob_key, p_content_type, p_bytes);
end $$;
alter function app.keep_derived_image(text, text, text, text, bigint, integer) owner to app_definer;
revoke all on function app.keep_derived_image(text, text, text, text, bigint, integer) from public;
grant execute on function app.keep_derived_image(text, text, text, text, bigint, integer) to service_role;

create or replace function app.forget_derived() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and new.ended_at is null then
    return new;
  end if;
  with gone as (delete from app.derived_images d where d.version = old.id returning d.blob_key)
  update app.blobs b set state = 'doomed' from gone g where b.key = g.blob_key and b.state = 'intended';
  return coalesce(new, old);
end $$;
alter function app.forget_derived() owner to app_definer;
revoke all on function app.forget_derived() from public;
create or replace trigger forget_derived before delete or update of ended_at on app.object_versions
  for each row execute function app.forget_derived();
