-- What becomes of a text before it is searched. Indexes are built with these functions, so that they have to be there before the
-- tables. Bodies that begin with `return` are parsed when they are made, and carry no SET clause, which would cost more than they
-- do. Invariant: whoever changes one rebuilds the indexes that use it (customers_search_idx and its like), in the same release.

set role app_owner;

-- Letters without marks, in lower case; an apostrophe joins (O'Brien is obrien), other signs part.
create or replace function app.fold(p_text text) returns text
  language sql immutable parallel safe
  return pg_catalog.btrim(pg_catalog.regexp_replace(pg_catalog.lower(
    case when p_text ~ '[^ -~]'
         then pg_catalog.translate(
                pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(
                  pg_catalog.regexp_replace(normalize(p_text, NFKD), '[\u0300-\u036f\u2018\u2019\u02bc]', '', 'g'),
                  'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'),
                'øØłŁđĐı''`', 'oOlLdDi')
         else pg_catalog.translate(p_text, '''`', '') end), '[[:space:][:punct:]]+', ' ', 'g'));
comment on function app.fold(text) is 'The text as it is searched: small letters without marks, words parted by one space.';

create or replace function app.words(p_text text) returns text[]
  language sql immutable parallel safe
  return (pg_catalog.array_remove(pg_catalog.string_to_array(app.fold(p_text), ' '), ''))[1:8];
comment on function app.words(text) is 'The first eight words of a text.';

-- Under which a word is found although it is misspelt: itself, itself without any one of its letters, and how it sounds. Two
-- words that differ by one letter, by a letter too many or too few, or by two neighbours that changed places have one of these in
-- common.
create or replace function app.search_keys(p_text text) returns text[]
  language plpgsql immutable parallel safe
  set search_path = ''
as $$
declare
  v_word text;
  v_keys text[] := '{}';
begin
  foreach v_word in array coalesce(app.words(p_text), '{}') loop
    v_word := left(v_word, 24);
    v_keys := v_keys || v_word || ('~' || extensions.dmetaphone(v_word)) || ('~' || extensions.dmetaphone_alt(v_word));
    if length(v_word) >= 3 then
      for i in 1 .. length(v_word) loop
        v_keys := v_keys || (left(v_word, i - 1) || substr(v_word, i + 1));
      end loop;
    end if;
  end loop;
  -- What has no sound is not alike.
  return array_remove(v_keys, '~');
end $$;
comment on function app.search_keys(text) is 'The keys under which misspelt words are found.';

create or replace function app.digits(p_text text) returns text
  language sql immutable parallel safe
  return pg_catalog.translate(p_text, pg_catalog.translate(p_text, '0123456789', ''), '');
comment on function app.digits(text) is 'The digits of a text.';

-- A number as it is compared: the last ten digits, whatever stands before and between them. Shorter ones are no numbers.
create or replace function app.phone_key(p_phone text) returns text
  language sql immutable parallel safe
  return case when pg_catalog.length(app.digits(p_phone)) >= 7 then pg_catalog."right"(app.digits(p_phone), 10) end;
comment on function app.phone_key(text) is 'The last ten digits of a telephone number.';

create or replace function app.customer_names(p_first_name text, p_last_name text, p_company_name text) returns text
  language sql immutable parallel safe
  return coalesce(p_first_name, '') || ' ' || coalesce(p_last_name, '') || ' ' || coalesce(p_company_name, '');
comment on function app.customer_names(text, text, text) is 'What a customer is called, as it is searched.';

create or replace function app.equipment_names(p_name text, p_manufacturer text, p_model text) returns text
  language sql immutable parallel safe
  return coalesce(p_name, '') || ' ' || coalesce(p_manufacturer, '') || ' ' || coalesce(p_model, '');
comment on function app.equipment_names(text, text, text) is 'What a piece of equipment is called, as it is searched.';

-- Names weigh A, numbers and addresses of the net B, places C, what was noted D.
create or replace function app.weigh(p_names text, p_numbers text, p_places text, p_notes text) returns tsvector
  language sql immutable parallel safe
  return pg_catalog.setweight(pg_catalog.to_tsvector('pg_catalog.simple', app.fold(coalesce(p_names, ''))), 'A')
      || pg_catalog.setweight(pg_catalog.to_tsvector('pg_catalog.simple', app.fold(coalesce(p_numbers, ''))), 'B')
      || pg_catalog.setweight(pg_catalog.to_tsvector('pg_catalog.simple', app.fold(coalesce(p_places, ''))), 'C')
      || pg_catalog.setweight(pg_catalog.to_tsvector('pg_catalog.simple',
           app.fold(pg_catalog."left"(coalesce(p_notes, ''), 20000))), 'D');
comment on function app.weigh(text, text, text, text) is 'The words of a row by their weight: names, numbers, places, notes.';

-- A telephone number as words: whole, and its last ten, seven and four digits, as people say them.
create or replace function app.phone_words(p_phone text) returns text
  language sql immutable parallel safe
  return app.digits(p_phone) || case when pg_catalog.length(app.digits(p_phone)) >= 7
    then ' ' || pg_catalog."right"(app.digits(p_phone), 10) || ' ' || pg_catalog."right"(app.digits(p_phone), 7)
         || ' ' || pg_catalog."right"(app.digits(p_phone), 4) else '' end;
comment on function app.phone_words(text) is 'The words under which a telephone number is found.';

-- An index asks with the rights of whoever writes the row.
revoke all on function app.fold(text), app.words(text), app.search_keys(text), app.digits(text), app.phone_key(text),
  app.weigh(text, text, text, text), app.phone_words(text), app.customer_names(text, text, text),
  app.equipment_names(text, text, text) from public;
grant execute on function app.fold(text), app.words(text), app.search_keys(text), app.digits(text), app.phone_key(text),
  app.weigh(text, text, text, text), app.phone_words(text), app.customer_names(text, text, text),
  app.equipment_names(text, text, text) to anon, authenticated, service_role, app_definer;

reset role;
