-- Statuses: which move is allowed and what a row needs first, for every table that has them, by one trigger and one declared table.

create or replace function app.declare_statuses(p_table regclass, p_statuses jsonb) returns void
  language plpgsql
  set search_path = ''
as $$
begin
  delete from app.statuses s where s.table_name = p_table::text and not p_statuses ? s.status;
  insert into app.statuses as s (table_name, status, next, needs, is_first, instead)
  select p_table::text, e.key,
         coalesce((select array_agg(n.value) from jsonb_array_elements_text(e.value -> 'next') n), '{}'),
         coalesce((select array_agg(n.value) from jsonb_array_elements_text(e.value -> 'needs') n), '{}'),
         coalesce((e.value ->> 'first')::boolean, false), e.value ->> 'instead'
    from jsonb_each(p_statuses) e
  on conflict (table_name, status) do update
     set next = excluded.next, needs = excluded.needs, is_first = excluded.is_first, instead = excluded.instead
   where (s.next, s.needs, s.is_first, s.instead)
           is distinct from (excluded.next, excluded.needs, excluded.is_first, excluded.instead);
end $$;
comment on function app.declare_statuses(regclass, jsonb) is
  'Declares the statuses of a table: {"sent": {"next": ["paid"], "needs": ["customer_id"], "first": true}, "void": {"instead": "cancelled"}}.';
revoke all on function app.declare_statuses(regclass, jsonb) from public;

-- Trigger before insert or update; its argument is what one row is called, which begins the codes of its refusals.
create or replace function app.guard_status() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_noun    constant text := tg_argv[0];
  v_label   constant text := replace(v_noun, '_', ' ');
  v_table   constant text := tg_relid::regclass::text;
  v_from    text;
  v_old     app.statuses;
  v_new     app.statuses;
  v_row     jsonb;
  v_missing text[];
begin
  if tg_op = 'UPDATE' then
    v_from := old.status;
  end if;
  -- What a key takes away when another row goes is no edit; what a member or the service takes away is.
  if new.status is not distinct from v_from and current_user not in ('authenticated', 'service_role') then
    return new;
  end if;
  select * into v_new from app.statuses s where s.table_name = v_table and s.status = new.status;
  if not found then
    return new; -- The table's check names the column and refuses.
  end if;
  if v_new.instead is not null then
    raise exception using errcode = 'TH422', constraint = format('%s_status_%s', v_noun, new.status),
      message = format('%s %s has no status "%s".', case when v_noun ~ '^[aeiou]' then 'An' else 'A' end, v_label, new.status),
      hint = format('Use "%s".', v_new.instead);
  end if;
  if new.status is distinct from v_from then
    if tg_op = 'INSERT' then
      if current_user = 'authenticated' and not v_new.is_first then
        raise exception using errcode = 'TH422', constraint = v_noun || '_transition_invalid',
          message = format('A new %s cannot be %s.', v_label, new.status),
          hint = format('A new %s is %s.', v_label,
                        (select string_agg(s.status, ', ' order by s.status) from app.statuses s
                          where s.table_name = v_table and s.is_first));
      end if;
    else
      select * into v_old from app.statuses s where s.table_name = v_table and s.status = v_from;
      if new.status <> all (v_old.next) then
        raise exception using errcode = 'TH422', constraint = v_noun || '_transition_invalid',
          message = format('%s %s cannot go from %s to %s.', case when v_noun ~ '^[aeiou]' then 'An' else 'A' end, v_label, v_from, new.status),
          hint = case when v_old.next = '{}' then format('%s is final.', v_from)
                      else format('From %s it can go to: %s.', v_from, array_to_string(v_old.next, ', ')) end;
      end if;
    end if;
  end if;
  if v_new.needs <> '{}' then
    v_row := to_jsonb(new);
    select array_agg(split_part(n.need, '|', 1)) into v_missing
      from unnest(v_new.needs) n (need)
     where not exists (select from unnest(string_to_array(n.need, '|')) c (name)
                        where coalesce(v_row ->> c.name, '') not in ('', '0'));
    if v_missing is not null then
      raise exception using errcode = 'TH422', constraint = v_noun || '_requirement_missing',
        message = format('%s %s that is %s needs %s.', case when v_noun ~ '^[aeiou]' then 'An' else 'A' end, v_label, new.status,
                         array_to_string(v_missing, ', ')),
        detail = array_to_string(v_missing, ',');
    end if;
  end if;
  return new;
end $$;
comment on function app.guard_status() is 'Before insert or update: refuses moves that app.statuses does not allow, and rows that lack what their status needs.';
revoke all on function app.guard_status() from public;

drop policy if exists declared_read on app.statuses;
create policy declared_read on app.statuses as permissive for select to anon, authenticated using (true);
revoke all on app.statuses from public, anon, authenticated, service_role;
grant select on app.statuses to anon, authenticated, service_role;
