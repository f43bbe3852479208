-- What other programs tell this server: kept once, done once, in whatever order it comes.
-- Invariants: what is said of an earlier time than what is known changes nothing; what was told to be gone does not come back by what
-- was said before.

create or replace function app.keep_inbound_event(p_provider text, p_key text, p_type text, p_said_at timestamptz, p_payload jsonb,
                                                  p_now timestamptz) returns boolean
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  insert into app.inbound_events (provider, event_key, event_type, said_at, payload, due_at, received_at)
  values (p_provider, p_key, p_type, least(p_said_at, p_now + interval '5 minutes'), p_payload, p_now, p_now)
  on conflict (provider, event_key) do nothing;
  return found;
end $$;
alter function app.keep_inbound_event(text, text, text, timestamptz, jsonb, timestamptz) owner to app_definer;
revoke all on function app.keep_inbound_event(text, text, text, timestamptz, jsonb, timestamptz) from public;
grant execute on function app.keep_inbound_event(text, text, text, timestamptz, jsonb, timestamptz) to service_role;

-- Does what one call says. Answers what was done, waits where what it speaks of is not known yet, nothing where another server is at it.
create or replace function app.use_inbound_event(p_id uuid, p_attempts integer, p_settings jsonb, p_now timestamptz) returns text
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_event   app.inbound_events;
  v_outcome text;
begin
  select e.* into v_event from app.inbound_events e
   where e.id = p_id and e.status = 'pending' and e.attempts = p_attempts for update skip locked;
  if not found then
    return null;
  end if;
  v_outcome := case v_event.provider
    when 'clerk' then app.use_clerk_event(v_event, p_settings)
    when 'stripe' then app.use_stripe_event(v_event, p_settings -> 'tiers')
    when 'twilio' then app.use_twilio_event(v_event)
    when 'resend' then app.use_resend_event(v_event)
    else 'kept' end;
  if v_outcome <> 'waits' then
    update app.inbound_events e set status = 'done', outcome = left(v_outcome, 500), finished_at = p_now where e.id = p_id;
  end if;
  return v_outcome;
end $$;
alter function app.use_inbound_event(uuid, integer, jsonb, timestamptz) owner to app_definer;
revoke all on function app.use_inbound_event(uuid, integer, jsonb, timestamptz) from public;
grant execute on function app.use_inbound_event(uuid, integer, jsonb, timestamptz) to service_role;

create or replace function app.put_off_inbound_event(p_id uuid, p_attempts integer, p_reason text, p_attempts_max integer, p_now timestamptz)
  returns void
  language sql volatile security definer
  set search_path = ''
as $$
  update app.inbound_events e
     set attempts = e.attempts + 1, outcome = left(p_reason, 500),
         status = case when e.attempts + 1 >= p_attempts_max then 'failed' else 'pending' end,
         finished_at = case when e.attempts + 1 >= p_attempts_max then p_now end,
         due_at = p_now + make_interval(secs => least(7200, 5 * 2 ^ least(e.attempts, 20)))
   where e.id = p_id and e.attempts = p_attempts and e.status = 'pending'
$$;
alter function app.put_off_inbound_event(uuid, integer, text, integer, timestamptz) owner to app_definer;
revoke all on function app.put_off_inbound_event(uuid, integer, text, integer, timestamptz) from public;
grant execute on function app.put_off_inbound_event(uuid, integer, text, integer, timestamptz) to service_role;

-- Notes as of when something is known. Answers false where more is known already.
create or replace function app.is_news(p_provider text, p_key text, p_said_at timestamptz, p_is_gone boolean) returns boolean
  language plpgsql volatile
  set search_path = ''
as $$
begin
  insert into app.inbound_states as s (provider, object_key, said_at, is_gone) values (p_provider, p_key, p_said_at, p_is_gone)
  on conflict (provider, object_key) do update set said_at = excluded.said_at, is_gone = excluded.is_gone
     where s.said_at < excluded.said_at or s.said_at = excluded.said_at and not s.is_gone;
  return found;
end $$;
revoke all on function app.is_news(text, text, timestamptz, boolean) from public;
grant execute on function app.is_news(text, text, timestamptz, boolean) to app_definer;

