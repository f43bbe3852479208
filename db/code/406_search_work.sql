-- Search over jobs, price book and equipment, and over everything at once. As in customers: the permission first, then the
-- company.

drop function if exists public.search_jobs(text, integer);
create function public.search_jobs(query text, max_results integer default 20)
  returns table (id uuid, job_number text, title text, status text, priority text, customer_id uuid, customer_name text,
                 assigned_to uuid, scheduled_start timestamptz, score real)
  language plpgsql stable security definer
  set search_path = ''
  set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_company constant uuid := app.company_id();
  v_user    constant uuid := auth.uid();
  -- Whoever may not see all sees what he is assigned to, alone or in a crew.
  v_all     constant boolean := app.demand('jobs:read', true);
  v_names   constant boolean := auth.role() = 'service_role' or app.has_permission('customers:read');
  v_asked     record;
  v_ids       uuid[];
  v_customers uuid[] := '{}';
  v_scores    real[] := '{}';
  v_threshold text;
begin
  select * into v_asked from app.read_question(search_jobs.query, search_jobs.max_results);
  if length(v_asked.plain) < 2 then
    return;
  end if;
  v_ids := array(
    select j.id from public.jobs j
     where j.company_id = v_company and j.deleted_at is null and (v_all or j.assigned_to = v_user or v_user = any (j.crew))
       and j.job_number = v_asked.number)
  || array(
    select j.id from public.jobs j
     where j.company_id = v_company and j.deleted_at is null and (v_all or j.assigned_to = v_user or v_user = any (j.crew))
       and j.search_vector @@ v_asked.start_query
     limit 300);
  -- The jobs of a customer who is called so, has that number or lives there.
  if v_names then
    select coalesce(array_agg(c.id), '{}'), coalesce(array_agg(c.score), '{}') into v_customers, v_scores
      from public.search_customers(search_jobs.query, 10) c;
    v_ids := v_ids || array(
      select j.id from public.jobs j
       where j.company_id = v_company and j.deleted_at is null and (v_all or j.assigned_to = v_user or v_user = any (j.crew))
         and j.customer_id = any (v_customers)
       order by j.created_at desc limit 200);
  end if;
  -- Words that are alike. Titles repeat: in a large company a misspelt one is like tens of thousands, which all say the same. So those
  -- that are much alike come first, and no more are compared than it takes to rank them.
  foreach v_threshold in array array['0.6', '0.4'] loop
    exit when cardinality(v_ids) >= search_jobs.max_results;
    perform set_config('pg_trgm.word_similarity_threshold', v_threshold, true);
    v_ids := v_ids || array(
      select f.id
        from (select j.id, j.title from public.jobs j
               where j.company_id = v_company and j.deleted_at is null
                 and (v_all or j.assigned_to = v_user or v_user = any (j.crew))
                 and v_asked.plain operator(extensions.<%) j.title
               limit 2000) f
       order by extensions.word_similarity(v_asked.plain, f.title) desc limit 100);
  end loop;
  return query
    select j.id, j.job_number, j.title, j.status, j.priority, j.customer_id, case when v_names then c.display_name end,
           j.assigned_to, j.scheduled_start,
           greatest(t.tier + case when t.tier > 0 then 9 else 50 end * l.likeness,
                    0.5 * v_scores[array_position(v_customers, j.customer_id)])::real
      from public.jobs j
      left join public.customers c on c.company_id = j.company_id and c.id = j.customer_id
     cross join lateral (select app.likeness(v_asked.words, j.title) as likeness offset 0) l
     cross join lateral (
       select case when j.job_number = v_asked.number then 90
                   when app.fold(j.title) = v_asked.plain then 80
                   when l.likeness >= 0.8 and j.search_vector @@ v_asked.start_query then 70
                   when j.search_vector @@ v_asked.start_query then 60
                   else 0 end as tier offset 0) t
     where j.company_id = v_company and j.id = any (v_ids) and j.deleted_at is null
       and (v_all or j.assigned_to = v_user or v_user = any (j.crew))
     order by 10 desc, j.created_at desc, j.id
     limit search_jobs.max_results;
end $$;
comment on function public.search_jobs(text, integer) is
  'Finds jobs by number, title, customer or what is written in them. Those who see assigned jobs only find these.';

drop function if exists public.search_price_book(text, integer);
create function public.search_price_book(query text, max_results integer default 20)
  returns table (id uuid, name text, sku text, item_type text, category_id uuid, unit text, price bigint, currency text,
                 is_active boolean, score real)
  language plpgsql stable security definer
  set search_path = ''
  set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_company constant uuid := app.company_id();
  v_asked record;
  v_ids   uuid[];
