-- The lines of a document are rows; `line_items` of its header is the same lines as a JSON array, in step both ways.
-- Invariant: header.line_items is what app.lines_of() makes of the rows, at the end of every statement.
--
-- How a table of documents gets it: a column `line_items jsonb not null default '[]'` on the header, a lines table with id,
-- position, quantity, unit_price, total (and discount_amount, where lines have one), and one call of app.keep_line_items. Then
-- - a write of the header's line_items is made canonical before (ids, positions, defaults, totals: what RETURNING shows is
--   what is kept) and replaces the rows after it, in the same statement. A line keeps its row where its id is sent along, and
--   gets what was not sent by default. A total that is sent along is not believed: it is computed.
-- - a write of rows locks the header FOR NO KEY UPDATE and writes their JSON into it.
-- Totals of the header are thus computed in one place, a BEFORE trigger of the header that reads new.line_items and that is
-- named behind `calculate_lines`; and lines are frozen in one place, a BEFORE trigger that compares new.line_items with the old.

-- For the WHEN of triggers: whether this is a figure that another trigger computed. (Inside of a trigger's function its depth
-- is one more.)
create or replace function app.is_computed_write() returns boolean
  language sql stable parallel restricted
  return current_user = 'app_definer' and pg_trigger_depth() > 0;
revoke all on function app.is_computed_write() from public;
grant execute on function app.is_computed_write() to anon, authenticated, service_role, app_definer;

create or replace function app.line_total(p_quantity numeric, p_unit_price bigint, p_discount bigint) returns bigint
  language plpgsql immutable parallel safe
  set search_path = ''
as $$
declare
  -- numeric rounds half away from zero.
  v_total constant numeric := round(p_quantity * p_unit_price) - p_discount;
begin
  -- A price below zero is refused by the row itself.
  if v_total < 0 and p_discount > 0 then
    raise exception using errcode = 'TH422', constraint = 'line_discount_too_large',
      message = 'The discount of a line cannot be larger than its amount.';
  end if;
  return v_total::bigint;
end $$;
comment on function app.line_total(numeric, bigint, bigint) is
  'Quantity times unit price, rounded half away from zero, less the discount.';
revoke all on function app.line_total(numeric, bigint, bigint) from public;
grant execute on function app.line_total(numeric, bigint, bigint) to authenticated, service_role, app_definer;

-- What of a line is not in its JSON: whose it is, and what is of the row alone.
create or replace function app.line_shadows(p_column text) returns text[]
  language sql immutable parallel safe
  return array['company_id', p_column, 'version', 'created_at', 'updated_at'];
revoke all on function app.line_shadows(text) from public;
grant execute on function app.line_shadows(text) to app_definer;

