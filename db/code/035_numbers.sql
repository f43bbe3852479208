-- Numbers of documents: counted per company and kind, never given twice.
-- Invariant: the counter's row stays locked until the transaction ends, so whoever needs other locks takes them first; numbers are
-- given by the last trigger before the row.

-- app.counters has one row per company and name; a name with a year in it begins at 1 every year.
create or replace function app.next_number(p_company_id uuid, p_name text) returns bigint
  language sql volatile
  set search_path = ''
as $$
  insert into app.counters as c (company_id, name, value) values (p_company_id, p_name, 1)
  on conflict (company_id, name) do update set value = c.value + 1
  returning c.value;
$$;
revoke all on function app.next_number(uuid, text) from public;
grant execute on function app.next_number(uuid, text) to app_definer;

create or replace function app.number_year(p_company_id uuid) returns text
  language sql stable
  set search_path = ''
as $$
  select to_char(now() at time zone c.business_timezone, 'YYYY') from public.companies c where c.id = p_company_id;
$$;
revoke all on function app.number_year(uuid) from public;
grant execute on function app.number_year(uuid) to app_definer;

create or replace function app.format_number(p_prefix text, p_year text, p_value bigint, p_digits integer) returns text
  language sql immutable
  set search_path = ''
  return p_prefix || coalesce('-' || p_year, '') || '-' || lpad(p_value::text, greatest(p_digits, length(p_value::text)), '0');
revoke all on function app.format_number(text, text, bigint, integer) from public;
grant execute on function app.format_number(text, text, bigint, integer) to app_definer;

-- The number of a row that is there already, by its id or by another unique column: a new one like it will be refused, or dropped
-- where its request says that duplicates are ignored, and must not be counted before. Asked with the counter locked: whoever sends
-- the same row at the same moment has either written it or comes later. The row is held, so that it cannot go and the new one stay.
create or replace function app.number_of_repeated(p_table regclass, p_column text, p_row jsonb, p_counter text, p_keys text[])
  returns text
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_company_id constant uuid := p_row ->> 'company_id';
  v_result     text;
begin
  insert into app.counters (company_id, name, value) values (v_company_id, p_counter, 0) on conflict do nothing;
  perform from app.counters c where c.company_id = v_company_id and c.name = p_counter for no key update;
  execute format('select coalesce(nullif(t.%I, ''''), ''repeated'') from %s t
                   where t.company_id = $1 and (t.id = ($2 ->> ''id'')::uuid%s) limit 1 for key share', p_column, p_table,
                 (select string_agg(format(' or t.%1$I = $2 ->> %1$L', k.name), '') from unnest(p_keys) k (name)))
     into v_result using v_company_id, p_row;
  return v_result;
end $$;
revoke all on function app.number_of_repeated(regclass, text, jsonb, text, text[]) from public;
grant execute on function app.number_of_repeated(regclass, text, jsonb, text, text[]) to app_definer;

-- Trigger before insert. Arguments: column, kind, prefix, digits, 'yearly' where the year is part of the number, and 'gapless'
-- where a row that does not come about must take none, followed by other columns of text that are unique in a company.
-- A number that is brought along, from an import, is kept, and not given again.
create or replace function app.number_row() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_column constant text := tg_argv[0];
  v_kind   constant text := tg_argv[1];
  v_prefix constant text := tg_argv[2];
  v_digits constant integer := tg_argv[3]::integer;
  v_yearly constant boolean := coalesce(tg_argv[4] = 'yearly', false);
  v_gapless constant boolean := coalesce(tg_argv[5] = 'gapless', false) and tg_op = 'INSERT';
  v_given  constant text := coalesce(btrim(to_jsonb(new) ->> v_column), '');
  v_year   text;
  v_name   text;
  v_number text;
  v_parts  text[];
begin
  v_year := app.number_year(new.company_id);
  if v_year is null then
    return new; -- No such company: the row is refused by its policy or its key, which say why.
  end if;
  if v_given = '' then
    v_name := v_kind || case when v_yearly then '-' || v_year else '' end;
    if v_gapless then
      v_number := app.number_of_repeated(tg_relid, v_column, to_jsonb(new), v_name, tg_argv[6:]);
    end if;
    v_number := coalesce(v_number,
      app.format_number(v_prefix, case when v_yearly then v_year end, app.next_number(new.company_id, v_name), v_digits));
    return jsonb_populate_record(new, jsonb_build_object(v_column, v_number));
  end if;
  v_parts := regexp_match(v_given, '^' || v_prefix || case when v_yearly then '-(\d{4})' else '()' end || '-(\d{1,12})$');
  if v_parts is not null then
    -- Nothing is written while the counter is ahead: an import that reserved its block does not come here once for each row.
    insert into app.counters as c (company_id, name, value)
    values (new.company_id, v_kind || case when v_yearly then '-' || v_parts[1] else '' end, v_parts[2]::bigint)
    on conflict (company_id, name) do update set value = excluded.value where c.value < excluded.value;
  end if;
  return new;
end $$;
comment on function app.number_row() is 'Before insert: gives the row its number, or takes note of the one it brought.';
alter function app.number_row() owner to app_definer;
revoke all on function app.number_row() from public;

-- For imports: a whole block at once, so that the counter is locked once and not for each row.
create or replace function app.reserve_numbers(p_company_id uuid, p_kind text, p_yearly boolean, p_count integer) returns bigint
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_last bigint;
begin
  if p_count not between 1 and 1000000 then
    raise exception using errcode = '22023', message = 'a block has 1 to 1000000 numbers';
  end if;
  insert into app.counters as c (company_id, name, value)
  values (p_company_id, p_kind || case when p_yearly then '-' || app.number_year(p_company_id) else '' end, p_count)
  on conflict (company_id, name) do update set value = c.value + p_count
  returning c.value into v_last;
  return v_last - p_count + 1;
end $$;
comment on function app.reserve_numbers(uuid, text, boolean, integer) is 'Takes a block of numbers; returns the first of them.';
-- Whoever counts for a company is a definer function: the counters are nobody else's to write.
revoke all on function app.reserve_numbers(uuid, text, boolean, integer) from public, service_role;
grant execute on function app.reserve_numbers(uuid, text, boolean, integer) to app_definer;
