-- What is a person's before anything is taken from him: the words that tell of him, and his rows.
-- Invariants: an account has no words but those it proved to be its own; no row leads to others that is not told to the person himself.

-- By what records tell of somebody. Of a customer what the company wrote of him; of an account only what he proved to be his: what he may
-- write as he likes would make others' rows his.
-- addresses: as app.address_of writes them. words: addresses, numbers and his id as they stand in texts. names: whole ones; a single word is
-- too little to be one.
drop function if exists app.words_of_person(text, uuid, uuid);
create or replace function app.words_of_person(p_subject text, p_company_id uuid, p_id uuid, out addresses text[], out words text[], out names text[])
  language sql stable
  set search_path = ''
as $$
  with said as (
    select w.word, w.is_name from public.customers c
     cross join lateral (values (c.email, false), (c.billing_email, false), (c.phone, false), (c.secondary_phone, false), (c.display_name, true)) w (word, is_name)
     where p_subject = 'customer' and c.company_id = p_company_id and c.id = p_id
    union
    select w.word, w.is_name from public.customer_contacts c
     cross join lateral (values (c.email, false), (c.phone, false), (c.mobile_phone, false), (c.first_name || ' ' || c.last_name, true)) w (word, is_name)
     where c.company_id = p_company_id and (p_subject = 'customer' and c.customer_id = p_id or p_subject = 'contact' and c.id = p_id)
    union
    select w.word, false from auth.users u
     cross join lateral (values (case when u.email_proved_at is not null then u.email end), (case when u.phone_proved_at is not null then u.phone end)) w (word)
     where p_subject = 'account' and u.id = p_id
  ), shaped as (
    select lower(btrim(s.word)) as word, s.is_name, case when not s.is_name then app.address_of(s.word) end as address from said s where btrim(s.word) <> ''
  ), found as (
    select s.word from shaped s where s.address is not null and (s.address like '%@%' or length(s.address) >= 9)
    union select s.address from shaped s where length(s.address) >= 9
    union select right(s.address, 10) from shaped s where s.address ~ '^1[0-9]{10}$'
  )
  select coalesce((select array_agg(distinct s.address) from shaped s where s.address is not null), '{}'),
         array[p_id::text] || coalesce((select array_agg(f.word) from found f), '{}'),
         coalesce((select array_agg(distinct s.word) from shaped s
                    where s.is_name and length(s.word) >= 6 and s.word like '_% _%' and s.word not like 'erased person%'), '{}')
$$;
revoke all on function app.words_of_person(text, uuid, uuid) from public;
grant execute on function app.words_of_person(text, uuid, uuid) to app_definer;

-- Finds the rows of the person, before anything is taken from them.
create or replace function app.find_person_rows(p_erasure app.erasures) returns app.erasures
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_place record;
  v_found uuid[];
begin
  select w.addresses, w.words, w.names into p_erasure.addresses, p_erasure.words, p_erasure.names
    from app.words_of_person(p_erasure.subject, p_erasure.company_id, p_erasure.subject_id) w;
  p_erasure.row_ids := array[p_erasure.subject_id];
  for v_place in
    select p.* from app.personal_places() p
     where p.subject = p_erasure.subject and starts_with(p.table_name, 'public.') and p.deed <> 'keep' and p.leads
       -- What a contact signed is the customer's.
       and (p.subject <> 'contact' or p.deed <> 'listed')
       and exists (select from pg_catalog.pg_attribute a where a.attrelid = p.table_name::regclass and a.attname = 'id' and a.atttypid = 'uuid'::regtype)
     order by p.place
  loop
    -- The last is for places that name not all of them: every parameter that is given has to have a type.
    execute format('select array_agg(t.id) from %s t where (%s) and ($1, $2, $3, $4, $5, $6) is not null', v_place.table_name, v_place.whose)
      into v_found using p_erasure.companies, p_erasure.subject_id, p_erasure.row_ids, p_erasure.words, p_erasure.addresses, p_erasure.names;
    p_erasure.row_ids := p_erasure.row_ids || coalesce(v_found, '{}');
  end loop;
  return p_erasure;
end $$;
revoke all on function app.find_person_rows(app.erasures) from public;
grant execute on function app.find_person_rows(app.erasures) to app_definer;
