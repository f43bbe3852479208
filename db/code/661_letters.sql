-- Letters of a company by a template: what send_email says where it is given a name instead of a text. Invariants: a template is the company's own
-- (notification_templates of the channel email) or one of the program's, and the company's goes first; whoever has a row told reads such rows
-- himself; and a row that is a customer's is told to him or to a member, and to no other customer.

-- A day as people read it.
create or replace function app.shown_day(p_at timestamptz, p_zone text, p_locale text) returns text
  language sql stable
  set search_path = ''
  return to_char(p_at at time zone app.known_zone(p_zone),
                 case left(p_locale, 2) when 'de' then 'DD.MM.YYYY' when 'es' then 'DD/MM/YYYY' else 'Mon FMDD, YYYY' end);
revoke all on function app.shown_day(timestamptz, text, text) from public;
grant execute on function app.shown_day(timestamptz, text, text) to app_definer;

-- Which row a letter is about: the field of its payload, and the noun of the right to read such rows. Nothing where it is about none.
create or replace function app.letter_about(p_payload jsonb, out field text, out noun text, out id uuid)
  language sql immutable
  set search_path = ''
as $$
  select f.field, f.noun, (p_payload ->> f.field)::uuid
    from (values ('estimate_id', 'estimates'), ('invoice_id', 'invoices'), ('schedule_id', 'schedules')) f (field, noun)
   where p_payload ->> f.field is not null order by f.field limit 1
$$;
revoke all on function app.letter_about(jsonb) from public;
grant execute on function app.letter_about(jsonb) to app_definer;

-- What is known of such a row, by the names that templates have for it, and whose it is. No row where there is none. Amounts are minor units.
create or replace function app.letter_row(p_company_id uuid, p_field text, p_id uuid, p_zone text, p_locale text)
  returns table (customer_id uuid, names jsonb)
  language sql stable
  set search_path = ''
as $$
  select e.customer_id, jsonb_build_object('number', nullif(e.estimate_number, ''), 'title', e.title, 'status', replace(e.status, '_', ' '),
           'amount', jsonb_build_object('minor', e.total_amount, 'currency', e.currency),
           'valid_until', app.shown_day(e.valid_until, p_zone, p_locale))
    from public.estimates e where p_field = 'estimate_id' and e.company_id = p_company_id and e.id = p_id and e.deleted_at is null
  union all
  select i.customer_id, jsonb_build_object('number', i.invoice_number, 'title', i.title, 'status', replace(i.status, '_', ' '),
           'amount', jsonb_build_object('minor', i.total_amount, 'currency', i.currency),
           'balance', jsonb_build_object('minor', i.balance_amount, 'currency', i.currency),
           'due_on', app.shown_day(i.due_date, p_zone, p_locale))
    from public.invoices i where p_field = 'invoice_id' and i.company_id = p_company_id and i.id = p_id and i.deleted_at is null
  union all
  select s.customer_id, jsonb_build_object('title', s.title, 'status', replace(s.status, '_', ' '),
           'starts', app.shown_time(s.start_time::text, p_zone, p_locale), 'ends', app.shown_time(s.end_time::text, p_zone, p_locale),
           'address', (select nullif(concat_ws(', ', p.address, p.city), '') from public.properties p
                        where p.company_id = s.company_id and p.id = s.property_id))
    from public.schedules s where p_field = 'schedule_id' and s.company_id = p_company_id and s.id = p_id and s.deleted_at is null
$$;
revoke all on function app.letter_row(uuid, text, uuid, text, text) from public;
grant execute on function app.letter_row(uuid, text, uuid, text, text) to app_definer;

-- Who of a company has an address, and in which language he reads: a member his own, a customer the company's. No row where nobody has it.
create or replace function app.letter_reader(p_company_id uuid, p_address text)
  returns table (customer_id uuid, name text, locale text, zone text)
  language sql stable
  set search_path = ''
as $$
  select r.customer_id, r.name, coalesce(p.locale, nullif(left(c.settings ->> 'locale', 10), ''), 'en'), coalesce(p.zone, c.business_timezone, 'UTC')
    from public.companies c
   cross join lateral (
         select null::uuid as customer_id, m.name, m.user_id, 1 as place from public.team_members m
          where m.company_id = c.id and lower(btrim(m.email)) = lower(btrim(p_address)) and m.status = 'active' and m.archived_at is null
         union all
         select u.id, u.display_name, null, 2 from public.customers u
          where u.company_id = c.id and u.email_key = lower(btrim(p_address)) and u.deleted_at is null) r
    left join lateral app.notification_reader(c.id, r.user_id) p on r.user_id is not null
   where c.id = p_company_id order by r.place limit 1