create or replace function app.lines_of(p_lines regclass, p_column text, p_company_id uuid, p_id uuid) returns jsonb
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_result jsonb;
begin
  execute format('select coalesce(jsonb_agg(to_jsonb(l) - $3 order by l.position, l.id), ''[]'')
                    from %s l where l.company_id = $1 and l.%I = $2', p_lines, p_column)
     into v_result using p_company_id, p_id, app.line_shadows(p_column);
  return v_result;
end $$;
comment on function app.lines_of(regclass, text, uuid, uuid) is 'The lines of one document as JSON, in their order.';
revoke all on function app.lines_of(regclass, text, uuid, uuid) from public;
grant execute on function app.lines_of(regclass, text, uuid, uuid) to app_definer;

-- What a line has where nothing is said: the defaults of its columns.
create or replace function app.line_defaults(p_lines regclass, p_column text) returns jsonb
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_list   text;
  v_result jsonb;
begin
  select string_agg(format('%L, %s', a.attname, pg_catalog.pg_get_expr(d.adbin, d.adrelid)), ', ') into v_list
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
   where a.attrelid = p_lines and a.attnum > 0 and not a.attisdropped
     and a.attname <> all (app.line_shadows(p_column) || '{id}'::text[]);
  execute format('select jsonb_build_object(%s)', v_list) into v_result;
  return v_result;
end $$;
revoke all on function app.line_defaults(regclass, text) from public;
grant execute on function app.line_defaults(regclass, text) to app_definer;

create or replace function app.check_line_items(p_items jsonb, p_lines regclass) returns void
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_most constant integer := 500;
  v_fault text;
begin
  if jsonb_typeof(p_items) <> 'array' then
    v_fault := 'line_items is an array of objects.';
  elsif jsonb_array_length(p_items) > v_most then
    v_fault := format('A document has at most %s lines.', v_most);
  elsif exists (select from jsonb_array_elements(p_items) e where jsonb_typeof(e.value) <> 'object') then
    v_fault := 'Each of the line_items is an object.';
  else
    select format('A line has no "%s".', left(k.key, 80)) into v_fault
      from jsonb_array_elements(p_items) e cross join lateral jsonb_object_keys(e.value) k (key)
     where not exists (select from pg_catalog.pg_attribute a
                        where a.attrelid = p_lines and a.attname = k.key and a.attnum > 0 and not a.attisdropped)
     limit 1;
  end if;
  if v_fault is not null then
    raise exception using errcode = 'TH422', constraint = 'line_items_invalid', message = v_fault,
      hint = 'A line is written like {"description": "Filter", "quantity": 2, "unit_price": 1250}, with prices in minor units.';
  end if;
end $$;
revoke all on function app.check_line_items(jsonb, regclass) from public;
grant execute on function app.check_line_items(jsonb, regclass) to app_definer;

-- Before a header is written: makes its line_items what the rows will be. Arguments: lines table, its column that names the
-- header, the noun of the lines, and columns of the lines, by commas, that are kept as the row has them.
create or replace function app.read_line_items() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_lines  constant regclass := tg_argv[0]::regclass;
  v_column constant text := tg_argv[1];
  v_kept   constant text[] := coalesce(string_to_array(nullif(tg_argv[3], ''), ','), '{}');
begin
  new.line_items := coalesce(new.line_items, '[]');
  perform app.check_line_items(new.line_items, v_lines);
  -- An id that is another document's line, or that was said before, is replaced by a new one.
  execute format($f$
    with said as (
      select e.n, jsonb_strip_nulls(e.value) - $4 as line, (e.value ->> 'id')::uuid as id,
             row_number() over (partition by (e.value ->> 'id')::uuid order by e.n) as repeated
        from jsonb_array_elements($1) with ordinality e (value, n)
    ), named as (
      select s.n, s.line, (select to_jsonb(l) from %1$s l where l.company_id = $2 and l.%2$I = $3 and l.id = s.id) as found,
             case when s.id is null or s.repeated > 1
                    or exists (select from %1$s l where l.company_id = $2 and l.id = s.id and l.%2$I <> $3)
                  then app.uuid_v7() else s.id end as id
        from said s
    ), typed as (
      select n.n, to_jsonb(jsonb_populate_record(null::%1$s, $5 || n.line
               || coalesce((select jsonb_object_agg(k.key, k.value) from jsonb_each(n.found) k where k.key = any ($4)), '{}')
               || jsonb_build_object('id', n.id, 'position', n.n - 1))) as line
        from named n
    )
    select coalesce(jsonb_agg((t.line || jsonb_build_object('total',
             app.line_total((t.line ->> 'quantity')::numeric, (t.line ->> 'unit_price')::bigint,
                            coalesce((t.line ->> 'discount_amount')::bigint, 0)))) - $6 order by t.n), '[]')
      from typed t $f$, v_lines, v_column)
     into new.line_items
    using new.line_items, new.company_id, new.id, v_kept, app.line_defaults(v_lines, v_column), app.line_shadows(v_column);
  return new;
end $$;
alter function app.read_line_items() owner to app_definer;
revoke all on function app.read_line_items() from public;

create or replace function app.check_line_permission(p_noun text, p_verb text) returns void
  language plpgsql stable
  set search_path = ''
as $$
begin
  -- The setting says who asks, also inside of definer functions. Which documents are his the header's own policies have said.
  if current_setting('role', true) = 'authenticated'
     and not app.has_permission(p_noun || ':' || p_verb) and not app.has_permission(p_noun || ':' || p_verb || '_assigned') then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = format('You need the permission %s:%s.', p_noun, p_verb);
  end if;
end $$;
revoke all on function app.check_line_permission(text, text) from public;
grant execute on function app.check_line_permission(text, text) to app_definer;

-- After a header was written: replaces the rows. Arguments as above.
create or replace function app.write_line_items() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_lines  constant regclass := tg_argv[0]::regclass;
  v_column constant text := tg_argv[1];
  v_noun   constant text := tg_argv[2];
  v_before constant jsonb := case when tg_op = 'UPDATE' then old.line_items else '[]' end;
  v_change record;
  v_list   text;
  v_kept   integer;
begin
  select count(*) filter (where a.line is null) as removed, count(*) filter (where b.line is null) as added,
         count(*) filter (where a.line <> b.line) as changed into v_change
    from (select e.value as line from jsonb_array_elements(v_before) e) b
    full join (select e.value as line from jsonb_array_elements(new.line_items) e) a on a.line ->> 'id' = b.line ->> 'id';
  if v_change.added > 0 then perform app.check_line_permission(v_noun, 'create'); end if;
  if v_change.changed > 0 then perform app.check_line_permission(v_noun, 'update'); end if;
  if v_change.removed > 0 then perform app.check_line_permission(v_noun, 'delete'); end if;

  -- Who edits a single line holds it and waits for the header, which is held here: waiting for him would be a deadlock.
  begin
    execute format('select 1 from %s l where l.company_id = $1 and l.%I = $2 for no key update nowait', v_lines, v_column)
      using new.company_id, new.id;
  exception when lock_not_available then
    raise exception using errcode = 'TH409', constraint = 'line_items_busy',
      message = 'Somebody is changing one of the lines at this moment.', hint = 'Read the document and try again.';
  end;

  select string_agg(quote_ident(a.attname), ', ' order by a.attnum) into v_list
    from pg_catalog.pg_attribute a
   where a.attrelid = v_lines and a.attnum > 0 and not a.attisdropped
     and a.attname <> all (app.line_shadows(v_column) || '{id}'::text[]);
  -- One statement, so that the triggers of the rows see them only when they are complete.
  execute format($f$
    with wanted as (select w.* from jsonb_populate_recordset(null::%1$s, $3) w),
    removed as (
      delete from %1$s l
       where l.company_id = $1 and l.%2$I = $2 and not exists (select from wanted w where w.id = l.id)
    )
    insert into %1$s as l (company_id, %2$I, id, %3$s)
    select $1, $2, w.id, %4$s from wanted w
    on conflict (company_id, id) do update
       set (%3$s, version, updated_at) = row(%5$s, l.version + 1, now())
     where l.%2$I = $2 and (%6$s) is distinct from (%5$s) $f$,
    v_lines, v_column, v_list, 'w.' || replace(v_list, ', ', ', w.'), 'excluded.' || replace(v_list, ', ', ', excluded.'),
    'l.' || replace(v_list, ', ', ', l.')) using new.company_id, new.id, new.line_items;
  execute format('select count(*) from %s l where l.company_id = $1 and l.%I = $2', v_lines, v_column)
     into v_kept using new.company_id, new.id;
  if v_kept <> jsonb_array_length(new.line_items) then
    raise exception using errcode = 'TH409', constraint = 'line_items_busy',
      message = 'An id of these lines was given to another document at this moment.', hint = 'Read the document and try again.';
  end if;
  return null;
end $$;
alter function app.write_line_items() owner to app_definer;
revoke all on function app.write_line_items() from public;
