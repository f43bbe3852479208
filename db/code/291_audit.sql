-- The audit: who changed what, written beside each change in its own transaction.
-- Invariants: no row of an audited table is added, changed or deleted without a row here; secrets never stand in one, personal values
-- masked only; and nobody but the owner of the tables changes or deletes one.

-- Written by triggers of their own, or too often to be of use.
create or replace function app.unaudited_tables() returns text[]
  language sql immutable
  set search_path = ''
  return array['public.audit_logs', 'public.activities', 'public.email_logs', 'public.webhook_logs', 'public.role_change_log',
               'public.ownership_transfers', 'public.price_history', 'public.stock_moves', 'public.jobs_archive', 'public.bookings',
               'public.jobs_archive_restricted', 'public.technician_positions', 'app.tasks', 'app.done_tasks', 'app.dead_tasks',
               'public.notification_queue', 'app.notification_decisions', 'app.cron_states', 'app.cron_runs', 'public.business_metrics'];
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

-- Labelled columns of a row as they are shown here. p_labels: columns, each followed by its kind.
create or replace function app.mask_row(p_row jsonb, p_labels text[], out masked jsonb, out has_pii boolean)
  language plpgsql immutable
  set search_path = ''
as $$
declare
  v_value jsonb;
  v_found text[] := '{}';
