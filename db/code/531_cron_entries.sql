-- Making, changing and taking back what comes again and again. Invariant: whose an entry is was told by the rights of whoever made it,
-- never by a word of his: each maker has a function of his own, which nobody else may call. SQL text is the service's and a project's;
-- a member schedules kinds of tasks that he could put in himself.

select app.protect('app.cron_entries', 'cron', p_verbs => '{read}');
select app.protect('app.cron_states', 'cron', p_verbs => '{read}');
select app.protect('app.cron_runs', 'cron', p_verbs => '{read}');
revoke all on app.cron_rules, app.project_logins from public, anon, authenticated, service_role;
grant select on app.project_logins to service_role;

-- What the server says of schedules.
create or replace function app.declare_cron_rules(p_rules jsonb) returns void
  language sql volatile security definer
  set search_path = ''
begin atomic
  update app.cron_rules r
     set entries_per_company_max = (p_rules ->> 'entries_per_company_max')::integer,
         entries_of_service_max = (p_rules ->> 'entries_of_service_max')::integer,
         interval_minutes_min = (p_rules ->> 'interval_minutes_min')::integer
   where (r.entries_per_company_max, r.entries_of_service_max, r.interval_minutes_min)
         is distinct from ((p_rules ->> 'entries_per_company_max')::integer, (p_rules ->> 'entries_of_service_max')::integer,
                           (p_rules ->> 'interval_minutes_min')::integer);
end;
alter function app.declare_cron_rules(jsonb) owner to app_definer;
revoke all on function app.declare_cron_rules(jsonb) from public;
grant execute on function app.declare_cron_rules(jsonb) to service_role;

-- A schedule may begin with CRON_TZ=Europe/Berlin.
create or replace function app.split_schedule(p_schedule text) returns text[]
  language sql immutable
  set search_path = ''
  return case when p_schedule ~ '^\s*(CRON_)?TZ=\S+\s'
              then array[regexp_replace(p_schedule, '^\s*(CRON_)?TZ=(\S+)\s.*$', '\2'), btrim(regexp_replace(p_schedule, '^\s*(CRON_)?TZ=\S+\s', ''))]
              else array[null, btrim(p_schedule)] end;
revoke all on function app.split_schedule(text) from public;
grant execute on function app.split_schedule(text) to app_definer;

create or replace function app.check_schedule(p_schedule text, p_zone text, p_minutes_min integer) returns void
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_fault constant text := app.cron_fault(p_schedule, p_minutes_min);
begin
  if v_fault is not null then
    raise exception using errcode = '22023', message = format('invalid schedule: %s', left(coalesce(p_schedule, ''), 200)),
      detail = v_fault, hint = 'Five fields as "5 4 * * *", or @daily; before them CRON_TZ=Europe/Berlin names a zone.';
  elsif not app.is_time_zone(p_zone) then
    raise exception using errcode = '22023', message = format('"%s" is not a time zone.', left(coalesce(p_zone, ''), 100)),
      hint = 'Use a name such as America/New_York.';
  end if;
end $$;
revoke all on function app.check_schedule(text, text, integer) from public;
grant execute on function app.check_schedule(text, text, integer) to app_definer;

-- Has a process compute anew when an entry comes next; one that is paused never does.
create or replace function app.plan_anew(p_company_id uuid, p_id bigint) returns void
  language sql volatile
  set search_path = ''
as $$
  select app.keep_to_company(p_company_id);
  insert into app.cron_states as s (company_id, entry_id, next_run_at)
  select e.company_id, e.number, case when e.is_active then timestamptz '-infinity' else 'infinity' end
    from app.cron_entries e where e.company_id = p_company_id and e.number = p_id
  on conflict (company_id, entry_id) do update set next_run_at = excluded.next_run_at, fault = null
$$;
revoke all on function app.plan_anew(uuid, bigint) from public;
grant execute on function app.plan_anew(uuid, bigint) to app_definer, service_role;

