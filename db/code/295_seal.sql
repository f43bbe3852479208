-- Seals over the audit: who changes, adds or takes away a row afterwards, or the last of them, is found out.
-- Invariants: no writer waits for a seal and no seal for a writer; a row is sealed once, after its transaction has ended; each batch of
-- a company holds the digest of the one before, and the server keeps the newest digests outside of the database.

-- The words of a row that its digest is made of. A column that is added to the table later does not change those of old rows.
create or replace function app.audit_words(p_row public.audit_logs) returns text
  language sql immutable
  set search_path = ''
  return jsonb_build_array(
    p_row.company_id, p_row.id, p_row.user_id, p_row.actor_role, p_row.action, p_row.table_name, p_row.entity_type, p_row.entity_id,
    host(p_row.ip_address), p_row.user_agent, p_row.request_method, p_row.request_path, p_row.request_id, p_row.old_values, p_row.new_values,
    p_row.changed_fields, p_row.session_id, p_row.correlation_id, p_row.severity, p_row.gdpr_relevant, p_row.pii_accessed, p_row.metadata,
    p_row.xid::text, (extract(epoch from p_row.created_at) * 1000000)::bigint)::text;
revoke all on function app.audit_words(public.audit_logs) from public;
grant execute on function app.audit_words(public.audit_logs) to app_definer;

-- Which cluster and which database of it count the transactions. Null where that may not be asked.
create or replace function app.xid_place() returns text
  language plpgsql stable
  set search_path = ''
as $$
begin
  if not has_function_privilege('pg_catalog.pg_control_system()', 'execute') then
    return null;
  end if;
  return (select c.system_identifier from pg_control_system() c) || '/' || (select d.oid from pg_database d where d.datname = current_database());
end $$;
revoke all on function app.xid_place() from public;
grant execute on function app.xid_place() to app_definer;

-- Up to below which transaction there are about so many rows, and whole transactions.
create or replace function app.seal_end(p_from xid8, p_below xid8, p_rows integer) returns xid8
  language plpgsql stable
  set search_path = ''
  set plan_cache_mode = force_custom_plan
as $$
declare
  v_last xid8;
begin
  select a.xid into v_last from public.audit_logs a
   where a.xid >= p_from and (p_below is null or a.xid < p_below) order by a.xid offset p_rows limit 1;
  if v_last is null then
    return p_below;
  end if;
  -- A transaction with more rows than that is not divided.
  if not exists (select from public.audit_logs a where a.xid >= p_from and a.xid < v_last) then
    return coalesce((select a.xid from public.audit_logs a where a.xid > v_last and (p_below is null or a.xid < p_below) order by a.xid limit 1), p_below);
  end if;
  return v_last;
end $$;
revoke all on function app.seal_end(xid8, xid8, integer) from public;
grant execute on function app.seal_end(xid8, xid8, integer) to app_definer;

-- Seals the rows of these transactions that no batch has yet; returns how many batches it made.
create or replace function app.seal_between(p_from xid8, p_below xid8) returns integer
  language plpgsql volatile
  set search_path = ''
  set plan_cache_mode = force_custom_plan
as $$
declare
  v_chunk    record;
  v_company  uuid;
  v_number   bigint;
  v_previous bytea;
  v_digest   bytea;
  v_at       constant timestamptz := clock_timestamp();
  v_count    integer := 0;
