-- Completed jobs that are older than their company keeps them move into jobs_archive.
-- Invariants: a job goes there whole or stays; who reads it there are those who could read the job, and what only some of them
-- could read of it lies apart; secrets go nowhere.

-- Whether everybody who reads a job reads also the rows of a table that belong to it, as roles are.
create or replace function app.is_read_with_jobs(p_table text) returns boolean
  language sql stable
  set search_path = ''
as $$
  select exists (
    select from app.protected_tables t
     where t.table_name = p_table
       and not exists (select from app.role_permissions j
                        -- Guests read no archive.
                        where j.permission = 'jobs:read' and j.role not in ('portal', 'link')
                          and not exists (select from app.role_permissions r
                                           where r.role = j.role and r.permission = t.noun || ':read'
                                             and r.scope in ('all', j.scope))))
$$;
revoke all on function app.is_read_with_jobs(text) from public;
grant execute on function app.is_read_with_jobs(text) to app_definer;

create or replace function app.secret_columns(p_table regclass) returns text[]
  language sql stable
  set search_path = ''
as $$
  select coalesce(array_agg(a.attname::text), '{}') from pg_catalog.pg_attribute a
   where a.attrelid = p_table and not a.attisdropped and pg_catalog.col_description(a.attrelid, a.attnum) = 'secret'
$$;
revoke all on function app.secret_columns(regclass) from public;
grant execute on function app.secret_columns(regclass) to app_definer;

-- What names a job: rows that are a part of it, and the ids of others, an invoice, a message, which stay where they are.
-- `parts_deleted` names a table with parts that were deleted and have to be kept still.
create or replace function app.rows_of_job(
  p_company_id uuid, p_job_id uuid, out shared jsonb, out restricted jsonb, out parts_deleted text
)
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_key  record;
  v_rows jsonb;
begin
  shared := '{}';
  restricted := '{}';
  for v_key in
    select k.conrelid::regclass as child, regexp_replace(k.conrelid::regclass::text, '^public\.', '') as name,
           k.confdeltype = 'c' as is_part,
           (select a.attname from pg_catalog.pg_attribute a
             where a.attrelid = k.conrelid and a.attnum = k.conkey[2]) as job_column,
           t.soft_delete, app.is_read_with_jobs(t.table_name) as is_shared
      from pg_catalog.pg_constraint k join app.protected_tables t on t.table_name = k.conrelid::regclass::text
     where k.contype = 'f' and k.confrelid = 'public.jobs'::regclass and k.conparentid = 0 and k.confdeltype in ('c', 'n')
       and k.conrelid <> 'public.technician_positions'::regclass
     order by 2, 4
  loop
    if v_key.is_part then
      -- Locked, so that nothing is written into a row that is just going.
      execute format('select jsonb_agg(to_jsonb(t) - $3) from (select * from %s where company_id = $1 and %I = $2 for update) t',
                     v_key.child, v_key.job_column)
        into v_rows using p_company_id, p_job_id, app.secret_columns(v_key.child);
      if v_key.soft_delete and v_rows @? '$[*].deleted_at ? (@ != null)' then
        parts_deleted := v_key.name;
        return;
      end if;
    else
      execute format('select jsonb_agg(t.id) from %s t where t.company_id = $1 and t.%I = $2', v_key.child, v_key.job_column)
        into v_rows using p_company_id, p_job_id;
    end if;
    if v_rows is null then
      continue;
    elsif v_key.is_shared then
      shared := shared || jsonb_build_object(v_key.name, coalesce(shared -> v_key.name, '[]') || v_rows);
    else
      restricted := restricted || jsonb_build_object(v_key.name, coalesce(restricted -> v_key.name, '[]') || v_rows);
    end if;
  end loop;
end $$;
revoke all on function app.rows_of_job(uuid, uuid) from public;
grant execute on function app.rows_of_job(uuid, uuid) to app_definer;

create or replace function app.archive_jobs(p_limit integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_job   record;
  v_rows  record;
  v_state text;
  v_rule  text;
  v_count bigint := 0;
begin
  for v_job in
    select j.* from public.jobs j left join public.company_settings s on s.company_id = j.company_id
      left join app.retention_held h on h.company_id = j.company_id and h.table_name = 'public.jobs' and h.row_id = j.id
     where j.status in ('completed', 'paid') and j.deleted_at is null
       and coalesce(j.actual_end, j.updated_at) < now() - make_interval(days => app.kept_days(s.retention, 'completed_jobs'))
       and (h.tried_at is null or h.tried_at <= now() - interval '1 day')
     order by h.tried_at nulls first limit p_limit for update of j skip locked
  loop
    begin
      v_count := v_count + 1;
      select * into v_rows from app.rows_of_job(v_job.company_id, v_job.id);
      if v_rows.parts_deleted is not null then
        perform app.hold_back(v_job.company_id, 'public.jobs', v_job.id, 'deleted ' || v_rows.parts_deleted);
        continue;
      end if;
      insert into public.jobs_archive (company_id, id, job_number, customer_id, property_id, assigned_to, crew, title, status,
                                       completed_at, total_amount, currency, job, children, created_at)
      values (v_job.company_id, v_job.id, v_job.job_number, v_job.customer_id, v_job.property_id, v_job.assigned_to, v_job.crew,
              v_job.title, v_job.status, coalesce(v_job.actual_end, v_job.updated_at), v_job.total_amount, v_job.currency,
              to_jsonb(v_job) - app.secret_columns('public.jobs'), v_rows.shared, v_job.created_at);
      if v_rows.restricted <> '{}' then
        insert into public.jobs_archive_restricted (company_id, id, children)
        values (v_job.company_id, v_job.id, v_rows.restricted);
      end if;
      delete from public.jobs j where j.company_id = v_job.company_id and j.id = v_job.id;
      delete from app.retention_held h
       where h.company_id = v_job.company_id and h.table_name = 'public.jobs' and h.row_id = v_job.id;
    exception when others then
      get stacked diagnostics v_state = returned_sqlstate, v_rule = constraint_name;
      if v_state ~ '^(53|57|58|XX)' then
        raise;
      end if;
      perform app.hold_back(v_job.company_id, 'public.jobs', v_job.id, coalesce(nullif(v_rule, ''), v_state));
    end;
  end loop;
  return v_count;
end $$;
alter function app.archive_jobs(integer) owner to app_definer;
revoke all on function app.archive_jobs(integer) from public;
