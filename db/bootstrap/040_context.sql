-- Who asks, and for which company: what the opening statement of a transaction has set.
-- Invariant: nothing here reads a table, and an unset context is NULL, never an error and never a row.
-- The bodies are parsed when they are created, so that no search_path can bend them; they carry no
-- SET clause, so that the planner can inline them.

set role app_owner;

create or replace function app.company_id() returns uuid
  language sql stable parallel safe
  return coalesce(
    nullif(pg_catalog.current_setting('app.company_id', true), '')::uuid,
    -- The second name is for older service programs. A member's transaction never reads it.
    case when pg_catalog.current_setting('role', true) = 'service_role'
         then nullif(pg_catalog.current_setting('app.current_tenant_id', true), '')::uuid end);
comment on function app.company_id() is 'The company of this transaction, or NULL.';

create or replace function app.member_role() returns text
  language sql stable parallel safe
  return nullif(pg_catalog.current_setting('app.member_role', true), '');
comment on function app.member_role() is 'What the caller is in the company of this transaction, or NULL.';

create or replace function app.has_permission(p_permission text) returns boolean
  language sql stable parallel safe
  return pg_catalog.strpos(coalesce(pg_catalog.current_setting('app.permissions', true), ''),
                           ',' || p_permission || ',') > 0;
comment on function app.has_permission(text) is
  'Whether the caller holds noun:verb (everything), noun:verb_assigned or noun:verb_own. Wrap it: (select app.has_permission(...)).';

create or replace function app.customer_id() returns uuid
  language sql stable parallel safe
  return nullif(pg_catalog.current_setting('app.customer_id', true), '')::uuid;
comment on function app.customer_id() is 'The customer whose pass opened this transaction, or NULL.';

create or replace function app.linked_id() returns uuid
  language sql stable parallel safe
  return nullif(pg_catalog.current_setting('app.linked_id', true), '')::uuid;
comment on function app.linked_id() is 'The row of which the link is that opened this transaction, or NULL.';

create or replace function auth.jwt() returns jsonb
  language sql stable parallel safe
  return nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb;

create or replace function auth.uid() returns uuid
  language sql stable parallel safe
  return coalesce(
    nullif(pg_catalog.current_setting('app.user_id', true), ''),
    nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid;

create or replace function auth.role() returns text
  language sql stable parallel safe
  return coalesce(
    nullif(pg_catalog.current_setting('role', true), 'none'),
    nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb ->> 'role');

create or replace function auth.email() returns text
  language sql stable parallel safe
  return nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb ->> 'email';

-- 48 bits of milliseconds, 12 bits of the fraction (so that ids of one session keep their order),
-- 62 random bits. The server's own function exists from PostgreSQL 18 on only. One expression that names
-- nothing twice: the planner puts it into the statement, where a function of its own would be planned anew
-- for every row that is inserted alone.
create or replace function app.uuid_v7() returns uuid
  language sql volatile parallel safe
  -- Milliseconds with 16 bits of fraction; the version pushes the last four of them out.
  return (pg_catalog.left(pg_catalog.overlay(pg_catalog.lpad(pg_catalog.to_hex(
            pg_catalog.floor(extract(epoch from pg_catalog.clock_timestamp()) * 65536000)::bigint), 16, '0'), '7', 13, 0), 16)
          || pg_catalog.substr(pg_catalog.gen_random_uuid()::text, 19))::uuid;
comment on function app.uuid_v7() is 'A new time-ordered id.';

revoke all on function app.company_id(), app.customer_id(), app.linked_id(), app.member_role(), app.has_permission(text), app.uuid_v7(),
  auth.jwt(), auth.uid(), auth.role(), auth.email() from public;
grant execute on function app.company_id(), app.customer_id(), app.linked_id(), app.member_role(), app.has_permission(text), app.uuid_v7(),
  auth.jwt(), auth.uid(), auth.role(), auth.email() to anon, authenticated, guest, service_role, app_definer;

reset role;
