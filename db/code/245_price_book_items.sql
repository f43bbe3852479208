-- Items of the price book: how many each category has, and what they cost when.

-- Rows that say what once was: added, and never changed. Only with their company do they go, or shortly before it when its date has come.
create or replace function app.guard_record() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if tg_op = 'DELETE' and not exists (
       select from public.companies c
        where c.id = old.company_id
          and not (current_user = 'app_owner' and c.deleted_at is not null and c.permanent_delete_scheduled_at <= now())) then
    return old;
  end if;
  raise exception using errcode = 'TH409', constraint = 'record_immutable',
    message = format('Rows of %s are neither changed nor deleted.', tg_table_name);
end $$;
revoke all on function app.guard_record() from public;

-- Counts -------------------------------------------------------------------------------------------

create or replace trigger a_lock_inserts before insert on public.price_book_items
  for each statement execute function app.lock_price_book_first('shared');
create or replace trigger a_lock_moves before update of category_id, deleted_at on public.price_book_items
  for each statement execute function app.lock_price_book_first('shared');
create or replace trigger a_lock_deletes before delete on public.price_book_items
  for each statement execute function app.lock_price_book_first('shared');

-- Adds to the categories and to all above them. Rows are locked in one order, so that two imports wait for each other and no
-- more.
create or replace function app.count_items(p_company_ids uuid[], p_category_ids uuid[], p_counts bigint[]) returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  perform app.lock_price_book(d.company_id, false)
     from (select distinct u.company_id from unnest(p_company_ids) u (company_id) order by 1) d;
  perform from public.price_book_categories c
   where exists (select from unnest(p_company_ids, p_category_ids) d (company_id, category_id)
                   join public.price_book_categories k on k.company_id = d.company_id and k.id = d.category_id
                  where c.company_id = k.company_id and c.path operator(extensions.@>) k.path)
   order by c.company_id, c.id for no key update;
  update public.price_book_categories c
     set item_count = c.item_count + t.own, descendant_item_count = c.descendant_item_count + t.total
    from (select a.company_id, a.id, coalesce(sum(d.count) filter (where a.id = d.category_id), 0) as own, sum(d.count) as total
            from unnest(p_company_ids, p_category_ids, p_counts) d (company_id, category_id, count)
            join public.price_book_categories k on k.company_id = d.company_id and k.id = d.category_id
            join public.price_book_categories a on a.company_id = k.company_id and a.path operator(extensions.@>) k.path
           group by a.company_id, a.id) t
   where c.company_id = t.company_id and c.id = t.id and (t.own <> 0 or t.total <> 0);
end $$;
revoke all on function app.count_items(uuid[], uuid[], bigint[]) from public;
grant execute on function app.count_items(uuid[], uuid[], bigint[]) to app_definer;

create or replace function app.items_added() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  perform app.count_items(array_agg(d.company_id), array_agg(d.category_id), array_agg(d.count))
     from (select r.company_id, r.category_id, count(*) as count from added r where r.deleted_at is null group by 1, 2) d
   having count(*) > 0;
  return null;
end $$;
alter function app.items_added() owner to app_definer;
revoke all on function app.items_added() from public;
create or replace trigger count_added after insert on public.price_book_items
  referencing new table as added for each statement execute function app.items_added();

create or replace function app.items_removed() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  perform app.count_items(array_agg(d.company_id), array_agg(d.category_id), array_agg(d.count))
     from (select r.company_id, r.category_id, -count(*) as count from removed r where r.deleted_at is null group by 1, 2) d
   having count(*) > 0;
  return null;
end $$;
alter function app.items_removed() owner to app_definer;
revoke all on function app.items_removed() from public;
create or replace trigger count_removed after delete on public.price_book_items
  referencing old table as removed for each statement execute function app.items_removed();