begin
  for v_chunk in
    select f.company_id, array_agg(f.id order by f.id) as ids, string_agg(f.digest, '' order by f.id) as digests,
           min(f.xid) as first_xid, (max(f.xid)::text::bigint + 1)::text::xid8 as below_xid
      from (select a.company_id, a.id, a.xid, sha256(convert_to(app.audit_words(a), 'UTF8')) as digest,
                   (row_number() over (partition by a.company_id order by a.id) - 1) / 5000 as part
              from public.audit_logs a
             where a.xid >= p_from and (p_below is null or a.xid < p_below)
               and not exists (
                 select from (select b.company_id, unnest(b.row_ids) as id from app.audit_batches b
                               where int8range(b.first_xid::text::bigint, b.below_xid::text::bigint)
                                  && int8range(p_from::text::bigint, p_below::text::bigint)) s
                  where s.company_id = a.company_id and s.id = a.id)) f
     group by f.company_id, f.part order by f.company_id, f.part
  loop
    if v_company is distinct from v_chunk.company_id then
      v_company := v_chunk.company_id;
      select b.number, b.digest into v_number, v_previous
        from app.audit_batches b where b.company_id = v_company order by b.number desc limit 1;
      v_number := coalesce(v_number, 0);
      v_previous := coalesce(v_previous, '');
    end if;
    v_number := v_number + 1;
    v_digest := sha256(convert_to(concat_ws('|', v_company, v_number, v_chunk.first_xid, v_chunk.below_xid, encode(v_previous, 'hex'),
      (extract(epoch from v_at) * 1000000)::bigint, array_to_string(v_chunk.ids, ',')), 'UTF8') || v_chunk.digests);
    insert into app.audit_batches (company_id, number, first_xid, below_xid, row_count, row_ids, row_digests, previous_digest, digest, sealed_at)
    values (v_company, v_number, v_chunk.first_xid, v_chunk.below_xid, cardinality(v_chunk.ids), v_chunk.ids, v_chunk.digests, v_previous, v_digest, v_at);
    v_previous := v_digest;
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;
revoke all on function app.seal_between(xid8, xid8) from public;
grant execute on function app.seal_between(xid8, xid8) to app_definer;

drop function if exists app.seal_audit();
create or replace function app.seal_audit(p_rows integer default 100000) returns integer
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_snapshot constant pg_snapshot := pg_current_snapshot();
  -- Every transaction below has ended: nothing can come to it any more.
  v_below    constant xid8 := pg_snapshot_xmin(v_snapshot);
  v_place    constant text := app.xid_place();
  v_seal     app.audit_seal;
  v_end      xid8;
  v_count    integer := 0;
begin
  select s.* into strict v_seal from app.audit_seal s for no key update;
  -- In a database that was restored elsewhere transactions are counted from other numbers. What was sealed below the old mark stays
  -- sealed; what is above it was not, and its numbers may be given again here; and new rows may have any number.
  if v_seal.place <> v_place or v_seal.below_xid > pg_snapshot_xmax(v_snapshot) then
    v_seal.again_xid := least(v_seal.again_xid, v_seal.below_xid);
    v_seal.below_xid := '0';
  elsif v_seal.below_xid >= v_below and v_seal.again_xid is null then
    return 0;
  end if;
  if v_seal.below_xid < v_below then
    v_end := app.seal_end(v_seal.below_xid, v_below, p_rows);
    v_count := app.seal_between(v_seal.below_xid, v_end);
    v_seal.below_xid := v_end;
  end if;
  if v_seal.again_xid is not null then
    v_end := app.seal_end(v_seal.again_xid, null, p_rows);
    v_count := v_count + app.seal_between(v_seal.again_xid, v_end);
    v_seal.again_xid := v_end;
  end if;
  update app.audit_seal
     set below_xid = v_seal.below_xid, again_xid = v_seal.again_xid, place = coalesce(v_place, v_seal.place), sealed_at = clock_timestamp();
  return v_count;
end $$;
comment on function app.seal_audit(integer) is
  'Seals about so many audit rows of transactions that have ended, in chained batches for each company; returns how many batches.';
alter function app.seal_audit(integer) owner to app_definer;
revoke all on function app.seal_audit(integer) from public;
grant execute on function app.seal_audit(integer) to service_role;

insert into app.audit_seal default values on conflict do nothing;
revoke all on app.audit_batches, app.audit_seal from public, anon, authenticated, service_role;
grant select on app.audit_batches, app.audit_seal to service_role;
-- A seal stays as it was made.
revoke update, delete, truncate on app.audit_batches from app_definer;