$$;
revoke all on function app.letter_reader(uuid, text) from public;
grant execute on function app.letter_reader(uuid, text) to app_definer;

-- The company's own text of a name: in the language asked for, else in one near it, else in the company's, in English, in any. No row where
-- it has none.
create or replace function app.own_letter(p_company_id uuid, p_name text, p_locale text) returns table (locale text, subject text, body text)
  language sql stable
  set search_path = ''
as $$
  select n.locale, n.subject, n.body
    from public.notification_templates n
    join public.companies c on c.id = n.company_id
   where n.company_id = p_company_id and n.event = p_name and n.channel = 'email' and n.is_active
   order by array_position(array[replace(p_locale, '_', '-'), left(p_locale, 2), left(c.settings ->> 'locale', 10), left(c.settings ->> 'locale', 2),
                                 'en'], n.locale), n.locale
   limit 1
$$;
revoke all on function app.own_letter(uuid, text, text) from public;
grant execute on function app.own_letter(uuid, text, text) to app_definer;

-- The names that a text of a company prints whatever stands in its conditions.
create or replace function app.printed_names(p_text text) returns text[]
  language plpgsql immutable
  set search_path = ''
as $$
declare
  v_text text := p_text;
  v_next text;
begin
  -- One that is nested deeper is held to everything that it prints.
  for v_round in 1 .. 20 loop
    -- From the innermost on.
    v_next := regexp_replace(v_text, '\{%-?\s*if\s(?:(?!\{%-?\s*if\s).)*?\{%-?\s*endif\s*-?%\}', '', 'g');
    exit when v_next = v_text;
    v_text := v_next;
  end loop;
  return array(select distinct m[1] from regexp_matches(v_text, '\{\{-?\s*([a-z_]{1,40})\s*-?\}\}', 'g') m order by m[1]);
end $$;
revoke all on function app.printed_names(text) from public;
grant execute on function app.printed_names(text) to app_definer;

-- What is wrong with the values that a letter is given; null where nothing is.
create or replace function app.letter_values_fault(p_values jsonb) returns text
  language sql immutable
  set search_path = ''
