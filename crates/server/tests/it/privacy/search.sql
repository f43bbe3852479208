-- Every row of every table in which a word stands.
create function pg_temp.search(p_word text) returns setof text
  language plpgsql
as $$
declare
  v_table regclass;
  v_found text;
begin
  for v_table in
    select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema', 'proof') and n.nspname !~ '^pg_' order by 1
  loop
    for v_found in execute format('select left(to_jsonb(t)::text, 3000) from %s t where lower(to_jsonb(t)::text) like %L limit 3', v_table, '%' || lower(p_word) || '%') loop
      return next v_table::text || ' ' || v_found;
    end loop;
  end loop;
end $$;
