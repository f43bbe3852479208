-- Search over customers. It runs as a definer, because under row security no index but those of plain equality can be used: so it
-- asks for the permission first, and each of its steps begins with the company and leaves out who was deleted. A number or an
-- address that is somebody's is the answer; else the steps gather candidates, a few hundred at most, from the surest to the
-- vaguest; one that is not needed is not made.

drop function if exists public.search_customers(text, integer);
create function public.search_customers(query text, max_results integer default 20)
  returns table (id uuid, display_name text, first_name text, last_name text, company_name text, email text, phone text,
                 address text, city text, state text, status text, score real)
  language plpgsql stable security definer
  set search_path = ''
  -- What is rare in one company is common in another.
  set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  v_company constant uuid := app.company_id();
  v_asked record;
  v_ids   uuid[];
  v_exact boolean := false;
begin
  perform app.demand('customers:read');
  select * into v_asked from app.read_question(search_customers.query, search_customers.max_results);
  if v_asked.plain = '' then
    return;
  end if;

  if length(v_asked.plain) = 1 then
    v_ids := array(
      select c.id from public.customers c
       where c.company_id = v_company and c.deleted_at is null and c.display_name ilike v_asked.plain || '%'
         and c.display_name >= least(v_asked.plain, upper(v_asked.plain))
       order by c.display_name, c.id limit search_customers.max_results);
  else
    v_ids := array(
      select c.id from public.customers c
       where c.company_id = v_company and c.deleted_at is null
         and (app.phone_key(c.phone) = v_asked.phone or app.phone_key(c.secondary_phone) = v_asked.phone
              or c.email_key = v_asked.email)
       limit 100);
    v_exact := v_ids <> '{}';
    if not v_exact then
      v_ids := array(
        select c.id from public.customers c
         where c.company_id = v_company and c.deleted_at is null and c.search_vector @@ v_asked.word_query limit 150);
    end if;
    if not v_exact and cardinality(v_ids) < 150 then
      v_ids := v_ids || array(
        select c.id from public.customers c
         where c.company_id = v_company and c.deleted_at is null and c.search_vector @@ v_asked.start_query limit 150);
    end if;
    if not v_exact and cardinality(v_ids) < search_customers.max_results then
      v_ids := v_ids || app.customers_alike(v_company, v_asked.words, v_asked.plain, v_asked.pattern,
                                            v_asked.keys_1, v_asked.keys_2, v_asked.keys_3, v_asked.keys_4);
    end if;
  end if;

  return query
    select c.id, c.display_name, c.first_name, c.last_name, c.company_name, c.email, c.phone, c.address, c.city, c.state,
           c.status,
           (t.tier + case when t.tier > 0 then 9 else 50 end * l.likeness)::real
      from public.customers c
     -- Offset 0: once for each, however often it is used.
     cross join lateral (
       select app.likeness(v_asked.words, app.customer_names(c.first_name, c.last_name, c.company_name)) as likeness offset 0) l
     cross join lateral (
       select case
         when c.email_key = v_asked.email or app.phone_key(c.phone) = v_asked.phone
           or app.phone_key(c.secondary_phone) = v_asked.phone then 100
         when v_asked.plain in (app.fold(c.display_name), app.fold(c.company_name),
                                app.fold(c.first_name || ' ' || c.last_name)) then 80
         when l.likeness >= 0.8 and c.search_vector @@ v_asked.start_query then 70
         when c.search_vector @@ v_asked.start_query then 60
         else 0 end as tier offset 0) t
     where c.company_id = v_company and c.id = any (v_ids) and c.deleted_at is null
       and (t.tier > 0 or l.likeness >= 0.5
            or app.fold(app.customer_names(c.first_name, c.last_name, c.company_name)) like v_asked.pattern)
     order by 12 desc, c.display_name, c.id
     limit search_customers.max_results;
end $$;
comment on function public.search_customers(text, integer) is
  'Finds customers of the active company by name, telephone number, e-mail, address or notes, also misspelt. The best first.';
alter function public.search_customers(text, integer) owner to app_definer;
revoke all on function public.search_customers(text, integer) from public;
grant execute on function public.search_customers(text, integer) to authenticated, service_role;

-- Those whose names are alike.
drop function if exists app.customers_alike(uuid, text[], text, text, text[], text[], text[], text[]);
create function app.customers_alike(p_company_id uuid, p_words text[], p_plain text, p_pattern text,
                                    p_keys_1 text[], p_keys_2 text[], p_keys_3 text[], p_keys_4 text[]) returns uuid[]
  language plpgsql stable
  set search_path = ''
  set plan_cache_mode = force_custom_plan
as $$
declare
  v_ids  uuid[];
  v_best double precision;
begin
  -- Each word has a key in common with the name.
  v_ids := array(
    select c.id from public.customers c
     where c.company_id = p_company_id and c.deleted_at is null
       and app.search_keys(app.customer_names(c.first_name, c.last_name, c.company_name)) operator(pg_catalog.&&) p_keys_1
       and (p_keys_2 is null
            or app.search_keys(app.customer_names(c.first_name, c.last_name, c.company_name)) operator(pg_catalog.&&) p_keys_2)
       and (p_keys_3 is null
            or app.search_keys(app.customer_names(c.first_name, c.last_name, c.company_name)) operator(pg_catalog.&&) p_keys_3)
       and (p_keys_4 is null
            or app.search_keys(app.customer_names(c.first_name, c.last_name, c.company_name)) operator(pg_catalog.&&) p_keys_4)
     order by extensions.similarity(c.display_name, p_plain) desc limit 150);
  select max(app.likeness(p_words, app.customer_names(c.first_name, c.last_name, c.company_name))) into v_best
    from public.customers c where c.company_id = p_company_id and c.id = any (v_ids);
  if coalesce(v_best, 0) >= 0.75 then
    return v_ids;
  end if;
  -- Then by three letters in a row, and by what stands within a name.
  return v_ids
    || array(
      select c.id from public.customers c
       where c.company_id = p_company_id and c.deleted_at is null
         and app.fold(app.customer_names(c.first_name, c.last_name, c.company_name)) operator(extensions.%) p_plain
       order by extensions.similarity(c.display_name, p_plain) desc limit 150)
    || array(
      select c.id from public.customers c
       where c.company_id = p_company_id and c.deleted_at is null and length(p_plain) >= 3
         and app.fold(app.customer_names(c.first_name, c.last_name, c.company_name)) like p_pattern
       limit 50);
end $$;
revoke all on function app.customers_alike(uuid, text[], text, text, text[], text[], text[], text[]) from public;
grant execute on function app.customers_alike(uuid, text[], text, text, text[], text[], text[], text[]) to app_definer;
