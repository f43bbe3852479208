-- Devices that somebody lets messages come to. Only he registers, sees and removes his own, in whichever company he works.
-- Invariants: an address is one person's; nobody takes it over without the keys that came with it. What a device is reached by is
-- shown to nobody, the owner included.

create or replace function app.refuse_push_device(p_message text, p_hint text) returns void
  language plpgsql stable
  set search_path = ''
as $$
begin
  raise exception using errcode = 'TH422', constraint = 'push_device_invalid', message = p_message, hint = coalesce(p_hint, 'See docs/channels.md.');
end $$;
revoke all on function app.refuse_push_device(text, text) from public;
grant execute on function app.refuse_push_device(text, text) to app_definer;

-- Whether an address looks like one of a push service. Where its name leads to is looked at whenever something is sent there.
create or replace function app.is_push_address(p_address text) returns boolean
  language sql stable
  set search_path = ''
as $$
  select coalesce(length(p_address) between 20 and 1024 and p_address ~ '^[!-~]+$'
                  and case when coalesce((select s.push_private_allowed from app.channel_settings s), false) then p_address ~ '^https?://[^/@?#]+/'
                           else p_address ~ '^https://[A-Za-z0-9.-]+\.[A-Za-z]{2,}(:443)?/' and p_address !~* '^https://[^/:]+\.(localhost|local|internal)[/:]' end,
                  false)
$$;
revoke all on function app.is_push_address(text) from public;
grant execute on function app.is_push_address(text) to app_definer;

drop function if exists public.register_push_device(jsonb, text, text, text);
create function public.register_push_device(subscription jsonb default null, token text default null, platform text default null, name text default null)
  returns uuid
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_user    constant uuid := app.caller();
  v_is_web  constant boolean := subscription is not null;
  v_address constant text := case when subscription is not null then subscription ->> 'endpoint' else token end;
  v_key     constant text := rtrim(subscription #>> '{keys,p256dh}', '=');
  v_auth    constant text := rtrim(subscription #>> '{keys,auth}', '=');
  v_where   constant text := coalesce(register_push_device.platform, 'web');
  v_found   app.push_devices;
  v_id      uuid;
begin
  if app.is_program() then
    raise exception using errcode = 'TH403', constraint = 'oauth_client_not_allowed', message = 'A program that acts for somebody registers no devices.';
  end if;
  if app.impersonated_by() is not null then
    raise exception using errcode = 'TH403', constraint = 'impersonation_not_allowed', message = 'Support registers no devices in a member''s place.';
  end if;
  if (subscription is null) = (token is null) then
    perform app.refuse_push_device('A device has either a subscription or a token.', 'A browser has a subscription, an application the token of FCM.');
  end if;
  if v_where not in ('web', 'android', 'ios') or length(register_push_device.name) not between 1 and 100 then
    perform app.refuse_push_device('The platform is web, android or ios, and a name has 1 to 100 characters.', null);
  end if;
  if v_is_web and not (app.is_push_address(v_address) and coalesce(v_key ~ '^B[A-Za-z0-9_-]{86}$' and v_auth ~ '^[A-Za-z0-9_-]{22}$', false)) then
    perform app.refuse_push_device('This is no subscription of a browser.', 'Send what subscription.toJSON() has: endpoint and keys with p256dh and auth.');
  end if;
  if not v_is_web and (v_address !~ '^[A-Za-z0-9_:%.-]+$' or length(v_address) not between 20 and 1024) then
    perform app.refuse_push_device('This is no token of FCM.', null);
  end if;
  -- Two at once wait for each other.
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('push_devices:' || v_user, 0));
  select d.* into v_found from app.push_devices d where d.address = v_address for update;
  if v_found.user_id <> v_user and (v_found.public_key, v_found.auth) is distinct from (v_key, v_auth) then
    raise exception using errcode = 'TH409', constraint = 'push_device_taken', message = 'This device is somebody else''s.';
  end if;
  insert into app.push_devices as d (user_id, provider, platform, name, address, public_key, auth)
  values (v_user, case when v_is_web then 'vapid' else 'fcm' end, v_where, register_push_device.name, v_address, v_key, v_auth)
  on conflict (address) do update
     set user_id = excluded.user_id, provider = excluded.provider, platform = excluded.platform, name = coalesce(excluded.name, d.name),
         public_key = excluded.public_key, auth = excluded.auth, seen_at = now()
  returning d.id into v_id;
  delete from app.push_devices d
   where d.user_id = v_user
     and d.id in (select o.id from app.push_devices o where o.user_id = v_user and o.id <> v_id
                   order by o.seen_at desc, o.id desc offset (select coalesce(max(s.push_devices_max), 20) - 1 from app.channel_settings s));
  return v_id;
end $$;
comment on function public.register_push_device(jsonb, text, text, text) is
  'Lets messages come to this device: the subscription of a browser, or the token of FCM. Again whenever it changed; the one that was not
   registered for longest goes when there are too many.';
alter function public.register_push_device(jsonb, text, text, text) owner to app_definer;
revoke all on function public.register_push_device(jsonb, text, text, text) from public;
grant execute on function public.register_push_device(jsonb, text, text, text) to authenticated;

drop function if exists public.remove_push_device(uuid, text);
create function public.remove_push_device(id uuid default null, address text default null) returns boolean
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_user constant uuid := app.caller();
begin
  delete from app.push_devices d
   where d.user_id = v_user and (d.id = remove_push_device.id or d.address = remove_push_device.address);
  return found;
end $$;
comment on function public.remove_push_device(uuid, text) is
  'Takes back one of the caller''s own devices, by its id, its endpoint or its token. False where there is none.';
alter function public.remove_push_device(uuid, text) owner to app_definer;
revoke all on function public.remove_push_device(uuid, text) from public;
grant execute on function public.remove_push_device(uuid, text) to authenticated;

drop function if exists public.push_devices();
create function public.push_devices()
  returns table (id uuid, provider text, platform text, name text, created_at timestamptz, seen_at timestamptz)
  language sql stable security definer
  set search_path = ''
as $$
  select d.id, d.provider, d.platform, d.name, d.created_at, d.seen_at from app.push_devices d
   where d.user_id = app.caller() order by d.seen_at desc, d.id desc
$$;
comment on function public.push_devices() is 'The caller''s own devices, the one registered last first.';
alter function public.push_devices() owner to app_definer;
revoke all on function public.push_devices() from public;
grant execute on function public.push_devices() to authenticated;