-- Makes an entry, or changes the one of this maker, company and name.
create or replace function app.put_schedule(p_maker text, p_entry jsonb) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_works_for constant uuid := coalesce(app.company_id(), app.no_company());
  v_company   constant uuid := case p_maker when 'member' then v_works_for else app.no_company() end;
  v_parts     constant text[] := app.split_schedule(p_entry ->> 'schedule');
  v_zone      constant text := coalesce(v_parts[1], p_entry ->> 'time_zone', 'UTC');
  v_name      constant text := p_entry ->> 'name';
  v_rules     app.cron_rules;
  v_most      integer;
  v_id        bigint;
begin
  select * into v_rules from app.cron_rules;
  perform app.check_schedule(v_parts[2], v_zone, case p_maker when 'member' then v_rules.interval_minutes_min else 1 end);
  if length(v_name) not between 1 and 200 then
    raise exception using errcode = '22023', message = 'The name of a schedule has 1 to 200 letters.';
  elsif coalesce(p_entry ->> 'missed', 'skip') not in ('skip', 'one', 'all') then
    raise exception using errcode = '22023', message = 'What becomes of missed times is skip, one or all.';
  elsif p_entry ? 'command' and length(coalesce(btrim(p_entry ->> 'command'), '')) not between 1 and 65536 then
    raise exception using errcode = '22023', message = 'A command is SQL of up to 65536 letters.';
  elsif octet_length((p_entry -> 'payload')::text) > 65536 then
    raise exception using errcode = '22023', message = 'The payload of a schedule has up to 65536 bytes.';
  end if;
  -- One after the other, so that none comes in beside the count.
  perform pg_advisory_xact_lock(hashtextextended('schedules ' || v_company || p_maker, 0));
  select e.number into v_id from app.cron_entries e
   where e.company_id = v_company and e.maker = p_maker and e.works_for = v_works_for and e.name = v_name;
  if found then
    update app.cron_entries e
       set schedule = v_parts[2], time_zone = v_zone, kind = p_entry ->> 'kind',
           payload = coalesce(p_entry -> 'payload', '{}'), command = p_entry ->> 'command',
           missed = coalesce(p_entry ->> 'missed', 'skip'), is_active = coalesce((p_entry ->> 'is_active')::boolean, e.is_active),
           created_by = auth.uid(), counts_from = now()
     where e.company_id = v_company and e.number = v_id;
    perform app.plan_anew(v_company, v_id);
    return v_id;
  end if;
  v_most := case p_maker when 'member' then v_rules.entries_per_company_max else v_rules.entries_of_service_max end;
  if (select count(*) from app.cron_entries e where e.company_id = v_company and e.maker = p_maker) >= v_most then
    raise exception using errcode = 'TH409', constraint = 'schedules_too_many', message = format('There are %s schedules already.', v_most),
      hint = 'Take one back that is not needed any more.';
  end if;
  insert into app.cron_entries (company_id, maker, name, schedule, time_zone, works_for, kind, payload, command, missed, is_active, created_by)
  values (v_company, p_maker, v_name, v_parts[2], v_zone, v_works_for, p_entry ->> 'kind', coalesce(p_entry -> 'payload', '{}'),
          p_entry ->> 'command', coalesce(p_entry ->> 'missed', 'skip'), coalesce((p_entry ->> 'is_active')::boolean, true), auth.uid())
  returning number into v_id;
  perform app.plan_anew(v_company, v_id);
  return v_id;
end $$;
alter function app.put_schedule(text, jsonb) owner to app_definer;
revoke all on function app.put_schedule(text, jsonb) from public;

-- Changes what is said of an entry of this maker, and leaves the rest.
create or replace function app.alter_schedule(p_maker text, p_id bigint, p_change jsonb) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_entry app.cron_entries;
  v_parts text[];
