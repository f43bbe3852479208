-- API keys of a company: made and rotated here, since only the server knows what a key says; the rest of their lives is changed like any
-- row, within what the guard of the table lets happen.
-- Invariants: a key lists nothing that its maker did not hold when he gave it; of the key itself only the digest is kept.

-- Who makes a key, or the token of a directory, answers for it: a person, and never another key.
create or replace function app.key_maker() returns uuid
  language plpgsql stable
  set search_path = ''
as $$
begin
  if auth.uid() is null then
    raise exception using errcode = 'TH403', constraint = 'member_required',
      message = 'Only a member makes keys, not a key.';
  end if;
  return auth.uid();
end $$;
revoke all on function app.key_maker() from public;
grant execute on function app.key_maker() to app_definer;

-- What a company sees of its key.
create or replace function app.shown_api_key(p_key public.api_keys) returns jsonb
  language sql stable
  set search_path = ''
  return to_jsonb(p_key) - '{key_hash,last_used_ip}'::text[];
revoke all on function app.shown_api_key(public.api_keys) from public;
grant execute on function app.shown_api_key(public.api_keys) to app_definer;

create or replace function app.keep_api_key(p_key public.api_keys, p_count_max integer) returns jsonb
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_row public.api_keys;
begin
  -- One at a time, so that the count is true.
  perform from public.companies c where c.id = p_key.company_id for no key update;
  if (select count(*) from public.api_keys k
       where k.company_id = p_key.company_id and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())) >= p_count_max then
    raise exception using errcode = 'TH422', constraint = 'api_keys_too_many',
      message = format('A company has at most %s API keys that work.', p_count_max), hint = 'Take back one that is not needed.';
  end if;
  if p_key.expires_at <= now() then
    raise exception using errcode = 'TH422', constraint = 'api_key_expiry_invalid', message = 'An API key cannot be over before it begins.';
  end if;
  perform app.check_permission_map(coalesce((select jsonb_object_agg(p, true) from unnest(p_key.permissions) p), '{}'));
  perform app.check_grantable('', ',' || array_to_string(p_key.permissions, ',') || ',');
  insert into public.api_keys (company_id, id, name, key_hash, key_prefix, permissions, expires_at, allowed_addresses, requests_per_minute,
                               created_by)
  values (p_key.company_id, p_key.id, p_key.name, p_key.key_hash, p_key.key_prefix, p_key.permissions, p_key.expires_at,
          p_key.allowed_addresses, p_key.requests_per_minute, p_key.created_by)
  returning * into v_row;
  return app.shown_api_key(v_row);
end $$;
revoke all on function app.keep_api_key(public.api_keys, integer) from public;
grant execute on function app.keep_api_key(public.api_keys, integer) to app_definer;

-- p_key: name, permissions, expires_at, allowed_addresses and requests_per_minute as the member wants them; id, key_hash and key_prefix
-- as the server made them.
create or replace function app.make_api_key(p_key jsonb, p_count_max integer) returns jsonb
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_key public.api_keys;
begin
  perform app.demand('api_keys:create');
  v_key := jsonb_populate_record(null::public.api_keys, p_key);
  v_key.company_id := app.company_id();
  v_key.created_by := app.key_maker();
  v_key.permissions := coalesce(v_key.permissions, '{}');
  v_key.allowed_addresses := coalesce(v_key.allowed_addresses, '{}');
  return app.keep_api_key(v_key, p_count_max);
end $$;
alter function app.make_api_key(jsonb, integer) owner to app_definer;
revoke all on function app.make_api_key(jsonb, integer) from public;
grant execute on function app.make_api_key(jsonb, integer) to authenticated;

-- Another key in the place of one: it may do the same and lasts as long from now on. The old one works on for a while.
create or replace function app.rotate_api_key(p_id uuid, p_new jsonb, p_overlap_seconds integer, p_count_max integer) returns jsonb
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_old public.api_keys;
  v_key public.api_keys;
