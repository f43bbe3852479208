-- The audit: who changed what, written beside each change in its own transaction.
-- Invariants: no row of an audited table is added, changed or deleted without a row here; secrets never stand in one, personal values
-- masked only; and nobody but the owner of the tables changes or deletes one.

-- Written by triggers of their own, or too often to be of use.
create or replace function app.unaudited_tables() returns text[]
  language sql immutable
  set search_path = ''
  return array['public.audit_logs', 'public.activities', 'public.email_logs', 'public.webhook_logs', 'public.role_change_log',
               'public.ownership_transfers', 'public.price_history', 'public.stock_moves', 'public.jobs_archive', 'public.bookings',
               'public.jobs_archive_restricted', 'public.technician_positions', 'public.background_jobs'];
revoke all on function app.unaudited_tables() from public;

-- One row of a table by its name: customers are customer, properties property.
create or replace function app.entity_of(p_table text) returns text
  language sql immutable
  set search_path = ''
  return case
    when p_table ~ 'ies$' then regexp_replace(p_table, 'ies$', 'y')
    when p_table ~ '(ss|x|ch|sh)es$' then regexp_replace(p_table, 'es$', '')
    when p_table ~ '[^s]s$' and p_table !~ 'settings$' then regexp_replace(p_table, 's$', '')
    else p_table end;
revoke all on function app.entity_of(text) from public;
grant execute on function app.entity_of(text) to app_definer, authenticated, service_role;

-- After each change of a row. Arguments: the table, what a row of it is called, the column of its company, how grave a change of it is,
-- and then its labelled columns, each followed by its kind.
create or replace function app.audit() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_high    constant boolean := tg_argv[3] = 'high';
  v_headers constant jsonb := nullif(current_setting('request.headers', true), '')::jsonb;
  v_action  text := 'create';
  v_row     jsonb;
  v_old     jsonb;
  v_new     jsonb;
  v_changed text[];
  v_pii     boolean := false;
  v_value   jsonb;
  v_masked  text[] := '{}';
  v_session text;
