-- pg_net: its functions are ours (db/code/565_http_requests.sql). A project's functions and triggers call them, whoever's write it was; and what a
-- database webhook of a project calls.

set role app_owner;

create or replace function supabase_functions.http_request() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_method  constant text := upper(coalesce(tg_argv[1], 'POST'));
  v_headers constant jsonb := coalesce(nullif(tg_argv[2], '')::jsonb, '{"Content-Type": "application/json"}');
  v_params  constant jsonb := coalesce(nullif(tg_argv[3], '')::jsonb, '{}');
  v_time    constant integer := coalesce(nullif(tg_argv[4], '')::integer, 5000);
  v_told    jsonb;
begin
  if v_method <> 'GET' then
    v_told := jsonb_build_object('type', tg_op, 'table', tg_table_name, 'schema', tg_table_schema,
                                 'record', case when tg_op <> 'DELETE' then to_jsonb(new) end, 'old_record', case when tg_op <> 'INSERT' then to_jsonb(old) end);
  end if;
  perform app.request_http(v_method, tg_argv[0], v_params, v_headers, convert_to(v_told::text, 'UTF8'), v_time);
  return coalesce(new, old);
end $$;
comment on function supabase_functions.http_request() is 'Tells another server of a change, after the commit: address, method, headers, parameters, milliseconds.';

revoke all on function supabase_functions.http_request() from public;
grant execute on function app.request_http(text, text, jsonb, jsonb, bytea, integer), net.http_get(text, jsonb, jsonb, integer), net.http_post(text, jsonb, jsonb, jsonb, integer),
  net.http_delete(text, jsonb, jsonb, integer, jsonb), supabase_functions.http_request() to project_owner, anon, authenticated, service_role;
grant usage on schema net, supabase_functions to anon, authenticated, service_role;

reset role;