begin
  perform app.demand('price_book:read');
  select * into v_asked from app.read_question(search_price_book.query, search_price_book.max_results);
  if length(v_asked.plain) < 2 then
    return;
  end if;
  v_ids := array(
    select i.id from public.price_book_items i
     where i.company_id = v_company and i.deleted_at is null
       and i.sku in (btrim(search_price_book.query), v_asked.number)
     limit 100)
  || array(
    select i.id from public.price_book_items i
     where i.company_id = v_company and i.deleted_at is null and i.search_vector @@ v_asked.start_query limit 300);
  if cardinality(v_ids) < search_price_book.max_results then
    v_ids := v_ids || array(
      select i.id from public.price_book_items i
       where i.company_id = v_company and i.deleted_at is null and app.search_keys(i.name) operator(pg_catalog.&&) v_asked.keys_1
         and (v_asked.keys_2 is null or app.search_keys(i.name) operator(pg_catalog.&&) v_asked.keys_2)
         and (v_asked.keys_3 is null or app.search_keys(i.name) operator(pg_catalog.&&) v_asked.keys_3)
         and (v_asked.keys_4 is null or app.search_keys(i.name) operator(pg_catalog.&&) v_asked.keys_4)
       limit 200)
    || array(
      select i.id from public.price_book_items i
       where i.company_id = v_company and i.deleted_at is null and v_asked.plain operator(extensions.<%) i.name
       order by extensions.word_similarity(v_asked.plain, i.name) desc limit 100);
  end if;
  return query
    select i.id, i.name, i.sku, i.item_type, i.category_id, i.unit, i.price, i.currency, i.is_active,
           (t.tier + case when t.tier > 0 then 9 else 50 end * l.likeness)::real
      from public.price_book_items i
     cross join lateral (select app.likeness(v_asked.words, i.name) as likeness offset 0) l
     cross join lateral (
       select case when i.sku in (btrim(search_price_book.query), v_asked.number) then 90
                   when app.fold(i.name) = v_asked.plain then 80
                   when l.likeness >= 0.8 and i.search_vector @@ v_asked.start_query then 70
                   when i.search_vector @@ v_asked.start_query then 60
                   else 0 end as tier offset 0) t
     where i.company_id = v_company and i.id = any (v_ids) and i.deleted_at is null
       and (t.tier > 0 or l.likeness >= 0.5 or v_asked.plain operator(extensions.<%) i.name)
     order by i.is_active desc, 10 desc, i.name, i.id
     limit search_price_book.max_results;
end $$;
comment on function public.search_price_book(text, integer) is
  'Finds items of the price book by name, SKU, category or description, also misspelt. Those no longer sold come last.';

drop function if exists public.search_equipment(text, integer);
create function public.search_equipment(query text, max_results integer default 20)
  returns table (id uuid, equipment_number text, name text, manufacturer text, model text, serial_number text, customer_id uuid,
                 property_id uuid, status text, score real)
  language plpgsql stable security definer
  set search_path = ''
  set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_company constant uuid := app.company_id();
  v_asked record;
  v_ids   uuid[];
