-- A write that comes with an Idempotency-Key is done once: the same caller's same request gets the first answer again.
-- Invariants: a key belongs to one caller in one company and one route, so nobody is told another's answer; the answer is kept in the
-- transaction of the write.

-- Whose key it is: a person's, a pass's, or nobody's in particular.
create or replace function app.idempotency_caller() returns uuid
  language sql stable
  set search_path = ''
  return coalesce(auth.uid(), (auth.jwt() ->> 'pass_id')::uuid, '00000000-0000-0000-0000-000000000000');
revoke all on function app.idempotency_caller() from public;
grant execute on function app.idempotency_caller() to app_definer;

-- Takes the key for this transaction. Gives the first answer where there is one.
create or replace function app.take_idempotency_key(p_route text, p_key text, p_fingerprint bytea)
  returns table (status integer, headers text, body text)
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_company constant uuid := coalesce(app.company_id(), '00000000-0000-0000-0000-000000000000');
  v_caller  constant uuid := app.idempotency_caller();
  v_role    constant text := current_setting('role');
  v_first   app.idempotency_keys;
begin
  if not pg_try_advisory_xact_lock(hashtextextended(
       concat_ws(chr(31), 'idempotency', v_company, v_caller, v_role, p_route, p_key), 0)) then
    raise exception using errcode = 'TH409', constraint = 'idempotency_key_in_flight',
      message = 'A request with this Idempotency-Key is being worked on.', hint = 'Send it again in a moment.';
  end if;
  select k.* into v_first
    from app.idempotency_keys k
   where k.company_id = v_company and k.caller_id = v_caller and k.caller_role = v_role
     and k.route = p_route and k.key = p_key;
  if not found then
    return;
  end if;
  if v_first.expires_at <= now() then
    delete from app.idempotency_keys k
     where k.company_id = v_company and k.caller_id = v_caller and k.caller_role = v_role
       and k.route = p_route and k.key = p_key;
    return;
  end if;
  if v_first.fingerprint <> p_fingerprint then
    raise exception using errcode = 'TH422', constraint = 'idempotency_key_mismatch',
      message = 'This Idempotency-Key came with another request before.', hint = 'A new request needs a new key.';
  end if;
  return query select v_first.status, v_first.headers::text, v_first.body;
end $$;
alter function app.take_idempotency_key(text, text, bytea) owner to app_definer;
revoke all on function app.take_idempotency_key(text, text, bytea) from public;
grant execute on function app.take_idempotency_key(text, text, bytea) to anon, authenticated, guest, service_role;

-- Keeps the answer to a write, for the transaction that took the key.
create or replace function app.keep_idempotency_key(
  p_route text, p_key text, p_fingerprint bytea, p_status integer, p_headers jsonb, p_body text, p_hours integer
) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  insert into app.idempotency_keys (company_id, caller_id, caller_role, route, key, fingerprint, status, headers, body, expires_at)
  values (coalesce(app.company_id(), '00000000-0000-0000-0000-000000000000'),
          app.idempotency_caller(), current_setting('role'), p_route, p_key, p_fingerprint, p_status, p_headers, p_body,
          now() + make_interval(hours => least(p_hours, 24 * 30)));
end $$;
alter function app.keep_idempotency_key(text, text, bytea, integer, jsonb, text, integer) owner to app_definer;
revoke all on function app.keep_idempotency_key(text, text, bytea, integer, jsonb, text, integer) from public;
grant execute on function app.keep_idempotency_key(text, text, bytea, integer, jsonb, text, integer) to anon, authenticated, guest, service_role;

create or replace function app.expire_idempotency_keys(p_limit integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_count bigint;
begin
  delete from app.idempotency_keys k
   where k.ctid = any (array(select o.ctid from app.idempotency_keys o where o.expires_at <= now() limit p_limit for update skip locked));
  get diagnostics v_count = row_count;
  return v_count;
end $$;
alter function app.expire_idempotency_keys(integer) owner to app_definer;
revoke all on function app.expire_idempotency_keys(integer) from public;
grant execute on function app.expire_idempotency_keys(integer) to app_definer;
revoke all on app.idempotency_keys from public, anon, authenticated, service_role;
