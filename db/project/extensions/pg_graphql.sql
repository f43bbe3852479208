-- pg_graphql: the function that programs call. There is no GraphQL here, and it says so.

set role app_owner;

create or replace function graphql_public.graphql("operationName" text default null, query text default null, variables jsonb default null,
                                                  extensions jsonb default null) returns jsonb
  language plpgsql
  set search_path = ''
as $$
begin
  raise exception using errcode = '0A000', message = 'GraphQL is not served here', hint = 'Ask the data API under /rest/v1.';
end $$;
revoke all on function graphql_public.graphql(text, text, jsonb, jsonb) from public;
grant execute on function graphql_public.graphql(text, text, jsonb, jsonb) to project_owner, anon, authenticated, service_role;
grant usage on schema graphql_public to anon, authenticated, service_role;

reset role;
