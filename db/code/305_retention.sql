-- How long things are kept, and what takes them away. Run by the server in batches, one transaction each.
-- Invariants: nothing goes before its time, and a deleted row not before the date that stands in it; what a rule or a key still
-- holds stays, is written down, and keeps nobody else's rows back; of the audit only whole batches go, and their seals stay.

-- What a company wants in company_settings.retention, as days; else what is usual.
create or replace function app.kept_days(p_wanted jsonb, p_kind text) returns integer
  language sql immutable
  set search_path = ''
  return coalesce((p_wanted ->> p_kind)::integer,
    case p_kind when 'email_logs' then 183 when 'activities' then 365 when 'webhook_logs' then 90 when 'audit_logs' then 2557
                when 'deleted_rows' then 90 when 'completed_jobs' then 365
                when 'notifications' then 90 when 'notification_decisions' then 30 end);
revoke all on function app.kept_days(jsonb, text) from public;
grant execute on function app.kept_days(jsonb, text) to app_definer;

-- For the mark of a deletion, which is made as whoever deletes: of his own company alone.
create or replace function app.deleted_rows_kept(p_company_id uuid) returns interval
  language sql stable security definer
  set search_path = ''
as $$
  select make_interval(days => app.kept_days(
    (select s.retention from public.company_settings s
      where s.company_id = p_company_id
        and (p_company_id = app.company_id() or current_setting('role') not in ('anon', 'authenticated'))), 'deleted_rows'))
$$;
alter function app.deleted_rows_kept(uuid) owner to app_definer;
revoke all on function app.deleted_rows_kept(uuid) from public;
grant execute on function app.deleted_rows_kept(uuid) to app_owner, authenticated, service_role;

create or replace function app.guard_retention() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_entry record;
  v_least integer;
begin
  for v_entry in select e.key, e.value from jsonb_each(new.retention) e loop
    v_least := case v_entry.key when 'audit_logs' then 365 when 'completed_jobs' then 30
                 when 'email_logs' then 7 when 'activities' then 7 when 'webhook_logs' then 7 when 'deleted_rows' then 7
                 when 'notifications' then 7 when 'notification_decisions' then 7 end;
    if v_least is null or v_entry.value::text !~ '^[0-9]{1,5}$' or v_entry.value::text::integer not between v_least and 36500 then
      raise exception using errcode = 'TH422', constraint = 'retention_invalid',
        message = format('Retention of %s is not a number of days that can be kept.', left(v_entry.key, 40)),
        hint = 'Days, at most 36500: audit_logs from 365, completed_jobs from 30; email_logs, activities, webhook_logs, deleted_rows from 7.';
    end if;
  end loop;
  return new;
end $$;
revoke all on function app.guard_retention() from public;
create or replace trigger guard_retention before insert or update of retention on public.company_settings
  for each row execute function app.guard_retention();

create or replace function app.expire_logs(p_table text, p_limit integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_count bigint;
begin
  execute format('with old as (
      select x.company_id, x.id from public.companies c left join public.company_settings s on s.company_id = c.id
       cross join lateral (select l.company_id, l.id from public.%1$I l
                            where l.company_id = c.id %2$s
                              and l.id < app.first_id_of(now() - make_interval(days => app.kept_days(s.retention, %1$L)))
                            order by l.id limit $1) x limit $1)
    delete from public.%1$I l using old where l.company_id = old.company_id and l.id = old.id', p_table,
    -- What was written to somebody whom the law has stay, stays.
    case p_table when 'email_logs' then 'and (l.customer_id is null or (app.hold_of_person(''customer'', l.company_id, l.customer_id)).id is null)' else '' end)
    using p_limit;
  get diagnostics v_count = row_count;
  return v_count;
end $$;
alter function app.expire_logs(text, integer) owner to app_definer;
revoke all on function app.expire_logs(text, integer) from public;

