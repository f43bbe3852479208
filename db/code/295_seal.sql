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

create or replace function app.seal_audit() returns integer
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  -- Every transaction below has ended: nothing can come to it any more.
  v_snapshot constant pg_snapshot := pg_current_snapshot();
  v_below    constant xid8 := pg_snapshot_xmin(v_snapshot);
  v_from     xid8;
  v_again    boolean;
  v_chunk    record;
  v_company  uuid;
  v_number   bigint;
  v_previous bytea;
  v_digest   bytea;
  v_at       constant timestamptz := clock_timestamp();
  v_count    integer := 0;
begin
  select s.below_xid into v_from from app.audit_seal s for no key update;
  -- In a database that was restored elsewhere transactions are counted from low numbers again.
  v_again := v_from > pg_snapshot_xmax(v_snapshot);
  if v_again then
    v_from := '0';
  end if;
  if v_from >= v_below then
    return 0;
  end if;
  for v_chunk in
    select f.company_id, array_agg(f.id order by f.id) as ids, string_agg(f.digest, '' order by f.id) as digests
      from (select a.company_id, a.id, sha256(convert_to(app.audit_words(a), 'UTF8')) as digest,
                   (row_number() over (partition by a.company_id order by a.id) - 1) / 5000 as part
              from public.audit_logs a
             where a.xid >= v_from and a.xid < v_below
               and not (v_again and exists (select from app.audit_batches b where b.company_id = a.company_id and a.id = any (b.row_ids)))) f
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
    v_digest := sha256(convert_to(concat_ws('|', v_company, v_number, v_from, v_below, encode(v_previous, 'hex'),
      (extract(epoch from v_at) * 1000000)::bigint, array_to_string(v_chunk.ids, ',')), 'UTF8') || v_chunk.digests);
    insert into app.audit_batches (company_id, number, first_xid, below_xid, row_count, row_ids, row_digests, previous_digest, digest, sealed_at)
    values (v_company, v_number, v_from, v_below, cardinality(v_chunk.ids), v_chunk.ids, v_chunk.digests, v_previous, v_digest, v_at);
    v_previous := v_digest;
    v_count := v_count + 1;
  end loop;
  update app.audit_seal set below_xid = v_below, sealed_at = v_at;
  return v_count;
end $$;
comment on function app.seal_audit() is
  'Seals the audit rows of all transactions that have ended, a chained batch for each company; returns how many batches.';
alter function app.seal_audit() owner to app_definer;
revoke all on function app.seal_audit() from public;
grant execute on function app.seal_audit() to service_role;

insert into app.audit_seal default values on conflict do nothing;
revoke all on app.audit_batches, app.audit_seal from public, anon, authenticated, service_role;
grant select on app.audit_batches, app.audit_seal to service_role;
-- A seal stays as it was made.
revoke update, delete, truncate on app.audit_batches from app_definer;