begin
  perform app.demand('api_keys:create'), app.demand('api_keys:update');
  select k.* into v_old from public.api_keys k where k.company_id = app.company_id() and k.id = p_id for no key update;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'api_key_not_found', message = 'There is no such API key.';
  end if;
  if v_old.revoked_at is not null or v_old.expires_at <= now() then
    raise exception using errcode = 'TH422', constraint = 'api_key_revoked', message = 'A key that was taken back or is over stays so.',
      hint = 'Make another one.';
  end if;
  v_key := jsonb_populate_record(v_old, p_new);
  v_key.company_id := v_old.company_id;
  v_key.created_by := app.key_maker();
  v_key.expires_at := now() + (v_old.expires_at - v_old.created_at);
  -- Without an overlap it is taken back, for good.
  update public.api_keys k
     set expires_at = least(coalesce(k.expires_at, 'infinity'), now() + make_interval(secs => p_overlap_seconds)),
         revoked_at = case when p_overlap_seconds = 0 then now() end, revoked_by = case when p_overlap_seconds = 0 then v_key.created_by end
   where k.company_id = v_old.company_id and k.id = v_old.id;
  -- The old one is one of those that are counted, and goes.
  return app.keep_api_key(v_key, p_count_max + 1);
end $$;
alter function app.rotate_api_key(uuid, jsonb, integer, integer) owner to app_definer;
revoke all on function app.rotate_api_key(uuid, jsonb, integer, integer) from public;
grant execute on function app.rotate_api_key(uuid, jsonb, integer, integer) to authenticated;

-- Takes some requests of a key's minute for one server, and returns how many: none when the minute has no more. Called now and then and
-- not for every request, so that the row of a key that is used all the time is written a few times a minute.
create or replace function app.take_api_key_uses(p_company_id uuid, p_id uuid, p_digest text, p_address text, p_minute bigint,
                                                 p_per_minute integer) returns integer
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_key   constant public.api_keys := app.working_api_key(p_company_id, p_id, p_digest, p_address);
  v_limit constant integer := coalesce(v_key.requests_per_minute, p_per_minute);
  v_use   app.api_key_uses;
  v_taken integer;
begin
  -- For which company it works the service says once.
  if app.company_id() <> p_company_id then
    raise exception using errcode = 'TH401', constraint = 'api_key_not_valid', message = 'This API key is of another company.';
  end if;
  insert into app.api_key_uses (company_id, api_key_id, minute, taken) values (p_company_id, p_id, 0, 0) on conflict do nothing;
  select u.* into v_use from app.api_key_uses u where u.company_id = p_company_id and u.api_key_id = p_id for no key update;
  if v_use.minute < p_minute then
    v_use.minute := p_minute;
    v_use.taken := 0;
  end if;
  v_taken := least(greatest(v_limit / 10, 1), v_limit - v_use.taken);
  if v_taken <= 0 then
    return 0;
  end if;
  update app.api_key_uses u set minute = v_use.minute, taken = v_use.taken + v_taken, address = p_address::inet
   where u.company_id = p_company_id and u.api_key_id = p_id;
  return v_taken;
end $$;
alter function app.take_api_key_uses(uuid, uuid, text, text, bigint, integer) owner to app_definer;
revoke all on function app.take_api_key_uses(uuid, uuid, text, text, bigint, integer) from public;
grant execute on function app.take_api_key_uses(uuid, uuid, text, text, bigint, integer) to service_role;

-- When a key was last used, to the minute. Told by a trigger: it is no edit of the key.
create or replace function app.note_api_key_use() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  update public.api_keys k set last_used_at = now(), last_used_ip = new.address
   where k.company_id = new.company_id and k.id = new.api_key_id;
  return null;
end $$;
alter function app.note_api_key_use() owner to app_definer;
revoke all on function app.note_api_key_use() from public;
create or replace trigger note_use after update on app.api_key_uses
  for each row when (old.minute <> new.minute) execute function app.note_api_key_use();