-- Belongs to the owner of the tables: nobody else may take anything out of the audit.
create or replace function app.expire_audit(p_limit integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_batch record;
  v_count bigint := 0;
begin
  for v_batch in
    select b.company_id, b.number, b.row_ids from app.audit_batches b left join public.company_settings s on s.company_id = b.company_id
     where b.rows_expired_at is null and b.sealed_at < now() - make_interval(days => app.kept_days(s.retention, 'audit_logs'))
     order by b.sealed_at limit greatest(p_limit / 100, 1)
  loop
    -- What vouches for words that went is younger than the rows that they went from, and goes after them.
    delete from app.audit_redactions r using public.audit_logs a
     where a.company_id = v_batch.company_id and a.id = any (v_batch.row_ids) and a.action = 'erase'
       and r.company_id = a.company_id and r.batch_id = a.entity_id;
    delete from public.audit_logs a where a.company_id = v_batch.company_id and a.id = any (v_batch.row_ids);
    update app.audit_batches b set rows_expired_at = now() where b.company_id = v_batch.company_id and b.number = v_batch.number;
    v_count := v_count + cardinality(v_batch.row_ids);
  end loop;
  return v_count;
end $$;
revoke all on function app.expire_audit(integer) from public;
grant execute on function app.expire_audit(integer) to app_definer;

-- What opens a portal or keeps somebody in it is good for nothing when it is over.
create or replace function app.expire_portal_sessions(p_limit integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_count bigint;
begin
  delete from auth.portal_sessions p
   where (p.company_id, p.id) in (select o.company_id, o.id from auth.portal_sessions o where o.expires_at <= now() - interval '1 day'
                                   order by o.expires_at limit p_limit for update skip locked);
  get diagnostics v_count = row_count;
  return v_count;
end $$;
alter function app.expire_portal_sessions(integer) owner to app_definer;
revoke all on function app.expire_portal_sessions(integer) from public;

-- Invitations that nobody accepted are kept as long as deleted rows.
create or replace function app.expire_invitations(p_limit integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_count bigint;
begin
  delete from public.invitations i
   where (i.company_id, i.id) in (
           select o.company_id, o.id from public.invitations o left join public.company_settings s on s.company_id = o.company_id
            where o.used_at is null and o.expires_at <= now() - interval '7 days'
              and o.expires_at <= now() - make_interval(days => app.kept_days(s.retention, 'deleted_rows'))
            order by o.expires_at limit p_limit for update of o skip locked);
  get diagnostics v_count = row_count;
  return v_count;
end $$;
alter function app.expire_invitations(integer) owner to app_definer;
revoke all on function app.expire_invitations(integer) from public;

-- What could not go is written down with what held it, and left alone for a day, so that the others get their turn.
create or replace function app.hold_back(p_company_id uuid, p_table text, p_id uuid, p_reason text) returns void
  language sql volatile
  set search_path = ''
as $$
  insert into app.retention_held as h (company_id, table_name, row_id, reason)
  values (p_company_id, p_table, p_id, left(p_reason, 130))
  on conflict (company_id, table_name, row_id) do update set reason = excluded.reason, tried_at = now()
$$;
revoke all on function app.hold_back(uuid, text, uuid, text) from public;
grant execute on function app.hold_back(uuid, text, uuid, text) to app_definer;

-- A server without room, or at its end, says nothing about a row that could not go.
create or replace function app.is_fault_of_server(p_state text) returns boolean
  language sql immutable
  set search_path = ''
  return p_state ~ '^(53|57|58|XX)';
revoke all on function app.is_fault_of_server(text) from public;
grant execute on function app.is_fault_of_server(text) to app_definer;

-- Each row is locked before it goes: what somebody is just bringing back stays, and no row's fault stops the others.
create or replace function app.expire_deleted(p_table text, p_limit integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_row   record;
  v_state text;
  v_rule  text;
  v_count bigint := 0;
begin
  for v_row in execute format(
    'select t.company_id, t.id from %1$s t left join public.company_settings s on s.company_id = t.company_id
       left join app.retention_held h on h.company_id = t.company_id and h.table_name = %2$L and h.row_id = t.id
      where t.deleted_at is not null and t.permanent_delete_scheduled_at <= now()
        and t.deleted_at <= now() - make_interval(days => app.kept_days(s.retention, ''deleted_rows''))
        and (h.tried_at is null or h.tried_at <= now() - interval ''1 day'')
      order by h.tried_at nulls first limit %3$s for update of t skip locked', p_table::regclass, p_table, p_limit)
  loop
    begin
      execute format('delete from %s where company_id = $1 and id = $2', p_table::regclass) using v_row.company_id, v_row.id;
      delete from app.retention_held h where h.company_id = v_row.company_id and h.table_name = p_table and h.row_id = v_row.id;
    exception when others then
      get stacked diagnostics v_state = returned_sqlstate, v_rule = constraint_name;
      if app.is_fault_of_server(v_state) then
        raise;
      end if;
      perform app.hold_back(v_row.company_id, p_table, v_row.id, coalesce(nullif(v_rule, ''), v_state));
    end;
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;
alter function app.expire_deleted(text, integer) owner to app_definer;
revoke all on function app.expire_deleted(text, integer) from public;

create or replace function app.expire(p_limit integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_table text;
  v_count bigint := 0;
begin
  if p_limit not between 1 and 10000 then
    raise exception using errcode = '22023', message = 'a batch has 1 to 10000 rows';
  end if;
  foreach v_table in array array['email_logs', 'webhook_logs', 'activities'] loop
    v_count := v_count + app.expire_logs(v_table, p_limit);
  end loop;
  v_count := v_count + app.expire_audit(p_limit) + app.expire_idempotency_keys(p_limit) + app.expire_security_events(p_limit)
             + app.expire_portal_sessions(p_limit) + app.expire_invitations(p_limit) + app.expire_rate_limits(p_limit) + app.expire_events(p_limit)
             + app.expire_inbound_events(p_limit) + app.expire_notifications(p_limit);
  -- Whatever is held is tried every day: what was not for long has been brought back, or has gone another way.
  delete from app.retention_held h where h.tried_at < now() - interval '7 days';
  for v_table in select t.table_name from app.protected_tables t where t.soft_delete order by t.table_name loop
    exit when v_count >= p_limit;
    v_count := v_count + app.expire_deleted(v_table, p_limit);
  end loop;
  if v_count < p_limit then
    v_count := v_count + app.archive_jobs(greatest(p_limit / 20, 1));
  end if;
  return v_count;
end $$;
comment on function app.expire(integer) is
  'Takes away a batch of what is older than its company keeps it, and moves completed jobs into jobs_archive; returns how many rows it dealt
   with. Those that could not go stand in app.retention_held.';
alter function app.expire(integer) owner to app_definer;
revoke all on function app.expire(integer) from public;
grant execute on function app.expire(integer) to service_role;
revoke all on app.retention_held from public, anon, authenticated, service_role;
grant select on app.retention_held to service_role;
