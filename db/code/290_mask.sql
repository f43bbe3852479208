-- What is shown of personal values to those who need not know them: in the audit, in exports, and to whoever may not read them whole.

-- A column says in its comment what it holds: pii:email, pii:phone, pii:contact (either), pii:name, pii:address, pii:card, pii:tax_id,
-- pii:ip, pii:signature, pii:text, or secret. Beside it, or alone, html says that it is shown as HTML, and html(description,notes) that
-- these members of its JSON are; that is read by the data API and nowhere here.
create or replace function app.mask(p_kind text, p_value text) returns text
  language sql immutable parallel safe
  return case
    when p_value is null or p_value = '' then p_value
    when (p_kind = 'email' or p_kind = 'contact') and p_value like '_%@_%' then left(p_value, 1) || '***@' || split_part(p_value, '@', -1)
    when p_kind in ('phone', 'contact', 'card') and length(regexp_replace(p_value, '[^0-9]', '', 'g')) >= case p_kind when 'card' then 4 else 7 end
      then '***' || right(regexp_replace(p_value, '[^0-9]', '', 'g'), 4)
    when p_kind = 'name' then regexp_replace(btrim(p_value), '(\S)\S*', '\1***', 'g')
    when p_kind = 'tax_id' and length(p_value) >= 8 then '***' || right(p_value, 4)
    when p_kind = 'ip' and p_value ~ '^\d+\.\d+\.\d+\.\d+' then regexp_replace(p_value, '^(\d+\.\d+\.\d+)\..*$', '\1.***')
    when p_kind = 'ip' and p_value ~ '^[0-9a-f]*:[0-9a-f]*:' then regexp_replace(p_value, '^([0-9a-f]*:[0-9a-f]*):.*$', '\1:***')
    else '***' end;
comment on function app.mask(text, text) is
  'Hides a personal value but for what tells two of them apart: mask(''email'', ''jane@x.com'') is j***@x.com; of phones and cards the last four digits stay.';
revoke all on function app.mask(text, text) from public;
grant execute on function app.mask(text, text) to anon, authenticated, guest, service_role, app_definer;

-- Cards, tax numbers, addresses of machines and signatures are shown whole to those who hold pii:read alone. What a guest may read at all is
-- his own, by the columns that are meant for him.
create or replace function app.sees_whole() returns boolean
  language sql stable parallel safe
  return current_user in ('guest', 'service_role') or app.has_permission('pii:read');
comment on function app.sees_whole() is
  'Whether the caller reads columns labelled pii:card, pii:tax_id, pii:ip or pii:signature as they are; others are shown what app.mask leaves of them.';
revoke all on function app.sees_whole() from public;
grant execute on function app.sees_whole() to anon, authenticated, guest, service_role;

-- What columns of a table hold of people and secrets, as column and kind in turn.
create or replace function app.labels_of(p_table regclass) returns text[]
  language sql stable
  set search_path = ''
as $$
  select coalesce(array_agg(x.word order by a.attnum, x.place), '{}')
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_description d on d.classoid = 'pg_catalog.pg_class'::regclass and d.objoid = a.attrelid and d.objsubid = a.attnum
   cross join lateral (values (1, a.attname::text), (2, regexp_replace(d.description, '^pii:|( html.*)$', '', 'g'))) x (place, word)
   where a.attrelid = p_table and not a.attisdropped and d.description ~ '^(pii:[a-z_]+|secret)( html(\([a-z0-9_,]+\))?)?$'
$$;
revoke all on function app.labels_of(regclass) from public;