-- Users, organizations and memberships of Clerk are accounts, companies and members here, known by their external_id.
create or replace function app.use_clerk_event(p_event app.inbound_events, p_settings jsonb) returns text
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_data    constant jsonb := p_event.payload -> 'data';
  v_noun    constant text := split_part(p_event.event_type, '.', 1);
  v_is_gone constant boolean := split_part(p_event.event_type, '.', 2) = 'deleted';
  v_prefix  constant text := p_settings ->> 'prefix';
  v_user    uuid;
  v_company uuid;
begin
  if p_event.event_type !~ '^(user|organization|organizationMembership)\.(created|updated|deleted)$' then
    return 'ignored';
  end if;
  if coalesce(v_data ->> 'id', '') = '' then
    return 'ignored: it names nothing';
  end if;
  if v_noun = 'organizationMembership' then
    select u.id into v_user from public.users u where u.external_id = v_prefix || (v_data #>> '{public_user_data,user_id}');
    select c.id into v_company from public.companies c where c.external_id = v_prefix || (v_data #>> '{organization,id}');
    if (v_user is null or v_company is null) and not v_is_gone then
      return 'waits';
    end if;
  end if;
  if not app.is_news('clerk', v_data ->> 'id', p_event.said_at, v_is_gone) then
    return 'older';
  end if;
  case v_noun
    when 'user' then perform app.use_clerk_user(v_prefix || (v_data ->> 'id'), v_data, v_is_gone);
    when 'organization' then perform app.use_clerk_organization(v_prefix || (v_data ->> 'id'), v_data, v_is_gone);
    else perform app.use_clerk_membership(v_company, v_user, p_settings #>> array['roles', v_data ->> 'role'], v_is_gone);
  end case;
  return 'applied';
end $$;
revoke all on function app.use_clerk_event(app.inbound_events, jsonb) from public;
grant execute on function app.use_clerk_event(app.inbound_events, jsonb) to app_definer;

create or replace function app.use_clerk_user(p_external_id text, p_data jsonb, p_is_gone boolean) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_id      uuid;
  v_address constant jsonb := (select a from jsonb_array_elements(
      case jsonb_typeof(p_data -> 'email_addresses') when 'array' then p_data -> 'email_addresses' else '[]' end) a
     order by a ->> 'id' = p_data ->> 'primary_email_address_id' desc nulls last limit 1);
  v_email   constant text := nullif(lower(btrim(v_address ->> 'email_address')), '');
  v_is_verified constant boolean := coalesce(v_address #>> '{verification,status}' = 'verified', false);
  v_about   constant jsonb := jsonb_strip_nulls(jsonb_build_object('name', nullif(btrim(concat_ws(' ', p_data ->> 'first_name', p_data ->> 'last_name')), ''),
                                                                   'avatar_url', p_data ->> 'image_url'));
begin
  select u.id into v_id from public.users u where u.external_id = p_external_id;
  if p_is_gone then
    delete from auth.sessions s where s.user_id = v_id;
    update auth.users u set deleted_at = now() where u.id = v_id and u.deleted_at is null;
  elsif v_id is null then
    -- An address that somebody else has here is no way in: the account is known by Clerk's id alone.
    insert into auth.users (email, email_confirmed_at, is_sso_user, raw_user_meta_data, raw_app_meta_data)
    values (v_email, case when v_is_verified then now() end, true, v_about, '{"provider": "issuer", "providers": ["issuer"]}')
    returning id into v_id;
    insert into auth.identities (user_id, provider, provider_id, identity_data)
    values (v_id, 'issuer', p_external_id, jsonb_build_object('sub', p_external_id, 'email_verified', v_is_verified));
    update public.users u set external_id = p_external_id where u.id = v_id;
  else
    update auth.users u
       set email = coalesce(v_email, u.email), raw_user_meta_data = u.raw_user_meta_data || v_about, deleted_at = null,
           email_confirmed_at = case when v_is_verified then coalesce(u.email_confirmed_at, now()) end
     where u.id = v_id and u.is_sso_user;
  end if;
end $$;
revoke all on function app.use_clerk_user(text, jsonb, boolean) from public;
grant execute on function app.use_clerk_user(text, jsonb, boolean) to app_definer;

create or replace function app.use_clerk_organization(p_external_id text, p_data jsonb, p_is_gone boolean) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_name constant text := left(coalesce(nullif(btrim(p_data ->> 'name'), ''), 'Company'), 200);
  v_slug text := btrim(left(regexp_replace(lower(coalesce(p_data ->> 'slug', p_data ->> 'name', '')), '[^a-z0-9]+', '-', 'g'), 50), '-');
begin
  if p_is_gone then
    update public.companies c set archived_at = now() where c.external_id = p_external_id and c.archived_at is null;
    return;
  end if;
  update public.companies c set name = v_name, logo = coalesce(left(p_data ->> 'image_url', 2048), c.logo), archived_at = null
   where c.external_id = p_external_id;
  if found then
    return;
  end if;
  if length(v_slug) < 2 or exists (select from public.companies c where c.slug = v_slug) then
    v_slug := btrim(left(v_slug, 40) || '-' || substr(md5(p_external_id), 1, 8), '-');
  end if;
  -- Its first owner comes with the first membership of an administrator.
  insert into public.companies (external_id, name, slug, logo) values (p_external_id, v_name, v_slug, left(p_data ->> 'image_url', 2048));
end $$;
revoke all on function app.use_clerk_organization(text, jsonb, boolean) from public;
grant execute on function app.use_clerk_organization(text, jsonb, boolean) to app_definer;

create or replace function app.use_clerk_membership(p_company_id uuid, p_user_id uuid, p_role text, p_is_gone boolean) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_role  text := coalesce(p_role, 'member');
  v_owner uuid;
begin
  select c.owner_id into v_owner from public.companies c where c.id = p_company_id for no key update;
  if p_is_gone then
    -- An owner goes by handing the company on.
    update public.team_members m set archived_at = now(), status = 'suspended'
     where m.company_id = p_company_id and m.user_id = p_user_id and m.role <> 'owner' and m.archived_at is null;
    return;
  end if;
  if v_owner is null and v_role = 'admin' then
    v_role := 'owner';
  end if;
  insert into public.team_members as m (company_id, user_id, role) values (p_company_id, p_user_id, v_role)
  on conflict (company_id, user_id) do update
     set role = case when m.role = 'owner' then m.role else excluded.role end, archived_at = null, status = 'active';
  if v_role = 'owner' then
    update public.companies c set owner_id = p_user_id where c.id = p_company_id and c.owner_id is null;
  end if;
end $$;
revoke all on function app.use_clerk_membership(uuid, uuid, text, boolean) from public;
grant execute on function app.use_clerk_membership(uuid, uuid, text, boolean) to app_definer;

-- A subscription at Stripe is the company's: the one that its metadata names, or that the customer is known of.
create or replace function app.use_stripe_event(p_event app.inbound_events, p_tiers jsonb) returns text
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_object  constant jsonb := p_event.payload #> '{data,object}';
  v_item    constant jsonb := v_object #> '{items,data,0}';
  v_price   constant jsonb := v_item -> 'price';
  v_status  constant text := case v_object ->> 'status'
    when 'trialing' then 'trialing' when 'active' then 'active' when 'past_due' then 'past_due' when 'unpaid' then 'past_due'
    when 'paused' then 'past_due' when 'incomplete' then 'incomplete' when 'incomplete_expired' then 'cancelled' when 'canceled' then 'cancelled' end;
  v_tier    constant text := coalesce(p_tiers ->> (v_price ->> 'id'), p_tiers ->> (v_price ->> 'lookup_key'), v_object #>> '{metadata,tier}');
  v_company uuid;
begin
  if p_event.event_type !~ '^customer\.subscription\.(created|updated|deleted|paused|resumed|trial_will_end)$' then
    return 'ignored';
  end if;
  if v_object #>> '{metadata,company_id}' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    select c.id into v_company from public.companies c where c.id = (v_object #>> '{metadata,company_id}')::uuid;
  else
    select s.company_id into v_company from app.subscriptions s
     where s.provider = 'stripe' and s.provider_customer_key = v_object ->> 'customer';
  end if;
  if v_company is null then
    return 'waits';
  end if;
  return public.apply_subscription_event('stripe', p_event.event_key, p_event.said_at, v_company, jsonb_strip_nulls(jsonb_build_object(
    'tier', v_tier,
    'status', case when p_event.event_type = 'customer.subscription.deleted' then 'cancelled' else v_status end,
    'seats', v_item -> 'quantity',
    'trial_ends_at', app.stripe_moment(v_object -> 'trial_end'),
    'current_period_start', app.stripe_moment(coalesce(v_item -> 'current_period_start', v_object -> 'current_period_start')),
    'current_period_end', app.stripe_moment(coalesce(v_item -> 'current_period_end', v_object -> 'current_period_end')),
    'cancel_at_period_end', v_object -> 'cancel_at_period_end',
    'customer', v_object -> 'customer',
    'subscription', v_object -> 'id',
    'amount', v_price -> 'unit_amount',
    'currency', upper(v_price ->> 'currency'),
    'interval', case when v_price #>> '{recurring,interval}' in ('month', 'year') then v_price #>> '{recurring,interval}' end)));
end $$;
revoke all on function app.use_stripe_event(app.inbound_events, jsonb) from public;
grant execute on function app.use_stripe_event(app.inbound_events, jsonb) to app_definer;

create or replace function app.stripe_moment(p_seconds jsonb) returns text
  language sql immutable
  set search_path = ''
  return case when jsonb_typeof(p_seconds) = 'number'
              then to_char(to_timestamp((p_seconds)::bigint) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') end;
revoke all on function app.stripe_moment(jsonb) from public;
grant execute on function app.stripe_moment(jsonb) to app_definer;

-- What became of an SMS, of the message or company that stands in the address which was given to Twilio; and what somebody answered: the
-- words by which he is written to no more, and again.
create or replace function app.use_twilio_event(p_event app.inbound_events) returns text
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_said    constant jsonb := p_event.payload;
  v_status  constant text := v_said ->> 'MessageStatus';
  v_word    constant text := upper(btrim(coalesce(v_said ->> 'OptOutType', v_said ->> 'Body', '')));
  v_code    constant text := v_said ->> 'ErrorCode';
  v_rank    constant text[] := array['accepted', 'queued', 'sending', 'sent', 'delivered', 'undelivered', 'failed', 'read'];
  v_outcome text := case v_status when 'delivered' then 'delivered' when 'read' then 'opened' when 'undelivered' then 'failed' when 'failed' then 'failed' end;
  v_done    text;
begin
  if v_status is null then
    if v_word not in ('STOP', 'STOPALL', 'UNSUBSCRIBE', 'CANCEL', 'END', 'QUIT', 'REVOKE', 'OPTOUT', 'START', 'UNSTOP', 'YES') then
      return 'ignored';
    end if;
    perform app.note_stop(v_said ->> 'From', v_word not in ('START', 'UNSTOP', 'YES'), p_event.received_at);
    return 'applied';
  end if;
  if v_outcome = 'failed' then
    -- Numbers that are none, or no telephone for it; and one that told Twilio to stop.
    if v_code in ('21211', '21614', '30005', '30006') then
      v_outcome := 'bounced';
    elsif v_code in ('21610', '30004') then
      perform app.note_stop(v_said ->> 'To', true, p_event.received_at);
    end if;
  end if;
  if v_outcome is not null then
    v_done := app.note_delivery('twilio', v_said ->> 'MessageSid', app.uuid_or_null(v_said ->> 'message_id'), v_outcome, v_code, p_event.received_at);
  end if;
  if v_done = 'waits' then
    return v_done;
  end if;
  if app.uuid_or_null(v_said ->> 'company_id') is null then
    return coalesce(v_done, 'ignored: it names no company');
  end if;
  -- They come in any order: what is further on stays.
  update public.communications c
     set provider_status = v_status,
         delivered_at = case when v_status = 'delivered' then coalesce(c.delivered_at, p_event.received_at) else c.delivered_at end
   where c.company_id = (v_said ->> 'company_id')::uuid and c.provider_message_id = v_said ->> 'MessageSid'
     and coalesce(array_position(v_rank, c.provider_status), 0) < coalesce(array_position(v_rank, v_status), 0);
  return case when found then 'applied' else coalesce(v_done, 'older, or of no message') end;
end $$;
revoke all on function app.use_twilio_event(app.inbound_events) from public;
grant execute on function app.use_twilio_event(app.inbound_events) to app_definer;

create or replace function app.uuid_or_null(p_text text) returns uuid
  language sql immutable
  set search_path = ''
  return case when p_text ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then p_text::uuid end;
revoke all on function app.uuid_or_null(text) from public;
grant execute on function app.uuid_or_null(text) to app_definer;

-- What became of a mail: of a message of the outbox, and of a mail of the company that its tags name. Whoever bounced or complained is not
-- written to again.
create or replace function app.use_resend_event(p_event app.inbound_events) returns text
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_data    constant jsonb := p_event.payload -> 'data';
  v_kind    constant text := split_part(p_event.event_type, '.', 2);
  v_status  constant text := case v_kind when 'sent' then 'sent' when 'delivered' then 'delivered' when 'bounced' then 'bounced'
                                         when 'complained' then 'complained' when 'opened' then 'opened' when 'clicked' then 'clicked'
                                         when 'failed' then 'failed' when 'suppressed' then 'bounced' when 'delivery_delayed' then 'delayed' end;
  v_rank    constant text[] := array['pending', 'sent', 'delivered', 'opened', 'clicked', 'failed', 'bounced', 'complained'];
  v_is_hard constant boolean := coalesce(v_data #>> '{bounce,type}', 'Permanent') = 'Permanent';
  v_company constant uuid := app.uuid_or_null(v_data #>> '{tags,company_id}');
  v_done    text;
begin
  if v_status is null then
    return 'ignored';
  end if;
  -- A mailbox that is full, or a guard that is busy, is no reason never to write again.
  v_done := app.note_delivery('resend', v_data ->> 'email_id', app.uuid_or_null(v_data #>> '{tags,message_id}'),
                              case v_status when 'sent' then 'accepted' when 'bounced' then case when v_is_hard then 'bounced' else 'failed' end else v_status end,
                              coalesce(v_data #>> '{bounce,subType}', v_data #>> '{failed,reason}'), p_event.said_at);
  if v_done = 'waits' or v_status = 'delayed' then
    return coalesce(v_done, 'ignored');
  elsif v_company is null then
    return coalesce(v_done, 'ignored: it names no company');
  end if;
  update public.email_logs l
     set status = case when array_position(v_rank, l.status) < array_position(v_rank, v_status) then v_status else l.status end,
         delivered_at = case when v_kind = 'delivered' then p_event.said_at else l.delivered_at end,
         opened_at = case when v_kind = 'opened' then coalesce(l.opened_at, p_event.said_at) else l.opened_at end,
         clicked_at = case when v_kind = 'clicked' then coalesce(l.clicked_at, p_event.said_at) else l.clicked_at end,
         bounced_at = case when v_kind = 'bounced' then p_event.said_at else l.bounced_at end
   where l.company_id = v_company and l.resend_id = v_data ->> 'email_id';
  -- Of a message of ours it is done by now, for the address that the message was to.
  if v_done is null and v_status in ('bounced', 'complained') and v_is_hard then
    perform app.suppress(v_company, 'mail', t.address, case v_status when 'bounced' then 'bounce' else 'complaint' end, p_event.said_at)
       from jsonb_array_elements_text(case jsonb_typeof(v_data -> 'to') when 'array' then v_data -> 'to' else '[]' end) t (address)
      where t.address ~ '^[^@[:space:]]+@[^@[:space:]]+$';
  end if;
  return 'applied';
end $$;
revoke all on function app.use_resend_event(app.inbound_events) from public;
grant execute on function app.use_resend_event(app.inbound_events) to app_definer;

create or replace function app.expire_inbound_events(p_limit integer) returns bigint
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_count bigint;
begin
  with old as (select e.id from app.inbound_events e
                where e.received_at < now() - interval '90 days' and e.status <> 'pending' order by e.received_at limit p_limit)
  delete from app.inbound_events e using old where e.id = old.id;
  get diagnostics v_count = row_count;
  return v_count;
end $$;
revoke all on function app.expire_inbound_events(integer) from public;
grant execute on function app.expire_inbound_events(integer) to app_definer;

revoke all on app.inbound_events, app.inbound_states from public, anon, authenticated, service_role;
grant select on app.inbound_events, app.inbound_states to service_role;
