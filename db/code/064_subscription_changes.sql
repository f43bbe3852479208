-- What a company has subscribed to is set by the operator's hand, or by what its payment provider says.
-- Invariants: an event counts once; what is older than what is known changes nothing, in whatever order it comes.

-- A subscription as it is said: all of it, so that what was said last is what holds.
create or replace function app.check_subscription(p_subscription jsonb) returns void
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_fault text;
begin
  v_fault := case
    when jsonb_typeof(p_subscription) is distinct from 'object' then 'it is no object'
    when exists (select from jsonb_object_keys(p_subscription) k
                  where k not in ('tier', 'status', 'seats', 'trial_ends_at', 'past_due_since', 'current_period_start', 'current_period_end',
                                  'cancel_at_period_end', 'customer', 'subscription', 'amount', 'currency', 'interval'))
      then 'it has a member of another name'
    when not exists (select from app.subscription_tiers t where t.tier = p_subscription ->> 'tier') then 'tier'
    when coalesce(p_subscription ->> 'status' not in ('trialing', 'active', 'past_due', 'incomplete', 'cancelled'), true) then 'status'
    when p_subscription ->> 'seats' !~ '^[1-9][0-9]{0,5}$' then 'seats'
    when p_subscription ->> 'amount' !~ '^[0-9]{1,15}$' then 'amount'
    when p_subscription ->> 'currency' !~ '^[A-Z]{3}$' then 'currency'
    when p_subscription ->> 'interval' not in ('month', 'year') then 'interval'
    when p_subscription ->> 'cancel_at_period_end' not in ('true', 'false') then 'cancel_at_period_end'
    when length(p_subscription ->> 'customer') > 255 or length(p_subscription ->> 'subscription') > 255 then 'customer or subscription'
    -- Both ISO 8601; what it does not take it says itself.
    when exists (select from jsonb_each_text(p_subscription) e
                  where e.key ~ '(_at|_since|_start|_end)$' and e.key <> 'cancel_at_period_end'
                    and e.value !~ '^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:?\d{2})$') then 'a moment' end;
  if v_fault is not null then
    raise exception using errcode = 'TH422', constraint = 'subscription_invalid',
      message = format('The subscription cannot be read: %s.', v_fault),
      hint = 'tier and status, and where known seats, trial_ends_at, past_due_since, current_period_start, current_period_end, '
             || 'cancel_at_period_end, customer, subscription, amount, currency, interval.';
  end if;
end $$;
revoke all on function app.check_subscription(jsonb) from public;
grant execute on function app.check_subscription(jsonb) to app_definer;

create or replace function app.write_subscription(p_company_id uuid, p_provider text, p_said_at timestamptz, p_event_key text,
                                                  p_subscription jsonb) returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  update public.companies c
     set subscription_tier = p_subscription ->> 'tier',
         subscription_status = p_subscription ->> 'status',
         max_seats = coalesce((p_subscription ->> 'seats')::integer,
                              case when c.subscription_tier is distinct from p_subscription ->> 'tier'
                                   then (select t.seats from app.subscription_tiers t where t.tier = p_subscription ->> 'tier') end,
                              c.max_seats),
         trial_ends_at = (p_subscription ->> 'trial_ends_at')::timestamptz,
         past_due_since = case when p_subscription ->> 'status' in ('past_due', 'incomplete')
                               then coalesce((p_subscription ->> 'past_due_since')::timestamptz, c.past_due_since, p_said_at) end,
         subscription_current_period_start = (p_subscription ->> 'current_period_start')::timestamptz,
         subscription_current_period_end = (p_subscription ->> 'current_period_end')::timestamptz,
         subscription_cancel_at_period_end = coalesce((p_subscription ->> 'cancel_at_period_end')::boolean, false)
   where c.id = p_company_id;
  insert into app.subscriptions as s (company_id, provider, provider_customer_key, provider_subscription_key, amount, currency,
                                      billing_interval, last_said_at, last_event_key)
  values (p_company_id, p_provider, p_subscription ->> 'customer', p_subscription ->> 'subscription', (p_subscription ->> 'amount')::bigint,
          p_subscription ->> 'currency', p_subscription ->> 'interval', p_said_at, p_event_key)
  on conflict (company_id) do update
     set provider = excluded.provider, provider_customer_key = excluded.provider_customer_key,
         provider_subscription_key = excluded.provider_subscription_key, amount = excluded.amount, currency = excluded.currency,
         billing_interval = excluded.billing_interval, last_said_at = excluded.last_said_at, last_event_key = excluded.last_event_key,
         updated_at = now();
end $$;
revoke all on function app.write_subscription(uuid, text, timestamptz, text, jsonb) from public;
grant execute on function app.write_subscription(uuid, text, timestamptz, text, jsonb) to app_definer;

-- What a provider's webhook said, in our words. Delivered twice it counts once; delivered late it counts for what it is.
create or replace function public.apply_subscription_event(provider text, event_id text, occurred_at timestamptz, company_id uuid, subscription jsonb)
  returns text
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_variable
declare
  v_known   app.subscriptions;
  v_status  text;
  v_outcome text;