as $$
  select case
      when count(*) > 50 then 'A letter is given up to 50 values.'
      when bool_or(v.key !~ '^[a-z_]{1,40}$') then 'A name has 1 to 40 letters a to z and underscores.'
      when bool_or(jsonb_typeof(v.value) not in ('string', 'number', 'boolean')) then 'A value is a text, a number, true or false.'
      when bool_or(length(v.value #>> '{}') > 2000) then 'A value has up to 2000 letters.' end
    from jsonb_each(p_values) v
$$;
revoke all on function app.letter_values_fault(jsonb) from public;
grant execute on function app.letter_values_fault(jsonb) to app_definer;

-- Refuses a letter that names no template there is, or that leaves open what its template prints. p_field is the kind's field of templates,
-- whose values are the program's own, each with the names that it prints.
create or replace function app.check_letter(p_is_service boolean, p_field jsonb, p_payload jsonb, p_company_id uuid) returns void
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_name   constant text := p_payload ->> (p_field ->> 'name');
  v_values constant jsonb := coalesce(nullif(p_payload -> 'variables', 'null'), '{}');
  v_about  record;
  v_reader record;
  v_row    record;
  v_own    record;
  v_fault  text;
  v_known  text[] := '{company,recipient}';
  v_needed text[];
begin
  if v_name is null then
    v_fault := case when p_payload ->> 'subject' is null then 'subject' when p_payload ->> 'text' is null then 'text' end;
    if v_fault is not null then
      raise exception using errcode = '22023', message = format('The field "%s" is missing.', v_fault),
        hint = 'A mail has subject and text, or a template.';
    end if;
    select f into v_fault from unnest(array['variables', 'locale', 'strict', 'estimate_id', 'invoice_id', 'schedule_id']) f where p_payload ? f limit 1;
    if v_fault is not null then
      raise exception using errcode = '22023', message = format('The field "%s" belongs to a template.', v_fault);
    end if;
    return;
  elsif p_payload ->> 'subject' is not null or p_payload ->> 'text' is not null then
    raise exception using errcode = '22023', message = 'A mail has subject and text, or a template, and not both.';
  elsif num_nonnulls(p_payload ->> 'estimate_id', p_payload ->> 'invoice_id', p_payload ->> 'schedule_id') > 1 then
    raise exception using errcode = '22023', message = 'A letter is about one row.';
  end if;
  v_fault := app.letter_values_fault(v_values);
  if v_fault is not null then
    raise exception using errcode = 'TH422', constraint = 'template_variables_invalid', message = v_fault;
  end if;
  select * into v_reader from app.letter_reader(p_company_id, p_payload ->> 'to');
  select * into v_own from app.own_letter(p_company_id, v_name, coalesce(p_payload ->> 'locale', v_reader.locale, 'en'));
  if v_own.body is null and not (p_field -> 'values') ? v_name then
    raise exception using errcode = 'TH422', constraint = 'template_unknown', message = format('There is no template "%s".', left(v_name, 80)),
      hint = format('The program has %s; the company''s own are rows of notification_templates of the channel email.',
                    (select string_agg(k, ', ' order by k) from jsonb_object_keys(p_field -> 'values') k));
  end if;
  select * into v_about from app.letter_about(p_payload);
  if v_about.field is not null then
    if not p_is_service and not app.has_permission(v_about.noun || ':read') then
      raise exception using errcode = '42501', message = format('You may have nothing told of %s.', v_about.noun),
        hint = format('You need the permission %s:read.', v_about.noun);
    end if;
    select * into v_row from app.letter_row(p_company_id, v_about.field, v_about.id, 'UTC', 'en');
    if v_row.names is null then
      raise exception using errcode = 'TH422', constraint = 'template_row_unknown', message = format('There is no such row: %s.', v_about.field);
    elsif v_reader.customer_id is distinct from v_row.customer_id and v_reader.customer_id is not null then
      raise exception using errcode = '22023', message = 'The field "to" is the address of the customer whose row this is, or of a member.';
    end if;
    v_known := v_known || array(select n.key from jsonb_each(v_row.names) n where n.value <> 'null');
  end if;
  if coalesce((p_payload ->> 'strict')::boolean, true) then
    v_known := v_known || array(select k from jsonb_object_keys(v_values) k);
    v_needed := case when v_own.body is not null then app.printed_names(concat_ws(' ', v_own.subject, v_own.body))
                     else array(select jsonb_array_elements_text(p_field -> 'values' -> v_name)) end;
    v_needed := array(select n from unnest(v_needed) n where n <> all (v_known) order by n);
    if cardinality(v_needed) > 0 then
      raise exception using errcode = 'TH422', constraint = 'template_variable_missing',
        message = format('The template "%s" needs %s.', left(v_name, 80), array_to_string(v_needed, ', ')),
        detail = jsonb_build_object('template', v_name, 'missing', v_needed)::text,
        hint = 'Give them in variables, name the row that the letter is about, or say strict: false, which leaves them empty.';
    end if;
  end if;
end $$;
revoke all on function app.check_letter(boolean, jsonb, jsonb, uuid) from public;
grant execute on function app.check_letter(boolean, jsonb, jsonb, uuid) to app_definer;

-- Everything that a mail of a company needs when it is written: who gets it and in which language, in whose name it is, the company's own text
-- of the template, and what is known of the row. Nothing of what is not there any more.
create or replace function app.open_letter(p_company_id uuid, p_payload jsonb) returns jsonb
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  v_reader record;
  v_about  record;
  v_row    record;
  v_locale text;
begin
  perform app.keep_to_company(p_company_id);
  select * into v_reader from app.letter_reader(p_company_id, p_payload ->> 'to');
  v_locale := coalesce(nullif(p_payload ->> 'locale', ''), v_reader.locale, 'en');
  select * into v_about from app.letter_about(p_payload);
  select * into v_row from app.letter_row(p_company_id, v_about.field, v_about.id, v_reader.zone, v_locale);
  return (
    select jsonb_build_object(
             'is_known', v_reader.zone is not null, 'locale', v_locale,
             'is_there', v_about.field is null or v_row.names is not null
               and (v_reader.customer_id is null or v_reader.customer_id is not distinct from v_row.customer_id),
             'names', jsonb_build_object('company', c.name, 'recipient', v_reader.name) || coalesce(v_row.names, '{}'),
             'own', (select to_jsonb(o) from app.own_letter(p_company_id, p_payload ->> 'template', v_locale) o))
      from public.companies c where c.id = p_company_id);
end $$;
alter function app.open_letter(uuid, jsonb) owner to app_definer;
revoke all on function app.open_letter(uuid, jsonb) from public;
grant execute on function app.open_letter(uuid, jsonb) to service_role;
