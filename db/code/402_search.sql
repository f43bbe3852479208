-- How a question is read, and how alike words are. What is found is ranked the same way everywhere: 100 an exact telephone number
-- or address, 90 an exact number, 80 the very name, 70 words that begin so in the name, 60 anywhere in the row, below 50 words
-- that are alike.

create or replace function app.read_question(
  p_query         text,
  p_max_results   integer,
  out plain       text,
  out words       text[],
  out keys_1      text[],
  out keys_2      text[],
  out keys_3      text[],
  out keys_4      text[],
  out word_query  tsquery,
  out start_query tsquery,
  out phone       text,
  out email       text,
  out number      text,
  out pattern     text
)
  language plpgsql stable
  set search_path = ''
as $$
begin
  if p_max_results is null or p_max_results not between 1 and 100 then
    raise exception using errcode = 'TH422', constraint = 'search_limit_invalid',
      message = 'A search gives 1 to 100 results.';
  end if;
  if length(p_query) > 200 then
    raise exception using errcode = 'TH422', constraint = 'search_query_too_long',
      message = 'A search has at most 200 characters.';
  end if;
  plain := coalesce(app.fold(p_query), '');
  words := coalesce(app.words(p_query), '{}');
  number := upper(btrim(p_query));
  -- In a pattern these three are letters.
  pattern := '%' || replace(replace(replace(plain, '\', '\\'), '%', '\%'), '_', '\_') || '%';
  if p_query ~ '^[\d\s()./+x-]+$' then
    phone := app.phone_key(p_query);
  end if;
  if strpos(p_query, '@') > 0 then
    email := lower(btrim(p_query));
  end if;
  if cardinality(words) > 0 then
    select to_tsquery('pg_catalog.simple', string_agg(quote_literal(w.word), ' & ')),
           to_tsquery('pg_catalog.simple', string_agg(quote_literal(w.word) || ':*', ' & '))
      into word_query, start_query
      from unnest(words) w (word);
  end if;
  keys_1 := app.search_keys(words[1]);
  keys_2 := nullif(app.search_keys(words[2]), '{}');
  keys_3 := nullif(app.search_keys(words[3]), '{}');
  keys_4 := nullif(app.search_keys(words[4]), '{}');
  -- Used by the operators % and <% below, for the rest of this transaction.
  perform set_config('pg_trgm.similarity_threshold', '0.25', true), set_config('pg_trgm.word_similarity_threshold', '0.4', true);
end $$;
comment on function app.read_question(text, integer) is
  'What somebody looks for: its words, their keys, and what it may be as a number or an address.';
revoke all on function app.read_question(text, integer) from public;
grant execute on function app.read_question(text, integer) to app_definer;

-- The three below are called hundreds of times by functions whose search_path is empty, and only by them; a SET clause of their
-- own would cost more than they do.

-- Letters to change from one word to the other; two neighbours that changed places are one.
create or replace function app.edits_between(p_a text, p_b text) returns integer
  language plpgsql immutable parallel safe
as $$
declare
  v_edits constant integer := extensions.levenshtein(p_a, p_b);
begin
  if v_edits = 2 and length(p_a) = length(p_b) then
    for i in 1 .. length(p_a) - 1 loop
      if substr(p_a, i, 1) <> substr(p_b, i, 1) then
        return case when substr(p_a, i, 1) = substr(p_b, i + 1, 1) and substr(p_a, i + 1, 1) = substr(p_b, i, 1)
                     and substr(p_a, i + 2) = substr(p_b, i + 2) then 1 else 2 end;
      end if;
    end loop;
  end if;
  return v_edits;
end $$;
revoke all on function app.edits_between(text, text) from public;
grant execute on function app.edits_between(text, text) to app_definer;

-- 1 the same word; 0.8 and more if the one begins the other; 0.7 and more if they sound alike; else by the letters that differ.
create or replace function app.word_likeness(p_asked text, p_word text) returns double precision
  language plpgsql immutable parallel safe
as $$
declare
  v_asked constant text := left(p_asked, 40);
  v_word  constant text := left(p_word, 40);
  v_likeness double precision;
begin
  if v_asked = v_word then
    return 1;
  elsif v_asked = '' or v_word = '' then
    return 0;
  end if;
  v_likeness := 1 - app.edits_between(v_asked, v_word)::double precision / greatest(length(v_asked), length(v_word));
  if starts_with(v_word, v_asked) then
    return greatest(v_likeness, 0.8 + 0.2 * length(v_asked) / length(v_word));
  end if;
  if v_likeness < 0.9 and extensions.dmetaphone(v_asked) <> ''
     and array[extensions.dmetaphone(v_asked), extensions.dmetaphone_alt(v_asked)]
           operator(pg_catalog.&&) array[extensions.dmetaphone(v_word), extensions.dmetaphone_alt(v_word)] then
    v_likeness := greatest(v_likeness, 0.7 + 0.2 * v_likeness);
  end if;
  return v_likeness;
end $$;
revoke all on function app.word_likeness(text, text) from public;
grant execute on function app.word_likeness(text, text) to app_definer;

-- Each word that was asked for with the one most like it, long words counting more; a name with more words than asked for comes
-- behind one without. Or the whole without spaces, so that Mc Donald is McDonald.
create or replace function app.likeness(p_asked text[], p_names text) returns double precision
  language plpgsql immutable parallel safe
as $$
declare
  v_names  constant text[] := coalesce(app.words(p_names), '{}');
  v_asked  text;
  v_name   text;
  v_best   double precision;
  v_sum    double precision := 0;
  v_length integer := 0;
begin
  foreach v_asked in array p_asked loop
    v_best := 0;
    foreach v_name in array v_names loop
      v_best := greatest(v_best, app.word_likeness(v_asked, v_name));
      exit when v_best = 1;
    end loop;
    v_sum := v_sum + v_best * length(v_asked);
    v_length := v_length + length(v_asked);
  end loop;
  v_best := v_sum / greatest(v_length, 1) - 0.01 * least(5, greatest(0, cardinality(v_names) - cardinality(p_asked)));
  if v_best < 0.9 and cardinality(v_names) + cardinality(p_asked) > 2 then
    v_best := greatest(v_best, app.word_likeness(array_to_string(p_asked, ''), array_to_string(v_names, '')) - 0.02);
  end if;
  return v_best;
end $$;
comment on function app.likeness(text[], text) is 'How alike the words somebody asked for are to a name: 0 to 1.';
revoke all on function app.likeness(text[], text) from public;
grant execute on function app.likeness(text[], text) to app_definer;
