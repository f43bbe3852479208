-- How a deleted company goes when its date has come: its rows in batches, children before what they hold on to, and at last itself.
-- Invariants: no row's fault stops another row, and no company's fault another company; what could not go is written down with what held
-- it and goes with the company itself; a server without room, or at its end, is no fault of a row.

-- The tables of companies, those first that others do not hold on to. What goes with its company alone is not among them.
create or replace function app.company_tables() returns setof text
  language sql stable
  set search_path = ''
as $$
  with recursive ours as (
    select t.table_name, to_regclass(t.table_name)::oid as id from app.protected_tables t
     where to_regclass(t.table_name) is not null and t.tenant_column = 'company_id' and t.table_name not in ('public.team_members', 'public.audit_logs')
  ), holds as (
    select distinct k.conrelid as child, k.confrelid as parent
      from pg_catalog.pg_constraint k join ours c on c.id = k.conrelid join ours p on p.id = k.confrelid
     where k.contype = 'f' and k.confdeltype in ('a', 'r', 'c') and k.conparentid = 0 and k.conrelid <> k.confrelid
  ), floors (id, floor) as (
    -- Keys that go in a circle end at some floor; those are then taken as they come.
    select o.id, 0 from ours o union select h.parent, f.floor + 1 from floors f join holds h on h.child = f.id where f.floor < 20
  )
  select o.table_name from ours o join floors f on f.id = o.id group by o.table_name order by max(f.floor), o.table_name
$$;
revoke all on function app.company_tables() from public;

-- A batch of the rows of one company in one table that were not held today; returns how many were tried.
create or replace function app.expire_rows(p_company_id uuid, p_table text, p_limit integer) returns bigint
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_key   text;
  v_batch text;
  v_row   record;
  v_state text;
  v_rule  text;
  v_count bigint := 0;
begin
  -- By its id, or else by all of its key, or else by all that it says.
  select coalesce(min('t.id') filter (where a.attname = 'id' and a.atttypid = 'uuid'::regtype),
                  format('md5(row(%s)::text)::uuid', coalesce(string_agg(format('t.%I', a.attname), ', ' order by a.attnum), 't.*'))) into v_key
    from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
   where i.indrelid = p_table::regclass and i.indisprimary;
  v_batch := format('select t.tableoid, t.ctid, %1$s as id from %2$s t
                      where t.company_id = $1 and not exists (select from app.retention_held h
                             where h.company_id = $1 and h.table_name = %3$L and h.row_id = %1$s and h.tried_at > now() - interval ''1 day'')
                      order by %1$s limit $2 for update of t skip locked', v_key, p_table::regclass, p_table);
  begin
    execute format('delete from %s where (tableoid, ctid) in (select b.tableoid, b.ctid from (%s) b)', p_table::regclass, v_batch)
      using p_company_id, p_limit;
    get diagnostics v_count = row_count;
    return v_count;
  exception when others then
    get stacked diagnostics v_state = returned_sqlstate;
    if app.is_fault_of_server(v_state) then
      raise;
    end if;
  end;
  for v_row in execute v_batch using p_company_id, p_limit loop
    begin
      execute format('delete from %s where tableoid = $1 and ctid = $2', p_table::regclass) using v_row.tableoid, v_row.ctid;
    exception when others then
      get stacked diagnostics v_state = returned_sqlstate, v_rule = constraint_name;
      if app.is_fault_of_server(v_state) then
        raise;
      end if;
      perform app.hold_back(p_company_id, p_table, v_row.id, coalesce(nullif(v_rule, ''), v_state));
    end;
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;
revoke all on function app.expire_rows(uuid, text, integer) from public;

-- Belongs to the owner of the tables, as whom the keys act when a company goes: what is kept for ever goes with its company alone.
create or replace function app.expire_company(p_limit integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_company uuid;
  v_table   text;
  v_state   text;
  v_rule    text;
  v_count   bigint := 0;
begin
  if p_limit not between 1 and 10000 then
    raise exception using errcode = '22023', message = 'a batch has 1 to 10000 rows';
  end if;
  select c.id into v_company
    from public.companies c
    left join app.retention_held h on h.company_id = c.id and h.table_name = 'public.companies' and h.row_id = c.id
   where c.deleted_at is not null and c.permanent_delete_scheduled_at <= now()
     and (h.tried_at is null or h.tried_at <= now() - interval '1 day')
   order by h.tried_at nulls first, c.permanent_delete_scheduled_at, c.id limit 1 for update of c skip locked;
  if not found then
    return 0;
  end if;
  for v_table in select * from app.company_tables() loop
    exit when v_count >= p_limit;
    v_count := v_count + app.expire_rows(v_company, v_table, p_limit - v_count::integer);
  end loop;
  if v_count > 0 then
    return v_count;
  end if;
  -- What is left goes with it at once, in whatever time a statement has: if that is too short, the others get their turn.
  begin
    delete from public.companies c where c.id = v_company;
    -- They have no key to it, so that what goes with a company can be told of.
    delete from app.events e where e.company_id = v_company;
  exception when query_canceled or others then
    get stacked diagnostics v_state = returned_sqlstate, v_rule = constraint_name;
    if v_state <> '57014' and app.is_fault_of_server(v_state) then
      raise;
    end if;
    perform app.hold_back(v_company, 'public.companies', v_company, coalesce(nullif(v_rule, ''), v_state));
  end;
  return 1;
end $$;
comment on function app.expire_company(integer) is
  'Takes away a batch of the rows of a company whose date has come, and the company itself with the last of them; returns how many were
   tried. What could not go stands in app.retention_held.';
revoke all on function app.expire_company(integer) from public;
grant execute on function app.expire_company(integer) to service_role;