create or replace function app.items_moved() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  perform app.count_items(array_agg(d.company_id), array_agg(d.category_id), array_agg(d.count))
     from (select m.company_id, m.category_id, sum(m.count)::bigint as count
             from (select r.company_id, r.category_id, -1 as count from was r where r.deleted_at is null
                   union all
                   select r.company_id, r.category_id, 1 from became r where r.deleted_at is null) m
            group by 1, 2 having sum(m.count) <> 0) d
   having count(*) > 0;
  return null;
end $$;
alter function app.items_moved() owner to app_definer;
revoke all on function app.items_moved() from public;
create or replace trigger count_moved after update on public.price_book_items
  referencing old table as was new table as became for each statement execute function app.items_moved();

-- Prices -------------------------------------------------------------------------------------------

-- The setting app.change_reason says why a price changes: a kind of change, a text, or both as "bulk_update: spring prices".
create or replace function app.log_price() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_said  constant text := nullif(btrim(current_setting('app.change_reason', true)), '');
  v_parts constant text[] := regexp_match(v_said, '^(manual|bulk_update|supplier_sync|auto_markup)(?:: *(.*))?$');
begin
  insert into public.price_history (company_id, item_id, old_cost, new_cost, old_price, new_price, old_markup_percent,
    new_markup_percent,
                                    change_type, change_reason, changed_by)
  values (new.company_id, new.id, old.cost, new.cost, old.price, new.price, old.markup_percent, new.markup_percent,
          coalesce(v_parts[1], 'manual'),
          left(case when v_parts is null then v_said else nullif(v_parts[2], '') end, 2000), auth.uid());
  return null;
end $$;
alter function app.log_price() owner to app_definer;
revoke all on function app.log_price() from public;
create or replace trigger log_price after update on public.price_book_items
  for each row when ((old.cost, old.price, old.markup_percent) is distinct from (new.cost, new.price, new.markup_percent))
  execute function app.log_price();

create or replace trigger guard_record before update or delete on public.price_history
  for each row execute function app.guard_record();

-- Many prices at once, with the reason; the caller's rights decide which.
create or replace function public.change_prices(changes jsonb, change_type text default 'bulk_update', reason text default null)
  returns setof public.price_book_items
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_rows_max constant integer := 5000;
  v_item     record;
  v_changed  public.price_book_items;
begin
  if jsonb_typeof(changes) is distinct from 'array' or jsonb_array_length(changes) not between 1 and v_rows_max
     or change_type is null or change_type not in ('manual', 'bulk_update', 'supplier_sync', 'auto_markup') then
    raise exception using errcode = 'TH422', constraint = 'price_changes_invalid',
      message = format('Price changes are a list of 1 to %s objects, of a known type.', v_rows_max),
      hint = 'Each has an id and a price, cost or markup_percent; types are manual, bulk_update, supplier_sync and auto_markup.';
  end if;
  perform set_config('app.change_reason', change_type || coalesce(': ' || nullif(btrim(left(reason, 1900)), ''), ''), true);
  -- In one order, so that two lists wait for each other.
  for v_item in
    select c.* from jsonb_to_recordset(changes) c (id uuid, price bigint, cost bigint, markup_percent integer) order by c.id
  loop
    update public.price_book_items i
       set price = coalesce(v_item.price, i.price), cost = coalesce(v_item.cost, i.cost),
           markup_percent = coalesce(v_item.markup_percent, i.markup_percent)
     where i.company_id = app.company_id() and i.id = v_item.id and i.deleted_at is null
    returning * into v_changed;
    if not found then
      raise exception using errcode = 'TH404', constraint = 'price_book_item_not_found',
        message = 'There is no such item whose price you may change.', detail = v_item.id::text;
    end if;
    return next v_changed;
  end loop;
  perform set_config('app.change_reason', '', true);
end $$;
revoke all on function public.change_prices(jsonb, text, text) from public;
grant execute on function public.change_prices(jsonb, text, text) to authenticated, service_role;
comment on function public.change_prices(jsonb, text, text) is
  'Changes the prices of many items, all or none: [{"id", "price", "cost", "markup_percent"}, ...], for one reason.';
