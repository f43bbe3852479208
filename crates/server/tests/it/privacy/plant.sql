-- Writes a canary into every column that erasing a person has to empty, of every row that is his.
-- Settings of the session: plant.subject, plant.company, plant.person, plant.word. Returns how many columns of rows were written.
create function pg_temp.plant() returns bigint
  language plpgsql
as $$
declare
  v_subject constant text := current_setting('plant.subject');
  v_word    constant text := current_setting('plant.word');
  v_found   app.erasures;
  v_place   record;
  v_column  record;
  v_count   bigint := 0;
  v_rows    bigint;
begin
  v_found.subject := v_subject;
  v_found.company_id := nullif(current_setting('plant.company'), '')::uuid;
  v_found.subject_id := current_setting('plant.person')::uuid;
  v_found.companies := app.companies_of_person(v_subject, v_found.company_id, v_found.subject_id);
  v_found := app.find_person_rows(v_found);
  set local session_replication_role = replica;
  for v_place in select * from app.personal_places() p where p.subject = v_subject and p.is_his and p.deed <> 'keep' loop
    for v_column in
      select a.attname, a.atttypid::regtype::text as type
        from pg_attribute a
       where a.attrelid = v_place.table_name::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
         and a.atttypid in ('text'::regtype, 'jsonb'::regtype, 'text[]'::regtype)
         and (a.attname = any (v_place.named) or col_description(a.attrelid, a.attnum) ~ '^(pii:|html$)')
    loop
      begin
        execute format('update %s t set %I = %s where (%s) and ($1, $2, $3, $4, $5, $6) is not null', v_place.table_name, v_column.attname,
                       case v_column.type
                         when 'jsonb' then format('case jsonb_typeof(%I) when ''array'' then %L::jsonb else %L::jsonb end', v_column.attname,
                                                  format('["%s"]', v_word), format('{"said": "%s"}', v_word))
                         when 'text[]' then quote_literal('{' || v_word || '}')
                         else quote_literal(v_word) end, v_place.whose)
          using v_found.companies, v_found.subject_id, v_found.row_ids, v_found.words, v_found.addresses, v_found.names;
        get diagnostics v_rows = row_count;
        v_count := v_count + v_rows;
      exception when check_violation then
        -- A word that is none of those allowed, or an address that must be one: it has its own form below.
        begin
          execute format('update %s t set %I = %L where (%s) and ($1, $2, $3, $4, $5, $6) is not null', v_place.table_name, v_column.attname,
                         v_word || '@example.com', v_place.whose)
            using v_found.companies, v_found.subject_id, v_found.row_ids, v_found.words, v_found.addresses, v_found.names;
        exception when check_violation or invalid_text_representation then
          null;
        end;
      end;
    end loop;
  end loop;
  set local session_replication_role = origin;
  return v_count;
end $$;
select pg_temp.plant();
