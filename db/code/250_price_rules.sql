-- Packages, pricing rules and labour rates: what their JSON may say, and that one of a kind is the default.
-- A filter that is misspelt would be without effect, silently; so shapes are checked when they are written.

-- NULL stays NULL: no list.
create or replace function app.is_id_list(p_value jsonb) returns boolean
  language sql immutable strict
  set search_path = ''
  return case when jsonb_typeof(p_value) <> 'array' then false
    else jsonb_array_length(p_value) between 1 and 1000 and not exists (
      select from jsonb_array_elements(p_value) e (value)
       where jsonb_typeof(e.value) <> 'string' or e.value #>> '{}' !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$') end;
revoke all on function app.is_id_list(jsonb) from public;
grant execute on function app.is_id_list(jsonb) to authenticated, service_role, app_definer;

create or replace function app.is_word_list(p_value jsonb, p_words jsonb) returns boolean
  language sql immutable strict
  set search_path = ''
  return case when jsonb_typeof(p_value) <> 'array' then false
    else p_value <> '[]' and p_value <@ p_words
         and jsonb_array_length(p_value) = (select count(distinct e.value) from jsonb_array_elements(p_value) e (value)) end;
revoke all on function app.is_word_list(jsonb, jsonb) from public;
grant execute on function app.is_word_list(jsonb, jsonb) to authenticated, service_role, app_definer;

create or replace function app.is_time_ranges(p_value jsonb) returns boolean
  language sql immutable strict
  set search_path = ''
  return case when jsonb_typeof(p_value) <> 'array' then false
    else jsonb_array_length(p_value) between 1 and 24 and not exists (
      select from jsonb_array_elements(p_value) e (value)
       where not coalesce(e.value ->> 'start' ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'
                          and e.value ->> 'end' ~ '^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$'
                          and (e.value ->> 'start') collate "C" < (e.value ->> 'end') collate "C", false)) end;
revoke all on function app.is_time_ranges(jsonb) from public;
grant execute on function app.is_time_ranges(jsonb) to authenticated, service_role, app_definer;

-- Pricing rules ------------------------------------------------------------------------------------

create or replace function app.guard_pricing_rule() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_wrong text;
begin
  -- JSON null and no value mean the same.
  new.category_filter := nullif(new.category_filter, 'null');
  new.item_filter := nullif(new.item_filter, 'null');
  new.customer_type_filter := nullif(new.customer_type_filter, 'null');
  new.days_of_week := nullif(new.days_of_week, 'null');
  new.time_ranges := nullif(new.time_ranges, 'null');
  v_wrong := case
    when not app.is_id_list(new.category_filter) or new.applies_to = 'category'
      and new.category_filter is null then 'category_filter'
    when not app.is_id_list(new.item_filter) or new.applies_to = 'item' and new.item_filter is null then 'item_filter'
    when not app.is_word_list(new.customer_type_filter, '["residential", "commercial", "industrial"]')
         or new.applies_to = 'customer_type' and new.customer_type_filter is null then 'customer_type_filter' end;
  if v_wrong is not null then
    raise exception using errcode = 'TH422', constraint = 'pricing_rule_filter_invalid',
      message = format('The %s of a pricing rule is wrong or missing.', v_wrong), detail = v_wrong,
      hint = 'Filters are lists of ids, or of residential, commercial, industrial; the one that applies_to names is needed.';
  end if;
  if not app.is_word_list(new.days_of_week, '[0, 1, 2, 3, 4, 5, 6]') then
    raise exception using errcode = 'TH422', constraint = 'pricing_rule_days_invalid',
      message = 'The days of a pricing rule are a list of numbers from 0 to 6, each once.',
      hint = '0 is Sunday. Leave them out for every day.';
  end if;
  if not app.is_time_ranges(new.time_ranges) then
    raise exception using errcode = 'TH422', constraint = 'pricing_rule_times_invalid',
      message = 'The times of a pricing rule are a list of {"start": "HH:MM", "end": "HH:MM"} that end after they start.',
      hint = 'A range over midnight is two: until 24:00 and from 00:00.';
  end if;
  if new.minimum_quantity > new.maximum_quantity
     or new.rule_type in ('markup', 'discount', 'minimum_charge') and new.adjustment_value < 0
     or new.rule_type = 'discount' and new.adjustment_type = 'percentage' and new.adjustment_value > 100
     or new.rule_type = 'minimum_charge' and new.adjustment_type = 'percentage' then
    raise exception using errcode = 'TH422', constraint = 'pricing_rule_value_invalid',
      message = 'The value or the quantities of a pricing rule are impossible.',
      hint = 'Discounts are 0 to 100 percent or an amount, markups not negative, minimum charges amounts; minimum <= maximum.';
  end if;
  return new;
end $$;
revoke all on function app.guard_pricing_rule() from public;
create or replace trigger guard before insert or update on public.pricing_rules
  for each row when (app.is_within_reach(new.company_id)) execute function app.guard_pricing_rule();

-- Packages -----------------------------------------------------------------------------------------

create or replace function app.guard_service_package() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if jsonb_typeof(new.included_items) <> 'array' then
    return new; -- The table's check names the column and refuses.
  end if;
  if jsonb_array_length(new.included_items) > 500 or exists (
       select from jsonb_array_elements(new.included_items) e (value)
        where jsonb_typeof(e.value) <> 'object'
           or not coalesce(app.is_id_list(jsonb_build_array(e.value -> 'item_id')), false)
           or jsonb_typeof(e.value -> 'quantity') is distinct from 'number'
           or (e.value ->> 'quantity')::numeric <= 0) then
    raise exception using errcode = 'TH422', constraint = 'service_package_items_invalid',
      message = 'The items of a package are a list of at most 500 objects with an item_id and a quantity above 0.',
      hint = 'Each may have notes.';
  end if;
  if (tg_op = 'INSERT' or new.included_items <> old.included_items) and exists (
       select from jsonb_array_elements(new.included_items) e (value)
        where not exists (select from public.price_book_items i
                           where i.company_id = new.company_id and i.id = (e.value ->> 'item_id')::uuid
                             and i.deleted_at is null)) then
    raise exception using errcode = 'TH422', constraint = 'service_package_item_unknown',
      message = 'A package includes only items of the price book.';
  end if;
  return new;
end $$;
revoke all on function app.guard_service_package() from public;
create or replace trigger guard before insert or update on public.service_packages
  for each row when (app.is_within_reach(new.company_id)) execute function app.guard_service_package();

-- Labour rates -------------------------------------------------------------------------------------

create or replace function app.guard_labor_rate() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  new.service_categories := nullif(new.service_categories, 'null');
  new.technician_ids := nullif(new.technician_ids, 'null');
  if not app.is_id_list(new.technician_ids) or new.applies_to = 'specific_techs' and new.technician_ids is null
     or jsonb_typeof(new.service_categories) <> 'array' or new.service_categories = '[]'
     or new.applies_to = 'specific_services' and new.service_categories is null then
    raise exception using errcode = 'TH422', constraint = 'labor_rate_filter_invalid',
      message = 'A labour rate for some technicians or services has to name them.',
      hint = 'technician_ids is a list of ids of members, service_categories a list; the one that applies_to names is needed.';
  end if;
  if new.is_default and not new.is_active then
    raise exception using errcode = 'TH422', constraint = 'labor_rate_default_inactive',
      message = 'The default labour rate has to be active.';
  end if;
  return new;
end $$;
revoke all on function app.guard_labor_rate() from public;
create or replace trigger guard before insert or update on public.labor_rates
  for each row when (app.is_within_reach(new.company_id)) execute function app.guard_labor_rate();

-- Whoever becomes the default takes it from the one before. With the caller's rights: the unique index speaks where they do not
-- suffice. Argument: a column that is another key of the table, within the company.
create or replace function app.be_only_default() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_other    constant text := case when tg_nargs > 0 then format(' or t.%1$I = ($3).%1$I', tg_argv[0]) else '' end;
  v_is_there boolean;
begin
  -- Where the row is there already no new one comes: it may be left alone, or an update follows that does this.
  if tg_op = 'INSERT' then
    execute format('select exists (select from %s t where t.company_id = $1 and (t.id = $2%s))', tg_relid::regclass, v_other)
       into v_is_there using new.company_id, new.id, new;
    if v_is_there then
      return new;
    end if;
  end if;
  execute format('update %s set is_default = false where company_id = $1 and id <> $2 and is_default', tg_relid::regclass)
    using new.company_id, new.id;
  return new;
end $$;
revoke all on function app.be_only_default() from public;
create or replace trigger only_default_inserted before insert on public.labor_rates
  for each row when (new.is_default and app.is_within_reach(new.company_id)) execute function app.be_only_default();
create or replace trigger only_default_updated before update on public.labor_rates
  for each row when (new.is_default and not old.is_default and app.is_within_reach(new.company_id))
  execute function app.be_only_default();
create or replace trigger only_default_inserted before insert on public.inventory_locations
  for each row when (new.is_default and app.is_within_reach(new.company_id)) execute function app.be_only_default('name');
create or replace trigger only_default_updated before update on public.inventory_locations
  for each row when (new.is_default and not old.is_default and app.is_within_reach(new.company_id))
  execute function app.be_only_default('name');
