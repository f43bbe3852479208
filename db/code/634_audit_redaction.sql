-- The audit without the words of a person who was erased: who did what and when stays, what it said of him goes.
-- lint: allow id-without-company because an erasure may be of an account, which is of no company, and its id is unique everywhere
-- Invariants: every row whose digest changes has a row in app.audit_redactions with the digests of before and after, and each batch of them
-- a row of the audit that has the digest of the batch, is sealed like any other, and never loses its words itself; what the erasure wrote
-- in this very transaction no seal has seen yet, so that it needs none.

-- Numbers, ids, dates and statuses of a row stay, its words go, and numbers that erasing takes from the row itself.
create or replace function app.without_words(p_row jsonb) returns jsonb
  language sql immutable
  set search_path = ''
as $$
  select case when p_row is null then null else coalesce((
    select jsonb_object_agg(e.key, case
             when jsonb_typeof(e.value) in ('null', 'boolean') then e.value
             when jsonb_typeof(e.value) = 'number' and e.key not in ('lat', 'lon') then e.value
             when jsonb_typeof(e.value) = 'string' and (e.value #>> '{}' ~ '^[0-9a-f]{8}-[0-9a-f-]{27}$' or e.key in ('status', 'currency', 'role')
                    or e.key ~ '_(number|at|date|start|end|time)$' and not exists (select from app.personal_places() p where e.key = any (p.named))
                       and e.value #>> '{}' ~ '^[A-Z0-9:.+ T-]{1,40}$') then e.value
             else '"[erased]"' end)
      from jsonb_each(p_row) e), '{}') end
$$;
revoke all on function app.without_words(jsonb) from public;
grant execute on function app.without_words(jsonb) to app_definer;

-- What this transaction wrote into the audit. Belongs to the owner of the tables: nobody else changes the audit.
create or replace function app.forget_own_trace(p_companies uuid[]) returns void
  language sql volatile security definer
  set search_path = ''
as $$
  update public.audit_logs a set old_values = app.without_words(a.old_values), new_values = app.without_words(a.new_values)
   where a.xid = pg_current_xact_id() and a.company_id = any (p_companies) and a.action <> 'erase'
$$;
revoke all on function app.forget_own_trace(uuid[]) from public;
grant execute on function app.forget_own_trace(uuid[]) to app_definer;

create or replace function app.audit_digest(p_row public.audit_logs) returns bytea
  language sql immutable
  set search_path = ''
  return sha256(convert_to(app.audit_words(p_row), 'UTF8'));
revoke all on function app.audit_digest(public.audit_logs) from public;

-- Looks through a part of the audit of the companies, and takes the person out of it; returns whether there is more.
create or replace function app.redact_audit(p_erasure app.erasures, p_rows integer) returns boolean
  language plpgsql volatile security definer
  set search_path = ''
  set plan_cache_mode = force_custom_plan
as $$
declare
  v_ids     uuid[];
  v_company uuid;
  v_batch   uuid;
  v_count   bigint;
begin
  select array_agg(x.id order by x.id) into v_ids
    from (select a.id from public.audit_logs a
           where a.company_id = any (p_erasure.companies) and a.id > coalesce(p_erasure.after_id, app.no_company()) order by a.id limit p_rows) x;
  if v_ids is null then
    return false;
  end if;
  -- One after the other in a company, in the same order everywhere: of two that read a row's digest at once one would tell of a row that never was.
  for v_company in select c.id from unnest(p_erasure.companies) c (id) order by c.id loop
    perform pg_advisory_xact_lock(hashtextextended('redact ' || v_company, 0));
    v_batch := app.uuid_v7();
    insert into app.audit_redactions (company_id, row_id, batch_id, former, after)
    select a.company_id, a.id, v_batch, app.audit_digest(a), app.audit_digest(a)
      from public.audit_logs a
     where a.company_id = v_company and a.id = any (v_ids) and a.action <> 'erase'
       and (a.entity_id = any (p_erasure.row_ids)
            or p_erasure.subject = 'account' and a.user_id = p_erasure.subject_id
            or app.tells_of(concat_ws(' ', a.old_values::text, a.new_values::text, a.metadata::text, a.request_path), p_erasure.row_ids, p_erasure.words));
    get diagnostics v_count = row_count;
    if v_count > 0 then
      -- What a member did to others stays as he did it: of him only where he was goes.
      update public.audit_logs a
         set old_values = case when w.is_about then app.without_words(a.old_values) else a.old_values end,
             new_values = case when w.is_about then app.without_words(a.new_values) else a.new_values end,
             metadata = case when app.has_words(a.metadata::text, p_erasure.words) then app.without_words(a.metadata) else a.metadata end,
             request_path = case when app.has_words(a.request_path, p_erasure.words) then '[erased]' else a.request_path end,
             ip_address = case when a.user_id is null or a.user_id = p_erasure.subject_id then null else a.ip_address end,
             user_agent = case when a.user_id is null or a.user_id = p_erasure.subject_id then null else a.user_agent end
        from app.audit_redactions r
        join public.audit_logs b on b.company_id = r.company_id and b.id = r.row_id
       cross join lateral (select b.entity_id = any (p_erasure.row_ids) or app.tells_of(concat_ws(' ', b.old_values::text, b.new_values::text, b.metadata::text),
                                    case when p_erasure.subject <> 'account' then p_erasure.row_ids else '{}' end, p_erasure.words) as is_about) w
       where r.company_id = v_company and r.batch_id = v_batch and a.company_id = r.company_id and a.id = r.row_id;
      update app.audit_redactions r set after = app.audit_digest(a)
        from public.audit_logs a where r.company_id = v_company and r.batch_id = v_batch and a.company_id = r.company_id and a.id = r.row_id;
      -- What was as bare before needs no word.
      delete from app.audit_redactions r where r.company_id = v_company and r.batch_id = v_batch and r.former = r.after;
      insert into public.audit_logs (company_id, user_id, actor_role, action, table_name, entity_type, entity_id, session_id, severity, gdpr_relevant, new_values)
      select v_company, p_erasure.asked_by, p_erasure.asked_how, 'erase', 'app.audit_redactions', 'erasure', v_batch, p_erasure.id, 'warning', true,
             jsonb_build_object('erasure_id', p_erasure.id, 'subject', p_erasure.subject, 'subject_id', p_erasure.subject_id, 'rows', count(*),
                                'digest', encode(sha256(string_agg(uuid_send(r.row_id) || r.former || r.after, '' order by r.row_id)), 'hex'))
        from app.audit_redactions r where r.company_id = v_company and r.batch_id = v_batch having count(*) > 0;
    end if;
  end loop;
  update app.erasures e set after_id = v_ids[cardinality(v_ids)] where e.id = p_erasure.id;
  return true;
end $$;
revoke all on function app.redact_audit(app.erasures, integer) from public;
grant execute on function app.redact_audit(app.erasures, integer) to app_definer;

revoke all on app.erasures, app.audit_redactions from public, anon, authenticated, guest, service_role;
grant select on app.erasures, app.audit_redactions to service_role;
revoke update, delete, truncate on app.audit_redactions from app_definer;
