-- How long things are kept, and what takes them away. Run by the server in batches, one transaction each.
-- Invariants: nothing goes before its time, and a deleted row not before the date that stands in it; what a rule or a key still holds
-- stays; of the audit only whole batches go, and their seals stay.

-- What a company wants in company_settings.retention, as days; else what is usual.
create or replace function app.kept_days(p_wanted jsonb, p_kind text) returns integer
  language sql immutable
  set search_path = ''
  return coalesce((p_wanted ->> p_kind)::integer,
    case p_kind when 'email_logs' then 183 when 'activities' then 365 when 'webhook_logs' then 90 when 'audit_logs' then 2557
                when 'deleted_rows' then 90 when 'completed_jobs' then 365 end);
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
grant execute on function app.deleted_rows_kept(uuid) to authenticated, service_role;

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
                 when 'email_logs' then 7 when 'activities' then 7 when 'webhook_logs' then 7 when 'deleted_rows' then 7 end;
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
                            where l.company_id = c.id
                              and l.id < app.first_id_of(now() - make_interval(days => app.kept_days(s.retention, %1$L)))
                            order by l.id limit $1) x limit $1)
    delete from public.%1$I l using old where l.company_id = old.company_id and l.id = old.id', p_table) using p_limit;
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
    delete from public.audit_logs a where a.company_id = v_batch.company_id and a.id = any (v_batch.row_ids);
    update app.audit_batches b set rows_expired_at = now() where b.company_id = v_batch.company_id and b.number = v_batch.number;
    v_count := v_count + cardinality(v_batch.row_ids);
  end loop;
  return v_count;
end $$;
revoke all on function app.expire_audit(integer) from public;
grant execute on function app.expire_audit(integer) to app_definer;

-- A row that something still holds stays, and others get their turn.
create or replace function app.expire_deleted(p_table text, p_limit integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_row   record;
  v_count bigint := 0;
begin
  for v_row in execute format(
    'select t.company_id, t.id from %s t left join public.company_settings s on s.company_id = t.company_id
      where t.deleted_at is not null and t.permanent_delete_scheduled_at <= now()
        and t.deleted_at <= now() - make_interval(days => app.kept_days(s.retention, ''deleted_rows''))
      order by random() limit %s', p_table::regclass, p_limit)
  loop
    begin
      execute format('delete from %s where company_id = $1 and id = $2', p_table::regclass) using v_row.company_id, v_row.id;
      v_count := v_count + 1;
    exception when foreign_key_violation or restrict_violation or sqlstate 'TH422' or sqlstate 'TH409' or sqlstate 'TH403' then
      null;
    end;
  end loop;
  return v_count;
end $$;
alter function app.expire_deleted(text, integer) owner to app_definer;
revoke all on function app.expire_deleted(text, integer) from public;

-- With a job goes what belongs to it alone; of what only names it, an invoice, a message, the ids are kept.
create or replace function app.archive_jobs(p_limit integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_job      record;
  v_key      record;
  v_rows     jsonb;
  v_children jsonb;
  v_count    bigint := 0;
begin
  for v_job in
    select j.* from public.jobs j left join public.company_settings s on s.company_id = j.company_id
     where j.status in ('completed', 'paid') and j.deleted_at is null
       and coalesce(j.actual_end, j.updated_at) < now() - make_interval(days => app.kept_days(s.retention, 'completed_jobs'))
     order by random() limit p_limit
  loop
    begin
      v_children := '{}';
      for v_key in
        select k.conrelid::regclass::text as name, regexp_replace(k.conrelid::regclass::text, '^public\.', '') as key, k.confdeltype = 'c' as is_part,
               (select a.attname from pg_catalog.pg_attribute a where a.attrelid = k.conrelid and a.attnum = k.conkey[2]) as job_column
          from pg_catalog.pg_constraint k
         where k.contype = 'f' and k.confrelid = 'public.jobs'::regclass and k.conparentid = 0 and k.confdeltype in ('c', 'n')
           and k.conrelid <> 'public.technician_positions'::regclass
         order by 2, 4
      loop
        execute format('select jsonb_agg(%s) from %s t where t.company_id = $1 and t.%I = $2',
                       case when v_key.is_part then 'to_jsonb(t)' else 'to_jsonb(t) -> ''id''' end, v_key.name, v_key.job_column)
          into v_rows using v_job.company_id, v_job.id;
        if v_rows is not null then
          v_children := v_children || jsonb_build_object(v_key.key, coalesce(v_children -> v_key.key, '[]') || v_rows);
        end if;
      end loop;
      insert into public.jobs_archive (company_id, id, job_number, customer_id, property_id, assigned_to, title, status, completed_at,
                                       total_amount, currency, job, children, created_at)
      values (v_job.company_id, v_job.id, v_job.job_number, v_job.customer_id, v_job.property_id, v_job.assigned_to, v_job.title, v_job.status,
              coalesce(v_job.actual_end, v_job.updated_at), v_job.total_amount, v_job.currency, to_jsonb(v_job), v_children, v_job.created_at);
      delete from public.jobs j where j.company_id = v_job.company_id and j.id = v_job.id;
      v_count := v_count + 1;
    exception when foreign_key_violation or restrict_violation or sqlstate 'TH422' or sqlstate 'TH409' or sqlstate 'TH403' then
      null;
    end;
  end loop;
  return v_count;
end $$;
alter function app.archive_jobs(integer) owner to app_definer;
revoke all on function app.archive_jobs(integer) from public;

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
  v_count := v_count + app.expire_audit(p_limit);
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
  'Takes away a batch of what is older than its company keeps it, and moves completed jobs into jobs_archive; returns how many rows went.';
alter function app.expire(integer) owner to app_definer;
revoke all on function app.expire(integer) from public;
grant execute on function app.expire(integer) to service_role;