begin
  select * into v_entry from app.cron_entries e where e.company_id = app.no_company() and e.number = p_id and e.maker = p_maker for update;
  if not found then
    raise exception using errcode = '42704', message = format('Job %s does not exist or you don''t own it', p_id);
  end if;
  perform app.keep_to_company(v_entry.works_for);
  v_parts := app.split_schedule(coalesce(p_change ->> 'schedule', v_entry.schedule));
  v_parts[1] := coalesce(v_parts[1], v_entry.time_zone);
  perform app.check_schedule(v_parts[2], v_parts[1], 1);
  if length(btrim(p_change ->> 'command')) not between 1 and 65536 then
    raise exception using errcode = '22023', message = 'A command is SQL of up to 65536 letters.';
  end if;
  update app.cron_entries e
     set schedule = v_parts[2], time_zone = v_parts[1], command = coalesce(p_change ->> 'command', e.command),
         kind = case when p_change ? 'command' then null else e.kind end,
         is_active = coalesce((p_change ->> 'is_active')::boolean, e.is_active), counts_from = now()
   where e.company_id = v_entry.company_id and e.number = p_id;
  perform app.plan_anew(v_entry.company_id, p_id);
  return p_id;
end $$;
alter function app.alter_schedule(text, bigint, jsonb) owner to app_definer;
revoke all on function app.alter_schedule(text, bigint, jsonb) from public;

-- Takes an entry back, by its id or its name; what it ran stays known.
create or replace function app.drop_schedule(p_maker text, p_company_id uuid, p_id bigint, p_name text) returns boolean
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  delete from app.cron_entries e
   where e.company_id = p_company_id and e.maker = p_maker
     and case when p_id is null then e.name = p_name and e.works_for = coalesce(app.company_id(), app.no_company())
              else e.number = p_id and e.works_for in (coalesce(app.company_id(), e.works_for), app.no_company()) end;
  if not found then
    raise exception using errcode = '42704', message = format('could not find valid entry for job ''%s''', left(coalesce(p_id::text, p_name, ''), 200));
  end if;
  delete from app.cron_states s
   where s.company_id = p_company_id and not exists (select from app.cron_entries e where e.company_id = s.company_id and e.number = s.entry_id);
  return true;
end $$;
alter function app.drop_schedule(text, uuid, bigint, text) owner to app_definer;
revoke all on function app.drop_schedule(text, uuid, bigint, text) from public;

-- One function for each maker: that it may be called is what says who somebody is. Inside a function of a project that the service calls
-- the rights are the project's.
create or replace function app.schedule_for_service(p_act text, p_id bigint, p_said jsonb) returns bigint
  language sql volatile security definer
  set search_path = ''
  return case p_act when 'put' then app.put_schedule('service_role', p_said) when 'alter' then app.alter_schedule('service_role', p_id, p_said)
                    when 'drop' then app.drop_schedule('service_role', app.no_company(), p_id, p_said ->> 'name')::integer end;
alter function app.schedule_for_service(text, bigint, jsonb) owner to app_definer;
revoke all on function app.schedule_for_service(text, bigint, jsonb) from public;
grant execute on function app.schedule_for_service(text, bigint, jsonb) to service_role;

create or replace function app.schedule_for_project(p_act text, p_id bigint, p_said jsonb) returns bigint
  language sql volatile security definer
  set search_path = ''
  return case p_act when 'put' then app.put_schedule('project_owner', p_said) when 'alter' then app.alter_schedule('project_owner', p_id, p_said)
                    when 'drop' then app.drop_schedule('project_owner', app.no_company(), p_id, p_said ->> 'name')::integer end;
alter function app.schedule_for_project(text, bigint, jsonb) owner to app_definer;
revoke all on function app.schedule_for_project(text, bigint, jsonb) from public;

-- With a company goes what it had scheduled, and what others had scheduled to work for it.
create or replace function app.forget_company_schedules() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  delete from app.cron_entries e where e.company_id = old.id or e.works_for = old.id;
  delete from app.cron_states s where s.company_id = old.id;
  delete from app.cron_runs r where r.company_id = old.id or r.works_for = old.id;
  return null;
end $$;
alter function app.forget_company_schedules() owner to app_definer;
revoke all on function app.forget_company_schedules() from public;
create or replace trigger forget_schedules after delete on public.companies for each row execute function app.forget_company_schedules();
