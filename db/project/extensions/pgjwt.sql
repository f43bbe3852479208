-- pgjwt: tokens signed with a shared secret, on pgcrypto. The same functions with the same results.

set role app_owner;

create or replace function extensions.url_encode(data bytea) returns text
  language sql immutable strict parallel safe
  return pg_catalog.translate(pg_catalog.encode(data, 'base64'), E'+/=\n', '-_');

create or replace function extensions.url_decode(data text) returns bytea
  language sql immutable strict parallel safe
  return pg_catalog.decode(pg_catalog.rpad(pg_catalog.translate(data, '-_', '+/'), ((pg_catalog.length(data) + 3) / 4) * 4, '='), 'base64');

create or replace function extensions.algorithm_sign(signables text, secret text, algorithm text) returns text
  language sql immutable parallel safe
  set search_path = ''
as $$
  select extensions.url_encode(extensions.hmac(signables, secret,
           case algorithm when 'HS256' then 'sha256' when 'HS384' then 'sha384' when 'HS512' then 'sha512' else '' end))
$$;

create or replace function extensions.sign(payload json, secret text, algorithm text default 'HS256') returns text
  language sql immutable parallel safe
  set search_path = ''
as $$
  select s.signables || '.' || extensions.algorithm_sign(s.signables, secret, algorithm)
    from (select extensions.url_encode(convert_to('{"alg":"' || algorithm || '","typ":"JWT"}', 'utf8')) || '.'
              || extensions.url_encode(convert_to(payload::text, 'utf8')) as signables) s
$$;

create or replace function extensions.try_cast_double(inp text) returns double precision
  language plpgsql immutable
  set search_path = ''
as $$
begin
  return inp::double precision;
exception when others then
  return null;
end $$;

create or replace function extensions.verify(token text, secret text, algorithm text default 'HS256')
  returns table (header json, payload json, valid boolean)
  language sql stable parallel safe
  set search_path = ''
as $$
  select j.header, j.payload,
         j.is_signed
         and extract(epoch from clock_timestamp())
             between coalesce(extensions.try_cast_double(j.payload ->> 'nbf'), '-infinity')
                 and coalesce(extensions.try_cast_double(j.payload ->> 'exp'), 'infinity')
    from (select convert_from(extensions.url_decode(r[1]), 'utf8')::json as header,
                 convert_from(extensions.url_decode(r[2]), 'utf8')::json as payload,
                 r[3] = extensions.algorithm_sign(r[1] || '.' || r[2], secret, algorithm) as is_signed
            from string_to_array(token, '.') r) j
$$;

revoke all on function extensions.url_encode(bytea), extensions.url_decode(text), extensions.algorithm_sign(text, text, text),
  extensions.sign(json, text, text), extensions.try_cast_double(text), extensions.verify(text, text, text) from public;
grant execute on function extensions.url_encode(bytea), extensions.url_decode(text), extensions.algorithm_sign(text, text, text),
  extensions.sign(json, text, text), extensions.try_cast_double(text), extensions.verify(text, text, text)
  to project_owner, anon, authenticated, service_role;

reset role;