begin
  if coalesce(provider !~ '^[a-z0-9_-]{1,40}$' or length(event_id) not between 1 and 255
              or occurred_at > now() + interval '5 minutes', true) then
    raise exception using errcode = 'TH422', constraint = 'subscription_event_invalid',
      message = 'An event has a provider, an id of at most 255 characters and the moment when it happened, which is past.';
  end if;
  perform app.check_subscription(subscription);
  -- A program that works in a company speaks of that one.
  select c.subscription_status into v_status from public.companies c
   where c.id = company_id and company_id = coalesce(app.company_id(), company_id) for no key update;
  if not found then
    perform app.refuse_company();
  end if;
  if exists (select from app.subscription_events e where e.provider = apply_subscription_event.provider and e.event_key = event_id) then
    return 'repeated';
  end if;
  select * into v_known from app.subscriptions s where s.company_id = apply_subscription_event.company_id;
  v_outcome := case
    when (occurred_at, event_id collate "C") <= (v_known.last_said_at, v_known.last_event_key collate "C") then 'older'
    -- The end of one that was followed by another ends nothing.
    when subscription ->> 'status' = 'cancelled' and v_status <> 'cancelled'
         and subscription ->> 'subscription' <> v_known.provider_subscription_key then 'other_subscription'
    else 'applied' end;
  insert into app.subscription_events (provider, event_key, company_id, occurred_at, outcome, subscription)
  values (provider, event_id, company_id, occurred_at, v_outcome, subscription);
  if v_outcome = 'applied' then
    perform app.write_subscription(company_id, provider, occurred_at, event_id, subscription);
  end if;
  return v_outcome;
end $$;
comment on function public.apply_subscription_event(text, text, timestamptz, uuid, jsonb) is
  'Takes an event of a payment provider: the whole subscription as it was then. Answers applied, repeated, older or other_subscription.';
alter function public.apply_subscription_event(text, text, timestamptz, uuid, jsonb) owner to app_definer;
revoke all on function public.apply_subscription_event(text, text, timestamptz, uuid, jsonb) from public;
grant execute on function public.apply_subscription_event(text, text, timestamptz, uuid, jsonb) to service_role;

-- By hand: what is null stays as it is. An event that happened before counts no more, a later one does.
create or replace function public.set_company_subscription(company_id uuid, tier text default null, status text default null,
                                                           seats integer default null, trial_ends_at timestamptz default null, reason text default null)
  returns jsonb
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_variable
declare
  v_company public.companies;
  v_known   app.subscriptions;
  v_said    jsonb;
begin
  select * into v_company from public.companies c
   where c.id = company_id and company_id = coalesce(app.company_id(), company_id) for no key update;
  if not found then
    perform app.refuse_company();
  end if;
  select * into v_known from app.subscriptions s where s.company_id = set_company_subscription.company_id;
  v_said := jsonb_strip_nulls(jsonb_build_object(
    'tier', coalesce(tier, v_company.subscription_tier),
    'status', coalesce(status, v_company.subscription_status),
    'seats', seats,
    'trial_ends_at', coalesce(trial_ends_at, v_company.trial_ends_at),
    'current_period_start', v_company.subscription_current_period_start,
    'current_period_end', v_company.subscription_current_period_end,
    'cancel_at_period_end', v_company.subscription_cancel_at_period_end,
    'customer', v_known.provider_customer_key,
    'subscription', v_known.provider_subscription_key,
    'amount', v_known.amount,
    'currency', v_known.currency,
    'interval', v_known.billing_interval));
  perform app.check_subscription(v_said);
  perform app.write_subscription(company_id, v_known.provider, clock_timestamp(), '', v_said);
  update app.subscriptions s set reason = left(set_company_subscription.reason, 500) where s.company_id = set_company_subscription.company_id;
  return (select jsonb_build_object('company_id', c.id, 'tier', c.subscription_tier, 'status', c.subscription_status, 'seats', c.max_seats,
                                    'trial_ends_at', c.trial_ends_at, 'past_due_since', c.past_due_since, 'writes_until', c.writes_until)
            from public.companies c where c.id = company_id);
end $$;
comment on function public.set_company_subscription(uuid, text, text, integer, timestamptz, text) is
  'Sets the subscription of a company by hand; what is null stays. For service programs.';
alter function public.set_company_subscription(uuid, text, text, integer, timestamptz, text) owner to app_definer;
revoke all on function public.set_company_subscription(uuid, text, text, integer, timestamptz, text) from public;
grant execute on function public.set_company_subscription(uuid, text, text, integer, timestamptz, text) to service_role;

revoke all on app.subscription_tiers, app.subscriptions, app.subscription_events from public, anon, authenticated, service_role;
grant select on app.subscription_tiers, app.subscriptions, app.subscription_events to service_role;
