-- The other half of 195_line_items.sql: rows of lines that are written one by one, and the call that declares a table of
-- documents.

-- Before a line is written: its total. One that is said has to be the right one.
create or replace function app.calculate_line() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_total constant bigint := app.line_total(new.quantity, new.unit_price,
                                            coalesce((to_jsonb(new) ->> 'discount_amount')::bigint, 0));
begin
  if new.total <> v_total and new.total is distinct from (case when tg_op = 'UPDATE' then old.total else 0 end) then
    raise exception using errcode = 'TH422', constraint = 'line_total_computed',
      message = format('The total of a line is computed: this one is %s.', v_total),
      hint = 'It is quantity times unit_price, rounded, less discount_amount. Leave total out.';
  end if;
  new.total := v_total;
  return new;
end $$;
revoke all on function app.calculate_line() from public;

-- After a member changed rows: whoever may not change the document may not change its lines. His own policies say so, since a
-- row that is locked for an update has to be one that he may update. Arguments: header table, the column that names the
-- header, the header's noun.
create or replace function app.authorize_line_rows() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_row   record;
  v_found boolean;
begin
  for v_row in execute format('select distinct r.company_id, r.%I as id from %s r order by 1, 2', tg_argv[1],
                              case tg_op when 'INSERT' then 'made' when 'DELETE' then 'gone'
                                   else '(select * from made union all select * from gone)' end)
  loop
    execute format('select true from %s h where h.company_id = $1 and h.id = $2 for no key update', tg_argv[0]::regclass)
       into v_found using v_row.company_id, v_row.id;
    if v_found is null then
      raise exception using errcode = 'TH403', constraint = 'permission_denied',
        message = format('You need the permission %s:update to change these lines.', tg_argv[2]);
    end if;
  end loop;
  return null;
end $$;
revoke all on function app.authorize_line_rows() from public;

-- After rows changed: their JSON goes into the headers, whose own triggers compute their totals. Arguments: header table, lines
-- table, the column that names the header.
create or replace function app.sync_line_items() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_header constant regclass := tg_argv[0]::regclass;
  v_rows   constant text := format('select distinct r.company_id, r.%I as id from %s r', tg_argv[2],
                                   case tg_op when 'INSERT' then 'made' when 'DELETE' then 'gone'
                                        else '(select * from made union all select * from gone)' end);
  v_wanted bigint;
  v_found  bigint;
begin
  -- In one order, so that two statements over the same documents wait and do not block each other. FOR UPDATE would be a deadlock
  -- with the lock that the lines' foreign key holds.
  execute format('select (select count(*) from (%1$s) w), (select count(*) from (
                    select from %2$s h join (%1$s) w on w.company_id = h.company_id and w.id = h.id
                     order by h.company_id, h.id for no key update of h) l)', v_rows, v_header)
     into v_wanted, v_found;
  -- A document that goes takes its lines along.
  if v_found <> v_wanted and tg_op <> 'DELETE' then
    raise exception 'the lines of % documents belong to % of %', v_wanted, v_found, v_header;
  end if;
  -- Only now, with the locks: what was committed while waiting is seen. One statement, so that what follows from many documents is
  -- looked at once.
  execute format('update %2$s h set line_items = n.lines
                    from (%1$s) w cross join lateral app.lines_of($1, $2, w.company_id, w.id) n (lines)
                   where h.company_id = w.company_id and h.id = w.id and h.line_items is distinct from n.lines', v_rows, v_header)
    using tg_argv[1]::regclass, tg_argv[2];
  return null;
end $$;
alter function app.sync_line_items() owner to app_definer;
revoke all on function app.sync_line_items() from public;

create or replace function app.keep_line_items(
  p_header regclass, p_header_noun text, p_lines regclass, p_column text, p_lines_noun text, p_kept text[] default '{}'
) returns void
  language plpgsql
  set search_path = ''
as $$
declare
  v_arguments constant text := format('%L, %L, %L, %L', p_lines::text, p_column, p_lines_noun, array_to_string(p_kept, ','));
  v_event record;
begin
  execute format('create or replace trigger calculate_lines before update on %s
                    for each row when (new.line_items is distinct from old.line_items and not app.is_computed_write()
                                       and app.is_within_reach(new.company_id))
                    execute function app.read_line_items(%s)', p_header, v_arguments);
  execute format('create or replace trigger calculate_lines_first before insert on %s
                    for each row when (new.line_items is distinct from ''[]'' and app.is_within_reach(new.company_id))
                    execute function app.read_line_items(%s)', p_header, v_arguments);
  execute format('create or replace trigger write_lines after update on %s
                    for each row when (new.line_items is distinct from old.line_items and not app.is_computed_write())
                    execute function app.write_line_items(%s)', p_header, v_arguments);
  execute format('create or replace trigger write_lines_first after insert on %s
                    for each row when (new.line_items <> ''[]'')
                    execute function app.write_line_items(%s)', p_header, v_arguments);
  execute format('create or replace trigger calculate before insert or update on %s for each row
                    execute function app.calculate_line()',
                 p_lines);
  for v_event in
    select * from (values ('insert', 'new table as made'), ('delete', 'old table as gone'),
                          ('update', 'new table as made old table as gone')) e (name, tables)
  loop
    execute format('create or replace trigger authorize_%1$s after %1$s on %2$s referencing %3$s
                      for each statement when (current_user = ''authenticated'')
                      execute function app.authorize_line_rows(%4$L, %5$L, %6$L)',
                   v_event.name, p_lines, v_event.tables, p_header::text, p_column, p_header_noun);
    execute format('create or replace trigger sync_%1$s after %1$s on %2$s referencing %3$s
                      for each statement execute function app.sync_line_items(%4$L, %5$L, %6$L)',
                   v_event.name, p_lines, v_event.tables, p_header::text, p_lines::text, p_column);
  end loop;
end $$;
comment on function app.keep_line_items(regclass, text, regclass, text, text, text[]) is
  'Keeps the lines of a table of documents and its line_items in step. p_kept: columns of the lines that JSON does not write.';
revoke all on function app.keep_line_items(regclass, text, regclass, text, text, text[]) from public;
