-- The audit by the names that other programs call it.

-- For triggers written by hand: create trigger ... execute function audit_trigger_function().
create or replace function public.audit_trigger_function() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_old constant jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
  v_new constant jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
  v_row constant jsonb := coalesce(v_new, v_old);
begin
  if v_row ->> 'company_id' is not null then
    insert into public.audit_logs (company_id, user_id, actor_role, action, table_name, entity_type, entity_id, metadata, old_values, new_values, changed_fields)
    values ((v_row ->> 'company_id')::uuid, auth.uid(), coalesce(app.member_role(), nullif(current_setting('role', true), 'none'), session_user),
            case tg_op when 'INSERT' then 'create' when 'UPDATE' then 'update' else 'delete' end, tg_table_name, app.entity_of(tg_table_name),
            case when v_row ->> 'id' ~ '^[0-9a-f-]{36}$' then (v_row ->> 'id')::uuid end, app.acting_support(), v_old, v_new,
            case tg_op when 'UPDATE' then (select array_agg(n.key order by n.key) from jsonb_each(v_new) n where n.value is distinct from v_old -> n.key) end);
  end if;
  return null;
end $$;
alter function public.audit_trigger_function() owner to app_definer;
revoke all on function public.audit_trigger_function() from public;

-- What a program did beside the rows it wrote: a view, an export, a sign-in. Only of the caller himself and of his company: nobody
-- writes into the record of others, and a service program only into the company that it works in.
create or replace function public.log_audit_event(
  p_organization_id uuid, p_user_id uuid, p_action text, p_resource_type text, p_resource_id text default null, p_metadata jsonb default '{}'
) returns uuid
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_is_service constant boolean := current_setting('role', true) = 'service_role';
  v_company    constant uuid := app.company_id();
  v_headers    constant jsonb := nullif(current_setting('request.headers', true), '')::jsonb;
  v_is_id      constant boolean := coalesce(p_resource_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$', false);
  v_metadata   constant jsonb := coalesce(p_metadata, '{}');
  v_id         uuid;
begin
  if v_company is null then
    raise exception using errcode = 'TH403', constraint = 'company_required', message = 'No company is chosen.';
  end if;
  if p_organization_id is distinct from v_company then
    raise exception using errcode = 'TH403', constraint = 'audit_other_company', message = 'An event is written for the active company only.';
  end if;
  if not v_is_service and p_user_id is distinct from auth.uid() then
    raise exception using errcode = 'TH403', constraint = 'audit_other_user', message = 'An event is written for its own user only.';
  end if;
  if coalesce(length(p_action), 0) not between 1 and 60 or coalesce(length(p_resource_type), 0) not between 1 and 120
     or length(p_resource_id) > 255 or jsonb_typeof(v_metadata) <> 'object' or length(v_metadata::text) > 20000 then
    raise exception using errcode = 'TH422', constraint = 'audit_event_invalid',
      message = 'An event has an action of 1 to 60 characters, a resource type of 1 to 120 and an object of at most 20,000 as metadata.';
  end if;
  insert into public.audit_logs (company_id, user_id, actor_role, action, entity_type, entity_id, ip_address, user_agent, request_method,
                                 request_path, request_id, metadata)
  values (v_company, case when v_is_service then p_user_id else auth.uid() end, coalesce(app.member_role(), 'service_role'), p_action, p_resource_type,
          case when v_is_id then p_resource_id::uuid end,
          case when v_headers ->> 'x-real-ip' ~ '^[0-9a-f.:]{2,45}$' then (v_headers ->> 'x-real-ip')::inet end,
          left(v_headers ->> 'user-agent', 1000), left(nullif(current_setting('request.method', true), ''), 20),
          left(nullif(current_setting('request.path', true), ''), 2048), left(v_headers ->> 'x-request-id', 128),
          v_metadata || '{"reported": true}' || app.acting_support() || case when v_is_id or p_resource_id is null then '{}' else jsonb_build_object('resource_id', p_resource_id) end)
  returning id into v_id;
  return v_id;
end $$;
comment on function public.log_audit_event(uuid, uuid, text, text, text, jsonb) is
  'Writes an event of the caller and his company into the audit. metadata.reported tells it from what the database saw itself.';
alter function public.log_audit_event(uuid, uuid, text, text, text, jsonb) owner to app_definer;
revoke all on function public.log_audit_event(uuid, uuid, text, text, text, jsonb) from public;
grant execute on function public.log_audit_event(uuid, uuid, text, text, text, jsonb) to authenticated, service_role;

-- What somebody only says that he did is told from what the database saw, whatever word he has for it.
drop view if exists public.audit_log;
create view public.audit_log with (security_invoker = true) as
select id, company_id, coalesce(table_name, entity_type) as table_name, entity_id as record_id,
       case when metadata @> '{"reported": true}' then 'REPORTED'
            when action = 'create' then 'INSERT'
            when action in ('update', 'restore') then 'UPDATE'
            when action = 'delete' then 'DELETE'
            else action end as operation,
       old_values, new_values, changed_fields, user_id, ip_address, user_agent, created_at as "timestamp",
       case when metadata @> '{"reported": true}' then action end as reported_action
  from public.audit_logs;
comment on view public.audit_log is
  'audit_logs, as other programs call it and its columns. What log_audit_event was told is REPORTED, with the action that was named.';
revoke all on public.audit_log from public, anon, authenticated, service_role;
grant select on public.audit_log to authenticated, service_role;