begin
  perform app.demand('equipment:read');
  select * into v_asked from app.read_question(search_equipment.query, search_equipment.max_results);
  if length(v_asked.plain) < 2 then
    return;
  end if;
  v_ids := array(
    select e.id from public.equipment e
     where e.company_id = v_company and e.deleted_at is null
       and (e.equipment_number = v_asked.number or e.serial_number in (btrim(search_equipment.query), v_asked.number)) limit 100)
  || array(
    select e.id from public.equipment e
     where e.company_id = v_company and e.deleted_at is null and e.search_vector @@ v_asked.start_query limit 300);
  if cardinality(v_ids) < search_equipment.max_results then
    v_ids := v_ids || array(
      select e.id from public.equipment e
       where e.company_id = v_company and e.deleted_at is null
         and app.search_keys(app.equipment_names(e.name, e.manufacturer, e.model)) operator(pg_catalog.&&) v_asked.keys_1
         and (v_asked.keys_2 is null
              or app.search_keys(app.equipment_names(e.name, e.manufacturer, e.model)) operator(pg_catalog.&&) v_asked.keys_2)
         and (v_asked.keys_3 is null
              or app.search_keys(app.equipment_names(e.name, e.manufacturer, e.model)) operator(pg_catalog.&&) v_asked.keys_3)
       limit 200)
    || array(
      select e.id from public.equipment e
       where e.company_id = v_company and e.deleted_at is null
         and v_asked.plain operator(extensions.<%) app.fold(app.equipment_names(e.name, e.manufacturer, e.model))
       limit 100);
  end if;
  return query
    select e.id, e.equipment_number, e.name, e.manufacturer, e.model, e.serial_number, e.customer_id, e.property_id, e.status,
           (t.tier + case when t.tier > 0 then 9 else 50 end * l.likeness)::real
      from public.equipment e
     cross join lateral (
       select app.likeness(v_asked.words, app.equipment_names(e.name, e.manufacturer, e.model)) as likeness offset 0) l
     cross join lateral (
       select case when e.equipment_number = v_asked.number
                     or e.serial_number in (btrim(search_equipment.query), v_asked.number) then 90
                   when app.fold(e.name) = v_asked.plain then 80
                   when l.likeness >= 0.8 and e.search_vector @@ v_asked.start_query then 70
                   when e.search_vector @@ v_asked.start_query then 60
                   else 0 end as tier offset 0) t
     where e.company_id = v_company and e.id = any (v_ids) and e.deleted_at is null
       and (t.tier > 0 or l.likeness >= 0.5
            or v_asked.plain operator(extensions.<%) app.equipment_names(e.name, e.manufacturer, e.model))
     order by 10 desc, e.name, e.id
     limit search_equipment.max_results;
end $$;
comment on function public.search_equipment(text, integer) is
  'Finds equipment, tools and vehicles by number, serial number, name, maker or model, also misspelt.';

-- One list of all that the caller may read; each kind is asked for by its own function, with its own permission.
drop function if exists public.search_everything(text, integer);
create function public.search_everything(query text, max_results integer default 20)
  returns table (kind text, id uuid, title text, subtitle text, score real)
  language plpgsql stable
  set search_path = ''
as $$
#variable_conflict use_column
declare
  v_service constant boolean := auth.role() = 'service_role';
begin
  -- Whoever may read nothing of it is told what he asked wrong all the same.
  if app.company_id() is null then
    raise exception using errcode = 'TH403', constraint = 'company_required', message = 'No company is chosen.',
      hint = 'Make one active with POST /auth/v1/company, or send the header X-Company-Id.';
  elsif search_everything.max_results is null or search_everything.max_results not between 1 and 100 then
    raise exception using errcode = 'TH422', constraint = 'search_limit_invalid', message = 'A search gives 1 to 100 results.';
  end if;
  return query
    select f.kind, f.id, f.title, f.subtitle, f.score
      from (
        select 'customer', c.id, c.display_name, concat_ws(', ', c.phone, c.email, c.city), c.score
          from public.search_customers(search_everything.query, search_everything.max_results) c
         where v_service or app.has_permission('customers:read')
        union all
        select 'job', j.id, concat_ws(' ', j.job_number, j.title), concat_ws(', ', j.customer_name, j.status), j.score
          from public.search_jobs(search_everything.query, search_everything.max_results) j
         where v_service or app.has_permission('jobs:read') or app.has_permission('jobs:read_assigned')
        union all
        select 'price_book_item', i.id, i.name, i.sku, i.score
          from public.search_price_book(search_everything.query, search_everything.max_results) i
         where v_service or app.has_permission('price_book:read')
        union all
        select 'equipment', e.id, e.name, concat_ws(', ', e.manufacturer, e.model, e.serial_number), e.score
          from public.search_equipment(search_everything.query, search_everything.max_results) e
         where v_service or app.has_permission('equipment:read')
      ) f (kind, id, title, subtitle, score)
     order by f.score desc, f.kind, f.title, f.id
     limit search_everything.max_results;
end $$;
comment on function public.search_everything(text, integer) is
  'Customers, jobs, price book and equipment in one list, as far as the caller may read them; the best first.';

alter function public.search_jobs(text, integer) owner to app_definer;
alter function public.search_price_book(text, integer) owner to app_definer;
alter function public.search_equipment(text, integer) owner to app_definer;
revoke all on function public.search_jobs(text, integer), public.search_price_book(text, integer),
  public.search_equipment(text, integer), public.search_everything(text, integer) from public;
grant execute on function public.search_jobs(text, integer), public.search_price_book(text, integer),
  public.search_equipment(text, integer), public.search_everything(text, integer) to authenticated, service_role;
grant execute on function public.search_customers(text, integer) to app_definer;
