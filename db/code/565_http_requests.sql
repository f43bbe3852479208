-- Requests to other servers, asked for in SQL by the names that pg_net, http and database webhooks have. lint: allow id-without-company because
-- pg_net knows a request by its number alone, which is unique.
-- Invariant: no transaction waits for anybody else's server: a request is a task, made after the commit; and what was asked, which may hold
-- secrets, is forgotten with the answer.

-- Where a project was brought before, tables of these names stand here, empty.
do $$
declare
  v_name text;
begin
  foreach v_name in array array['http_request_queue', '_http_response'] loop
    if exists (select from pg_catalog.pg_class c where c.oid = to_regclass('net.' || v_name) and c.relkind = 'r') then
      execute format('drop table net.%I', v_name);
    end if;
  end loop;
  drop function if exists net.not_sent() cascade;
end $$;

revoke all on app.http_requests from public, anon, authenticated, guest, service_role;
grant select, insert, update, delete on app.http_requests to service_role;
grant usage on schema net to service_role;

-- Asks for one. Refused where it can never be made, and where too many of the company wait.
create or replace function app.request_http(p_method text, p_url text, p_params jsonb, p_headers jsonb, p_body bytea, p_timeout_ms integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_company constant uuid := coalesce(app.company_id(), app.no_company());
  v_number  bigint;
begin
  if upper(p_method) is null or upper(p_method) not in ('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE') then
    raise exception using errcode = 'TH422', constraint = 'http_request_invalid', message = 'The method is GET, HEAD, POST, PUT, PATCH or DELETE.';
  elsif p_url is null or length(p_url) not between 8 and 2048 or p_url !~* '^https?://[^/?#[:space:]]+' then
    raise exception using errcode = 'TH422', constraint = 'http_request_invalid', message = 'The address begins with https:// and has up to 2048 letters.';
  elsif jsonb_typeof(coalesce(p_params, '{}')) <> 'object' or jsonb_typeof(coalesce(p_headers, '{}')) <> 'object'
        or pg_column_size(p_params) > 16384 or pg_column_size(p_headers) > 16384 then
    raise exception using errcode = 'TH422', constraint = 'http_request_invalid', message = 'Headers and parameters are objects of up to 16 kB.';
  elsif octet_length(p_body) > 1048576 then
    raise exception using errcode = 'TH413', constraint = 'http_request_too_large', message = 'The body of a request has up to 1 MB.';
  elsif (select count(*) from (select from app.http_requests r where r.company_id = v_company and r.answered_at is null limit 1000) w) >= 1000 then
    raise exception using errcode = 'TH429', constraint = 'http_requests_full', message = 'Too many requests wait to be made. Try again later.';
  end if;
  insert into app.http_requests (company_id, method, url, params, headers, body, timeout_ms)
  values (v_company, upper(p_method), p_url, nullif(p_params, '{}'), nullif(p_headers, '{}'), p_body, least(greatest(coalesce(p_timeout_ms, 5000), 1), 30000))
  returning number into v_number;
  perform app.enqueue_task('http_request', jsonb_build_object('number', v_number), v_company);
  return v_number;
end $$;
comment on function app.request_http(text, text, jsonb, jsonb, bytea, integer) is 'Has another server asked for something after the commit; returns the request''s number.';
alter function app.request_http(text, text, jsonb, jsonb, bytea, integer) owner to app_definer;
revoke all on function app.request_http(text, text, jsonb, jsonb, bytea, integer) from public;
grant execute on function app.request_http(text, text, jsonb, jsonb, bytea, integer) to service_role;

-- What came of one; what was asked is forgotten. Takes away a few of those that nobody can want any more.
create or replace function app.settle_http_request(p_company_id uuid, p_number bigint, p_status integer, p_content_type text, p_headers jsonb,
                                                   p_content text, p_is_timed_out boolean, p_error text) returns void
  language sql volatile
  set search_path = ''
begin atomic
  update app.http_requests r
     set answered_at = now(), status_code = p_status, content_type = left(p_content_type, 255), answer_headers = p_headers, content = p_content,
         is_timed_out = p_is_timed_out, error = left(p_error, 500), url = null, params = null, headers = null, body = null
   where r.company_id = p_company_id and r.number = p_number and r.answered_at is null;
  delete from app.http_requests r
   where (r.company_id, r.number) in (select o.company_id, o.number from app.http_requests o
                                       where o.created_at < now() - interval '6 hours' and (o.answered_at is not null or o.created_at < now() - interval '2 days')
                                       order by o.created_at limit 100 for update skip locked);
end;
revoke all on function app.settle_http_request(uuid, bigint, integer, text, jsonb, text, boolean, text) from public;
grant execute on function app.settle_http_request(uuid, bigint, integer, text, jsonb, text, boolean, text) to service_role;

-- As pg_net has them.
create or replace view net.http_request_queue with (security_invoker = true) as
select r.number as id, r.method, r.url, r.headers, r.body, r.timeout_ms as timeout_milliseconds from app.http_requests r where r.answered_at is null;
comment on view net.http_request_queue is 'Requests that are not made yet, as pg_net shows them.';
create or replace view net._http_response with (security_invoker = true) as
select r.number as id, r.status_code, r.content_type, r.answer_headers as headers, r.content, r.is_timed_out as timed_out, r.error as error_msg,
       r.answered_at as created
  from app.http_requests r where r.answered_at is not null;
comment on view net._http_response is 'What was answered in the last six hours, as pg_net shows it.';
revoke all on net.http_request_queue, net._http_response from public, anon, authenticated, guest, service_role;
grant select on net.http_request_queue, net._http_response to service_role;

create or replace function net.http_get(url text, params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds integer default 5000)
  returns bigint language sql volatile set search_path = ''
  return app.request_http('GET', $1, $2, $3, null, $4);
comment on function net.http_get(text, jsonb, jsonb, integer) is 'Fetches something after the commit; returns the id under which net._http_response has the answer.';
create or replace function net.http_post(url text, body jsonb default '{}', params jsonb default '{}',
                                         headers jsonb default '{"Content-Type": "application/json"}', timeout_milliseconds integer default 5000)
  returns bigint language sql volatile set search_path = ''
  return app.request_http('POST', $1, $3, $4, pg_catalog.convert_to($2::text, 'UTF8'), $5);
comment on function net.http_post(text, jsonb, jsonb, jsonb, integer) is 'Posts something after the commit; returns the id under which net._http_response has the answer.';
create or replace function net.http_delete(url text, params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds integer default 5000,
                                           body jsonb default null)
  returns bigint language sql volatile set search_path = ''
  return app.request_http('DELETE', $1, $2, $3, pg_catalog.convert_to($5::text, 'UTF8'), $4);
comment on function net.http_delete(text, jsonb, jsonb, integer, jsonb) is 'Has something deleted after the commit; returns the id under which net._http_response has the answer.';
revoke all on function net.http_get(text, jsonb, jsonb, integer), net.http_post(text, jsonb, jsonb, jsonb, integer),
  net.http_delete(text, jsonb, jsonb, integer, jsonb) from public;
grant execute on function net.http_get(text, jsonb, jsonb, integer), net.http_post(text, jsonb, jsonb, jsonb, integer),
  net.http_delete(text, jsonb, jsonb, integer, jsonb) to service_role;

-- What the extension http has, for schedules that call it: the answer says that it was taken, and its number. An installation that has
-- the extension itself keeps that.
do $$
begin
  if exists (select from pg_catalog.pg_extension where extname = 'http') then
    return;
  end if;
  if to_regtype('extensions.http_header') is null then
    create type extensions.http_header as (field text, value text);
    create type extensions.http_request as (method text, uri text, headers extensions.http_header[], content_type text, content text);
    create type extensions.http_response as (status integer, content_type text, headers extensions.http_header[], content text);
  end if;
  execute $sql$
    create or replace function extensions.http_header(field text, value text) returns extensions.http_header
      language sql immutable set search_path = ''
      return row($1, $2)::extensions.http_header;
    create or replace function extensions.http(request extensions.http_request) returns extensions.http_response
      language plpgsql volatile set search_path = ''
    as $body$
    declare
      v_headers jsonb;
      v_number  bigint;
    begin
      select coalesce(jsonb_object_agg(h.field, h.value), '{}') into v_headers from unnest(request.headers) h;
      if request.content_type is not null then
        v_headers := v_headers || jsonb_build_object('Content-Type', request.content_type);
      end if;
      v_number := app.request_http(request.method, request.uri, '{}', v_headers, convert_to(request.content, 'UTF8'), 30000);
      return row(202, 'application/json', null, jsonb_build_object('request_id', v_number)::text)::extensions.http_response;
    end $body$;
    comment on function extensions.http(extensions.http_request) is
      'Has another server asked for something after the commit: the answer is always 202, and net._http_response has what came.';
    revoke all on function extensions.http(extensions.http_request), extensions.http_header(text, text) from public;
    grant execute on function extensions.http(extensions.http_request), extensions.http_header(text, text) to service_role;
  $sql$;
end $$;
