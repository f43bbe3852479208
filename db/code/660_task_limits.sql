-- How many tasks run at once and what share a company has, changed while everything runs.
-- Invariant: these are between companies, so that the operator alone says them; what has begun goes on, and what waits is woken within
-- the time of one look after tasks.

create or replace function public.set_task_limit(limited text, kind text default null, company_id uuid default null, value integer default null)
  returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_variable
declare
  v_kind    constant text := set_task_limit.kind;
  v_company constant uuid := set_task_limit.company_id;
begin
  perform app.keep_to_company(coalesce(v_company, app.no_company()));
  -- Whoever works for one company sets what is within it, and neither what is of all nor its share among them.
  if app.company_id() is not null and (v_company is distinct from app.company_id() or limited = 'weight') then
    raise exception using errcode = '42501', message = 'Whoever works for one company sets no limit of others.';
  end if;
  if v_kind is not null and not exists (select from app.task_kinds k where k.name = v_kind) then
    raise exception using errcode = 'TH422', constraint = 'task_kind_unknown', message = format('There is no kind of task "%s".', left(v_kind, 80));
  elsif v_company is not null and not exists (select from public.companies c where c.id = v_company) then
    raise exception using errcode = 'TH422', constraint = 'task_limit_invalid', message = 'There is no such company.';
  elsif coalesce(limited not in ('running', 'per_company', 'per_key', 'weight'), true)
        or value not between 1 and (case limited when 'weight' then 100 else 1000000 end)
        or v_kind is null and v_company is null
        or limited in ('per_company', 'per_key') and (v_kind is null or v_company is not null)
        or limited = 'weight' and (v_kind is not null or v_company is null) then
    raise exception using errcode = 'TH422', constraint = 'task_limit_invalid', message = 'There is no such limit.',
      hint = 'running is of a kind, a company or a kind of a company, per_company and per_key are of a kind, 1 to 1000000 each; weight is of a company, 1 to 100. '
             'Nothing may begin where it is paused.';
  end if;
  if v_company is null then
    update app.task_kinds k
       set max_running = case limited when 'running' then value else k.max_running end,
           max_running_per_company = case limited when 'per_company' then value else k.max_running_per_company end,
           max_running_per_key = case limited when 'per_key' then value else k.max_running_per_key end
     where k.name = v_kind;
  elsif limited = 'weight' then
    insert into app.task_limits as l (company_id, kind, weight) values (v_company, '*', coalesce(value, 1))
        on conflict on constraint task_limits_pkey do update set weight = excluded.weight;
  else
    insert into app.task_limits as l (company_id, kind, max_running) values (v_company, coalesce(v_kind, '*'), value)
        on conflict on constraint task_limits_pkey do update set max_running = excluded.max_running;
  end if;
end $$;
comment on function public.set_task_limit(text, text, uuid, integer) is
  'Limits how many tasks of a kind or company run at once, or gives a company its weight; without a value there is no limit. For the service.';
alter function public.set_task_limit(text, text, uuid, integer) owner to app_definer;
revoke all on function public.set_task_limit(text, text, uuid, integer) from public;
grant execute on function public.set_task_limit(text, text, uuid, integer) to service_role;

create or replace function public.task_limits()
  returns table (kind text, company_id uuid, limited text, value integer, running integer)
  language sql stable security definer
  set search_path = ''
as $$
  select l.kind, l.company_id, l.limited, l.value, case when l.lane is not null then coalesce(s.running, 0) end
    from (select k.name, null::uuid, x.limited, x.value, x.lane
            from app.task_kinds k
           cross join lateral (values ('running', k.max_running, 'kind:' || k.name), ('per_company', k.max_running_per_company, null),
                                      ('per_key', k.max_running_per_key, null)) x (limited, value, lane)
          union all
          select nullif(t.kind, '*'), t.company_id, x.limited, x.value, x.lane
            from app.task_limits t
           cross join lateral (values ('running', t.max_running, 'company:' || t.company_id || case when t.kind <> '*' then ':' || t.kind else '' end),
                                      ('weight', nullif(t.weight, 1)::integer, null)) x (limited, value, lane)
           where t.company_id = coalesce(app.company_id(), t.company_id)) l (kind, company_id, limited, value, lane)
    left join app.task_slots s on s.lane = l.lane
   where l.value is not null
   order by l.company_id nulls first, l.kind nulls first, l.limited
   limit 10000
$$;
comment on function public.task_limits() is
  'How many tasks may run at once, of what, and how many do where that is counted in one place; and weights of companies. For the service.';
alter function public.task_limits() owner to app_definer;
revoke all on function public.task_limits() from public;
grant execute on function public.task_limits() to service_role;