begin
  if tg_op = 'INSERT' then
    v_row := to_jsonb(new);
    v_new := jsonb_strip_nulls(v_row) - 'search_vector';
  elsif tg_op = 'DELETE' then
    v_row := to_jsonb(old);
    v_old := v_row - 'search_vector';
    v_action := 'delete';
  else
    v_row := to_jsonb(new);
    v_old := to_jsonb(old);
    select array_agg(n.key order by n.key), jsonb_object_agg(n.key, v_old -> n.key), jsonb_object_agg(n.key, n.value)
      into v_changed, v_old, v_new
      from jsonb_each(v_row) n
     where n.value is distinct from v_old -> n.key and n.key not in ('updated_at', 'version', 'search_vector');
    if v_changed is null then
      return null;
    end if;
    v_action := case when not 'deleted_at' = any (v_changed) then 'update' when v_row ->> 'deleted_at' is null then 'restore' else 'delete' end;
  end if;

  for i in 4 .. tg_nargs - 2 by 2 loop
    v_value := v_new -> tg_argv[i];
    if v_value is not null and v_value <> 'null' then
      v_masked := v_masked || array[tg_argv[i], case when jsonb_typeof(v_value) = 'string' then app.mask(tg_argv[i + 1], v_value #>> '{}') else '***' end];
      v_pii := v_pii or tg_argv[i + 1] <> 'secret';
    end if;
  end loop;
  v_new := v_new || jsonb_object(v_masked);
  if v_old is not null then
    v_masked := '{}';
    for i in 4 .. tg_nargs - 2 by 2 loop
      v_value := v_old -> tg_argv[i];
      if v_value is not null and v_value <> 'null' then
        v_masked := v_masked || array[tg_argv[i], case when jsonb_typeof(v_value) = 'string' then app.mask(tg_argv[i + 1], v_value #>> '{}') else '***' end];
        v_pii := v_pii or tg_argv[i + 1] <> 'secret';
      end if;
    end loop;
    v_old := v_old || jsonb_object(v_masked);
  end if;

  v_session := auth.jwt() ->> 'session_id';
  insert into public.audit_logs (company_id, user_id, actor_role, action, table_name, entity_type, entity_id, ip_address, user_agent,
                                 request_method, request_path, request_id, old_values, new_values, changed_fields, session_id, severity,
                                 gdpr_relevant, pii_accessed, metadata)
  values ((v_row ->> tg_argv[2])::uuid, auth.uid(), coalesce(app.member_role(), nullif(current_setting('role', true), 'none'), session_user),
          v_action, tg_argv[0], tg_argv[1], case when v_row ->> 'id' ~ '^[0-9a-f-]{36}$' then (v_row ->> 'id')::uuid end,
          case when v_headers ->> 'x-real-ip' ~ '^[0-9a-f.:]{2,45}$' then (v_headers ->> 'x-real-ip')::inet end,
          left(v_headers ->> 'user-agent', 1000), left(nullif(current_setting('request.method', true), ''), 20),
          left(nullif(current_setting('request.path', true), ''), 2048), left(v_headers ->> 'x-request-id', 128),
          v_old, v_new, v_changed, case when v_session ~ '^[0-9a-f-]{36}$' then v_session::uuid end,
          case when v_high and v_action = 'delete' then 'critical' when v_high or v_action = 'delete' then 'warning' else 'info' end,
          tg_nargs > 4, v_pii,
          -- A row without an id is named by what it joins.
          case when v_row ? 'id' or tg_op <> 'UPDATE' then '{}' else
            jsonb_build_object('key', (select jsonb_object_agg(e.key, e.value) from jsonb_each(v_row) e where e.key ~ '_id$')) end);
  return null;
end $$;
comment on function app.audit() is 'After insert, update or delete: writes who changed what into audit_logs. Null values of a new row are left out.';
alter function app.audit() owner to app_definer;
revoke all on function app.audit() from public;

-- Mass work of the owner himself, such as seeds and backfills, may go without: set local app.unaudited = 'on'. Whoever comes through the
-- server cannot become the owner, so that for him this setting says nothing.
create or replace function app.audit_table(p_table regclass, p_tenant_column text) returns void
  language plpgsql
  set search_path = ''
as $$
declare
  v_name constant text := (select c.relname from pg_catalog.pg_class c where c.oid = p_table);
  v_high constant boolean := p_table::text in ('public.companies', 'public.team_members', 'public.custom_roles', 'public.company_settings',
                                               'public.api_keys', 'public.webhooks', 'public.supplier_integrations', 'public.labor_rates');
begin
  if p_table::text = any (app.unaudited_tables()) or p_tenant_column is null then
    execute format('drop trigger if exists zz_audit on %s', p_table);
    return;
  end if;
  -- The last of its kind, so that it sees what the others left.
  execute format('create or replace trigger zz_audit after insert or update or delete on %s for each row
                    when (current_setting(''role'') <> ''app_owner'' or coalesce(current_setting(''app.unaudited'', true), '''') <> ''on'')
                    execute function app.audit(%L, %L, %L, %L', p_table, v_name, app.entity_of(v_name), p_tenant_column,
                 case when v_high then 'high' else 'usual' end)
    || coalesce((select string_agg(format(', %L', l.word), '' order by l.place) from unnest(app.labels_of(p_table)) with ordinality l (word, place)), '')
    || ')';
end $$;
comment on function app.audit_table(regclass, text) is 'Has every change of a table''s rows written into audit_logs. app.protect calls it.';
revoke all on function app.audit_table(regclass, text) from public;

select app.audit_table(t.table_name::regclass, t.tenant_column) from app.protected_tables t;

-- Not even a definer function takes back what is written.
do $$
declare
  v_table regclass;
begin
  for v_table in select 'public.audit_logs'::regclass union all
                 select i.inhrelid::regclass from pg_catalog.pg_inherits i where i.inhparent = 'public.audit_logs'::regclass loop
    execute format('revoke update, delete, truncate on %s from app_definer', v_table);
  end loop;
end $$;
