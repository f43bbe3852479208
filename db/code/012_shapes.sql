-- Shapes of what people type: telephone numbers as E.164, and what of personal text may be shown.

-- The number in E.164, or null where it is none. Without + it is taken as one of the country's: +1 for the USA and Canada.
create or replace function app.e164(p_phone text, p_country text default 'USA') returns text
  language plpgsql immutable
  set search_path = ''
as $$
declare
  v_typed  constant text := btrim(p_phone);
  v_digits text;
begin
  if v_typed is null or v_typed !~ '^[+]?[0-9 ()./-]+$' then
    return null;
  end if;
  v_digits := regexp_replace(v_typed, '[^0-9]', '', 'g');
  return case
    when v_typed like '+%' and v_digits ~ '^[1-9][0-9]{6,14}$' then '+' || v_digits
    when v_typed like '00%' and v_digits ~ '^00[1-9][0-9]{6,14}$' then '+' || substr(v_digits, 3)
    when p_country in ('USA', 'US', 'CAN', 'CA') and v_digits ~ '^[2-9][0-9]{9}$' then '+1' || v_digits
    when p_country in ('USA', 'US', 'CAN', 'CA') and v_digits ~ '^1[2-9][0-9]{9}$' then '+' || v_digits
  end;
end $$;
comment on function app.e164(text, text) is 'A telephone number as +<country><number>, or null where it is none.';
revoke all on function app.e164(text, text) from public;
grant execute on function app.e164(text, text) to authenticated, service_role, app_definer;

-- Trigger before insert or update; its arguments are columns with telephone numbers. The row may have a column country.
create or replace function app.shape_phones() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_row     constant jsonb := to_jsonb(new);
  v_changes jsonb := '{}';
  v_column  text;
  v_phone   text;
begin
  foreach v_column in array tg_argv loop
    continue when btrim(v_row ->> v_column) ~ '^[+][1-9][0-9]{6,14}$' and v_row ->> v_column = btrim(v_row ->> v_column);
    if coalesce(btrim(v_row ->> v_column), '') = '' then
      v_phone := null;
    else
      v_phone := app.e164(v_row ->> v_column, coalesce(v_row ->> 'country', 'USA'));
      if v_phone is null then
        raise exception using errcode = 'TH422', constraint = 'phone_invalid', column = v_column,
          message = format('%s is no telephone number.', v_column),
          hint = 'Write it as +15550100123: plus, country, number. Numbers of the USA and Canada need no country.';
      end if;
    end if;
    if v_phone is distinct from v_row ->> v_column then
      v_changes := v_changes || jsonb_build_object(v_column, v_phone);
    end if;
  end loop;
  if v_changes = '{}' then
    return new;
  end if;
  return jsonb_populate_record(new, v_changes);
end $$;
comment on function app.shape_phones() is 'Before insert or update: telephone numbers as E.164; what is none is refused.';
revoke all on function app.shape_phones() from public;
