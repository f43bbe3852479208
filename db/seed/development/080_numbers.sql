-- Numbers that were brought along are not given again: every counter of the demo company stands at least at its highest number. Most
-- triggers take note of what a row brings; those that number a row later, when it is issued, see only the rows without one.

do $$
declare
  v_number record;
begin
  -- The arguments of app.number_row: column, kind, prefix, digits, 'yearly'.
  for v_number in
    select distinct t.tgrelid::regclass as table_name, a.said[1] as column_name, a.said[2] as kind, a.said[3] as prefix,
           coalesce(a.said[5] = 'yearly', false) as is_yearly
      from pg_catalog.pg_trigger t
      cross join lateral (select string_to_array(encode(t.tgargs, 'escape'), '\000') as said) a
     where t.tgfoid = 'app.number_row'::regproc
  loop
    execute format($f$
      insert into app.counters as c (company_id, name, value)
      select n.company_id, %L || case when n.part[1] <> '' then '-' || n.part[1] else '' end, max(n.part[2]::bigint)
        from (select r.company_id, regexp_match(r.%I, %L) as part from %s r
               where r.company_id = '01900000-0000-7000-8000-000000000001') n
       where n.part is not null
       group by 1, 2
      on conflict (company_id, name) do update set value = excluded.value where c.value < excluded.value $f$,
      v_number.kind, v_number.column_name,
      '^' || v_number.prefix || case when v_number.is_yearly then '-(\d{4})' else '()' end || '-(\d{1,12})$', v_number.table_name);
  end loop;
end $$;
