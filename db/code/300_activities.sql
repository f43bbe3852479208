-- The timeline: what happened to a job, a customer, an estimate, in words that a dispatcher reads. Written beside the audit, in the
-- same transaction, and by nobody else.

create or replace function app.words_of_time(p_at timestamptz, p_zone text) returns text
  language sql stable
  return to_char(p_at at time zone coalesce(p_zone, 'UTC'), 'Dy DD Mon YYYY, HH24:MI');
revoke all on function app.words_of_time(timestamptz, text) from public;
grant execute on function app.words_of_time(timestamptz, text) to app_definer;

create or replace function app.words_of_money(p_minor text, p_currency text) returns text
  language sql immutable
  return coalesce(p_currency || ' ', '') || to_char(coalesce(p_minor, '0')::numeric / 100, 'FM999,999,999,990.00');
revoke all on function app.words_of_money(text, text) from public;
grant execute on function app.words_of_money(text, text) to app_definer;

-- In plpgsql, which keeps the plan: a function in SQL would be planned at every call, which was half of what writing a customer costs.
create or replace function app.tell(
  p_row jsonb, p_entity text, p_type text, p_action text, p_job_id uuid, p_field text default null, p_old text default null, p_new text default null
) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_company constant uuid := p_row ->> 'company_id';
  v_user    constant uuid := auth.uid();
  v_who     constant text := case when v_user is null then 'system' else 'user' end;
  v_name    text;
  v_job     uuid;
begin
  if v_user is not null then
    select m.name into v_name from public.team_members m where m.company_id = v_company and m.user_id = v_user;
  end if;
  -- A job that is just going is gone before its last word is written.
  if p_job_id is not null then
    select j.id into v_job from public.jobs j where j.company_id = v_company and j.id = p_job_id;
  end if;
  insert into public.activities (company_id, entity_type, entity_id, activity_type, action, category, actor_id, actor_type, actor_name,
                                 field_name, old_value, new_value, job_id, is_important, is_system_generated)
  values (v_company, p_entity, (p_row ->> 'id')::uuid, p_type, left(p_action, 500), v_who, v_user, v_who, v_name,
          p_field, p_old, p_new, v_job, p_type in ('status_change', 'assignment_change', 'deleted'), v_user is null);
end $$;
alter function app.tell(jsonb, text, text, text, uuid, text, text, text) owner to app_definer;
revoke all on function app.tell(jsonb, text, text, text, uuid, text, text, text) from public;

-- After insert or update. Arguments: what a row is called, the column that names it, and the column of its job.
create or replace function app.note_activity() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_entity constant text := tg_argv[0];
  v_new    constant jsonb := to_jsonb(new);
  v_old    constant jsonb := case when tg_op = 'UPDATE' then to_jsonb(old) end;
  v_what   constant text := initcap(replace(v_entity, '_', ' ')) || coalesce(' ' || nullif(v_new ->> tg_argv[1], ''), '');
  v_job    constant uuid := (v_new ->> tg_argv[2])::uuid;
  v_start  constant text := case when v_new ? 'scheduled_start' then 'scheduled_start' else 'start_time' end;
  v_status constant text := replace(v_new ->> 'status', '_', ' ');
  v_zone   text;
  v_person text;
  v_fields text;