begin
  has_pii := false;
  if p_row is null then
    return;
  end if;
  for i in 1 .. coalesce(array_length(p_labels, 1), 0) - 1 by 2 loop
    v_value := p_row -> p_labels[i];
    if v_value is not null and v_value <> 'null' then
      v_found := v_found || array[p_labels[i], case when jsonb_typeof(v_value) = 'string'
                                                    then app.mask(p_labels[i + 1], v_value #>> '{}') else '***' end];
      has_pii := has_pii or p_labels[i + 1] <> 'secret';
    end if;
  end loop;
  masked := p_row || jsonb_object(v_found);
end $$;
revoke all on function app.mask_row(jsonb, text[]) from public;
grant execute on function app.mask_row(jsonb, text[]) to app_definer;

-- Who of support acts in place of the user, for whatever is written down of it.
create or replace function app.acting_support() returns jsonb
  language sql stable parallel safe
  return case when auth.jwt() ? 'impersonated_by' then jsonb_build_object('impersonated_by', auth.jwt() -> 'impersonated_by') else '{}' end;
revoke all on function app.acting_support() from public;
grant execute on function app.acting_support() to app_definer;

-- Writes one change. p_arguments are those of app.audit below; p_key names a row that has no id by what it joins.
create or replace function app.write_audit(p_arguments text[], p_action text, p_company_id uuid, p_id text, p_old jsonb, p_new jsonb,
                                           p_changed text[], p_key jsonb) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_high    constant boolean := p_arguments[3] = 'high';
  v_labels  constant text[] := p_arguments[4:];
  v_headers constant jsonb := nullif(current_setting('request.headers', true), '')::jsonb;
  -- Or the pass that was shown.
  v_session constant text := coalesce(auth.jwt() ->> 'session_id', auth.jwt() ->> 'pass_id');
  v_old     record;
  v_new     record;
begin
  v_old := app.mask_row(p_old, v_labels);
  v_new := app.mask_row(p_new, v_labels);
  insert into public.audit_logs (company_id, user_id, actor_role, action, table_name, entity_type, entity_id, ip_address, user_agent,
                                 request_method, request_path, request_id, old_values, new_values, changed_fields, session_id, severity,
                                 gdpr_relevant, pii_accessed, metadata)
  values (p_company_id, auth.uid(), coalesce(app.member_role(), nullif(current_setting('role', true), 'none'), session_user),
          p_action, p_arguments[0], p_arguments[1], case when p_id ~ '^[0-9a-f-]{36}$' then p_id::uuid end,
          case when v_headers ->> 'x-real-ip' ~ '^[0-9a-f.:]{2,45}$' then (v_headers ->> 'x-real-ip')::inet end,
          left(v_headers ->> 'user-agent', 1000), left(nullif(current_setting('request.method', true), ''), 20),
          left(nullif(current_setting('request.path', true), ''), 2048), left(v_headers ->> 'x-request-id', 128),
          v_old.masked, v_new.masked, p_changed, case when v_session ~ '^[0-9a-f-]{36}$' then v_session::uuid end,
          case when v_high and p_action = 'delete' then 'critical' when v_high or p_action = 'delete' then 'warning' else 'info' end,
          v_labels <> '{}', v_old.has_pii or v_new.has_pii, coalesce(p_key, '{}') || app.acting_support());
end $$;
revoke all on function app.write_audit(text[], text, uuid, text, jsonb, jsonb, text[], jsonb) from public;
grant execute on function app.write_audit(text[], text, uuid, text, jsonb, jsonb, text[], jsonb) to app_definer;

-- After a row came or went. Arguments: the table, what a row of it is called, the column of its company, how grave a change of it is,
-- and then its labelled columns, each followed by its kind.
create or replace function app.audit() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_row constant jsonb := case when tg_op = 'DELETE' then to_jsonb(old) else to_jsonb(new) end;
begin
  perform app.write_audit(tg_argv, case tg_op when 'DELETE' then 'delete' else 'create' end, (v_row ->> tg_argv[2])::uuid, v_row ->> 'id',
                          case when tg_op = 'DELETE' then v_row - 'search_vector' end,
                          case when tg_op = 'INSERT' then jsonb_strip_nulls(v_row) - 'search_vector' end, null, null);
  return null;
end $$;
comment on function app.audit() is 'After insert or delete: writes who changed what into audit_logs. Null values of a new row are left out.';
alter function app.audit() owner to app_definer;
revoke all on function app.audit() from public;

-- Makes app.audit_of_<table>, which does the same after an update. It compares column by column: to make JSON of both rows, and to
-- compare that, is what an update of a wide row pays most for. Columns are those of now, and it is made anew after every migration.
create or replace function app.make_audit_of(p_table regclass, p_tenant_column text) returns text
  language plpgsql
  set search_path = ''
as $$
declare
  v_relation  constant text := (select c.relname from pg_catalog.pg_class c where c.oid = p_table);
  v_name      constant text := 'app.' || quote_ident('audit_of_' || v_relation);
  v_lines     text;
  v_keys      text;
  v_has_id    boolean;
  v_has_mark  boolean;
begin
  -- A type from an extension, or without equality, is compared as JSON: its operator is on no search_path.
  select string_agg(format('  if %s then v_changed := v_changed || %L::text; v_old := v_old || jsonb_build_object(%L, old.%I); '
                             'v_new := v_new || jsonb_build_object(%L, new.%I); end if;',
                           case when t.typnamespace = 'pg_catalog'::regnamespace and t.typname not in ('json', 'xml', 'point')
                                then format('old.%1$I is distinct from new.%1$I', a.attname)
                                else format('to_jsonb(old.%1$I) is distinct from to_jsonb(new.%1$I)', a.attname) end,
                           a.attname, a.attname, a.attname, a.attname, a.attname), e'\n' order by a.attname::text collate "default")
           filter (where a.attname not in ('updated_at', 'version', 'search_vector', 'last_used_at', 'last_used_ip',
                                                 'last_triggered_at', 'success_count', 'failure_count')),
         string_agg(format('%L, new.%I', a.attname, a.attname), ', ' order by a.attnum) filter (where a.attname ~ '_id$'),
         bool_or(a.attname = 'id'), bool_or(a.attname = 'deleted_at')
    into v_lines, v_keys, v_has_id, v_has_mark
    from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
   where a.attrelid = p_table and a.attnum > 0 and not a.attisdropped;
  execute format($f$create or replace function %s() returns trigger language plpgsql security definer set search_path = '' as %L$f$,
    v_name, format(e'declare\n  v_changed text[] := \'{}\';\n  v_old jsonb := \'{}\';\n  v_new jsonb := \'{}\';\nbegin\n%s\n'
                     '  if v_changed <> \'{}\' then\n    perform app.write_audit(tg_argv, %s, new.%I, %s, v_old, v_new, v_changed, %s);\n'
                     '  end if;\n  return null;\nend', v_lines,
                   case when v_has_mark then $f$case when not 'deleted_at' = any (v_changed) then 'update'
                                                     when new.deleted_at is null then 'restore' else 'delete' end$f$
                        else quote_literal('update') end,
                   p_tenant_column, case when v_has_id then 'new.id::text' else 'null' end,
                   case when v_has_id then 'null' else format('jsonb_build_object(%s)', v_keys) end));
  execute format('alter function %s() owner to app_definer', v_name);
  execute format('revoke all on function %s() from public', v_name);
  return v_name;
end $$;
revoke all on function app.make_audit_of(regclass, text) from public;

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
  v_event text;
begin
  if p_table::text = any (app.unaudited_tables()) or p_tenant_column is null then
    execute format('drop trigger if exists zz_audit on %s', p_table);
    execute format('drop trigger if exists zz_audit_update on %s', p_table);
    return;
  end if;
  -- The last of its kind, so that it sees what the others left.
  foreach v_event in array array['insert or delete', 'update'] loop
    execute format('create or replace trigger %s after %s on %s for each row
                      when (current_setting(''role'') <> ''app_owner'' or coalesce(current_setting(''app.unaudited'', true), '''') <> ''on'')
                      execute function %s(%L, %L, %L, %L', case v_event when 'update' then 'zz_audit_update' else 'zz_audit' end, v_event,
                   p_table, case v_event when 'update' then app.make_audit_of(p_table, p_tenant_column) else 'app.audit' end,
                   v_name, app.entity_of(v_name), p_tenant_column, case when v_high then 'high' else 'usual' end)
      || coalesce((select string_agg(format(', %L', l.word), '' order by l.place) from unnest(app.labels_of(p_table)) with ordinality l (word, place)), '')
      || ')';
  end loop;
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