begin
  if v_new ->> v_start is not null then
    select c.business_timezone into v_zone from public.companies c where c.id = new.company_id;
  end if;
  if v_new ->> 'assigned_to' is not null and (v_old is null or v_new -> 'assigned_to' <> v_old -> 'assigned_to') then
    select m.name into v_person from public.team_members m where m.company_id = new.company_id and m.user_id = (v_new ->> 'assigned_to')::uuid;
  end if;

  if v_old is null then
    perform app.tell(v_new, v_entity, 'created', v_what || ' created'
      || coalesce(': ' || nullif(v_new ->> 'title', ''), '')
      || case when v_entity in ('estimate', 'invoice', 'payment', 'purchase_order') and coalesce(v_new ->> 'total_amount', v_new ->> 'amount') <> '0'
              then ', ' || app.words_of_money(coalesce(v_new ->> 'total_amount', v_new ->> 'amount'), v_new ->> 'currency') else '' end
      || coalesce(', scheduled for ' || app.words_of_time((v_new ->> v_start)::timestamptz, v_zone), '')
      || coalesce(', assigned to ' || v_person, ''), v_job);
    return null;
  end if;

  if (v_new ->> 'deleted_at' is null) <> (v_old ->> 'deleted_at' is null) then
    perform app.tell(v_new, v_entity, case when v_new ->> 'deleted_at' is null then 'restored' else 'deleted' end,
      v_what || case when v_new ->> 'deleted_at' is null then ' restored' else ' deleted' end, v_job);
    return null;
  end if;
  if v_new ->> 'status' is distinct from v_old ->> 'status' then
    perform app.tell(v_new, v_entity, 'status_change',
      -- What was done to it, where the word says so; else from what to what.
      case when v_status in ('sent', 'accepted', 'rejected', 'paid', 'cancelled', 'completed', 'approved', 'received', 'refunded', 'ordered')
             and v_entity <> 'job' then v_what || ' ' || v_status
           else v_what || ': status from ' || replace(coalesce(v_old ->> 'status', 'none'), '_', ' ') || ' to ' || v_status end,
      v_job, 'status', v_old ->> 'status', v_new ->> 'status');
  end if;
  if v_new -> 'assigned_to' is distinct from v_old -> 'assigned_to' then
    perform app.tell(v_new, v_entity, 'assignment_change',
      v_what || case when v_new ->> 'assigned_to' is null then ' assigned to nobody' else ' assigned to ' || coalesce(v_person, 'a member') end,
      v_job, 'assigned_to', v_old ->> 'assigned_to', v_new ->> 'assigned_to');
  end if;
  if v_new -> v_start is distinct from v_old -> v_start then
    perform app.tell(v_new, v_entity, 'field_update',
      v_what || case when v_new ->> v_start is null then ' taken off the schedule'
                     when v_old ->> v_start is null then ' scheduled for ' || app.words_of_time((v_new ->> v_start)::timestamptz, v_zone)
                     else ' moved from ' || app.words_of_time((v_old ->> v_start)::timestamptz, v_zone)
                          || ' to ' || app.words_of_time((v_new ->> v_start)::timestamptz, v_zone) end,
      v_job, v_start, v_old ->> v_start, v_new ->> v_start);
  end if;
  -- Of the rest only which: the values stand in the audit, masked where they are personal. Figures that a trigger computes are no news.
  if pg_trigger_depth() = 1 then
    select string_agg(replace(n.key, '_', ' '), ', ' order by n.key) into v_fields
      from jsonb_each(v_new) n
     where n.value is distinct from v_old -> n.key
       and n.key not in ('status', 'assigned_to', v_start, 'scheduled_end', 'end_time', 'updated_at', 'version', 'search_vector', 'crew', 'display_name', 'email_key',
                         'actual_start', 'actual_end', 'archived_at', 'permanent_delete_scheduled_at', 'deleted_by', 'search_text', 'content_version');
    if v_fields is not null then
      perform app.tell(v_new, v_entity, 'field_update', v_what || ' changed: ' || v_fields, v_job, left(v_fields, 120));
    end if;
  end if;
  return null;
end $$;
comment on function app.note_activity() is 'After insert or update: writes into activities what happened, in words.';
alter function app.note_activity() owner to app_definer;
revoke all on function app.note_activity() from public;

do $$
declare
  v_table record;
begin
  for v_table in
    select * from (values ('jobs', 'job', 'job_number', 'id'), ('customers', 'customer', 'display_name', ''), ('estimates', 'estimate', 'estimate_number', 'job_id'),
      ('invoices', 'invoice', 'invoice_number', 'job_id'), ('payments', 'payment', 'payment_number', 'job_id'), ('schedules', 'schedule', '', 'job_id'),
      ('purchase_orders', 'purchase_order', 'po_number', 'job_id')) t (name, entity, label, job)
  loop
    execute format('create or replace trigger zy_activity after insert or update on public.%I for each row
                      when (current_setting(''role'') <> ''app_owner'' or coalesce(current_setting(''app.unaudited'', true), '''') <> ''on'')
                      execute function app.note_activity(%L, %L, %L)', v_table.name, v_table.entity, v_table.label, v_table.job);
  end loop;
end $$;
