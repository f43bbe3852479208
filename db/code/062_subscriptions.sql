-- What a company has subscribed to: until when it writes, how many members it has, what its tier includes.
-- Invariants: companies.writes_until follows from what stands beside it, whoever writes that; nobody becomes an active member above
-- companies.max_seats; whoever may not write learns why, and can still sign in, read, and pay.

-- Runs as whoever writes: columns that it looks at are the service's alone.
create or replace function app.subscription_dates() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_was_cancelled constant boolean := tg_op = 'UPDATE' and old.subscription_status = 'cancelled';
  v_grace interval;
begin
  if new.subscription_status in ('past_due', 'incomplete') then
    new.past_due_since := coalesce(new.past_due_since, now());
  else
    new.past_due_since := null;
  end if;
  select make_interval(days => t.grace_days) into v_grace from app.subscription_tiers t where t.tier = new.subscription_tier;
  new.writes_until := case
    when new.subscription_status = 'trialing' then new.trial_ends_at + v_grace
    when new.subscription_status in ('past_due', 'incomplete') then new.past_due_since + v_grace
    -- What was paid for is still had.
    when new.subscription_status = 'cancelled'
      then coalesce(new.subscription_current_period_end, case when v_was_cancelled then old.writes_until end, now()) end;
  return new;
end $$;
revoke all on function app.subscription_dates() from public;
create or replace trigger subscription_dates
  before insert or update of subscription_status, subscription_tier, trial_ends_at, subscription_current_period_end, past_due_since, writes_until
  on public.companies for each row execute function app.subscription_dates();

-- The tier that counts at this moment: whoever may not write any more has what the free one includes.
create or replace function app.current_tier(p_tier text, p_writes_until timestamptz) returns text
  language sql stable parallel safe
  return case when p_writes_until <= now() then 'free' else p_tier end;
revoke all on function app.current_tier(text, timestamptz) from public;
grant execute on function app.current_tier(text, timestamptz) to app_definer;

create or replace function app.has_feature(p_feature text) returns boolean
  language sql stable security definer
  set search_path = ''
as $$
  select coalesce((select p_feature = any (t.features)
                     from public.companies c
                     join app.subscription_tiers t on t.tier = app.current_tier(c.subscription_tier, c.writes_until)
                    where c.id = app.company_id()), false)
$$;
comment on function app.has_feature(text) is
  'Whether the tier of the caller''s company includes a feature. In a policy wrap it: (select app.has_feature(''reports'')).';
alter function app.has_feature(text) owner to app_definer;
revoke all on function app.has_feature(text) from public;
grant execute on function app.has_feature(text) to authenticated, service_role;

create or replace function app.quota(p_quota text) returns bigint
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  v_company public.companies;
  v_quotas  jsonb;
begin
  select * into v_company from public.companies c where c.id = app.company_id();
  if not found then
    return 0;
  end if;
  if p_quota = 'seats' then
    return v_company.max_seats;
  end if;
  select t.quotas into v_quotas from app.subscription_tiers t
   where t.tier = app.current_tier(v_company.subscription_tier, v_company.writes_until);
  if not coalesce(v_quotas ? p_quota, false) then
    raise exception using errcode = '22023', message = format('there is no quota "%s"', left(p_quota, 80));
  end if;
  return (v_quotas ->> p_quota)::bigint;
end $$;
comment on function app.quota(text) is 'How much of something the tier of the caller''s company includes; null is without a limit, 0 where there is no company.';
alter function app.quota(text) owner to app_definer;
revoke all on function app.quota(text) from public;
grant execute on function app.quota(text) to authenticated, service_role, app_definer;

create or replace function app.check_quota(p_quota text, p_used bigint) returns void
  language plpgsql stable
  set search_path = ''
as $$
begin
  if p_used > app.quota(p_quota) then
    raise exception using errcode = 'TH402', constraint = 'quota_exceeded',
      message = format('The subscription includes %s %s.', app.quota(p_quota), replace(p_quota, '_', ' ')),
      hint = 'A higher tier includes more: subscription_tiers() lists them.';
  end if;
end $$;
comment on function app.check_quota(text, bigint) is 'Refuses with quota_exceeded when more is used than the tier includes.';
revoke all on function app.check_quota(text, bigint) from public;
grant execute on function app.check_quota(text, bigint) to authenticated, service_role, app_definer;

-- Seats --------------------------------------------------------------------------------------------

-- An open invitation holds a seat against other invitations and against people who were not invited.
create or replace function app.seats_taken(p_company_id uuid, p_with_invitations boolean) returns bigint
  language sql stable security definer
  set search_path = ''
as $$
  select (select count(*) from public.team_members m where m.company_id = p_company_id and m.status = 'active' and m.archived_at is null)
       + case when p_with_invitations
              then (select count(*) from public.invitations i
                     where i.company_id = p_company_id and i.used_at is null and i.revoked_at is null and i.expires_at > now()) else 0 end
$$;
alter function app.seats_taken(uuid, boolean) owner to app_definer;
revoke all on function app.seats_taken(uuid, boolean) from public;

-- Counted under the company's lock, so that of two who come at once the last seat has one.
drop function if exists app.check_seats(uuid, boolean);
create or replace function app.check_seats(p_company_id uuid, p_with_invitations boolean, p_more integer default 0) returns void
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_seats integer;
begin
  select c.max_seats into v_seats from public.companies c where c.id = p_company_id for no key update;
  if app.seats_taken(p_company_id, p_with_invitations) + p_more > v_seats then
    raise exception using errcode = 'TH402', constraint = 'seats_exceeded',
      message = format('The subscription of the company has %s seats, and all are taken.', v_seats),
      hint = 'Suspend or remove a member, revoke an invitation, or take more seats.';
  end if;
end $$;
comment on function app.check_seats(uuid, boolean, integer) is
  'Refuses with seats_exceeded when a company has, or with so many more would have, more active members than seats; where that is said, open
   invitations count, too.';
alter function app.check_seats(uuid, boolean, integer) owner to app_definer;
revoke all on function app.check_seats(uuid, boolean, integer) from public;

create or replace function app.seat_taken() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  perform app.check_seats(new.company_id, tg_table_name = 'invitations');
  return null;
end $$;
alter function app.seat_taken() owner to app_definer;
revoke all on function app.seat_taken() from public;

-- What the owner of the tables brings, such as a copy of another installation, is taken as it is.
create or replace trigger check_seats after insert on public.team_members
  for each row when (new.status = 'active' and new.archived_at is null and current_setting('role') <> 'app_owner')
  execute function app.seat_taken();
create or replace trigger check_seats_update after update of status, archived_at, company_id on public.team_members
  for each row when (new.status = 'active' and new.archived_at is null and current_setting('role') <> 'app_owner'
                     and (old.status, old.archived_at, old.company_id) is distinct from (new.status, new.archived_at, new.company_id))
  execute function app.seat_taken();
create or replace trigger check_seats after insert on public.invitations
  for each row when (new.used_at is null and current_setting('role') <> 'app_owner') execute function app.seat_taken();

-- What members are told ----------------------------------------------------------------------------

drop function if exists public.subscription_tiers();
create function public.subscription_tiers()
  returns table (tier text, rank smallint, seats integer, features text[], quotas jsonb, grace_days integer)
  language sql stable security definer
  set search_path = ''
as $$
  select t.tier, t.rank, t.seats, t.features, t.quotas, t.grace_days from app.subscription_tiers t
   where auth.uid() is not null or current_setting('role') = 'service_role' order by t.rank
$$;
comment on function public.subscription_tiers() is 'What each tier includes. A quota that is null has no limit.';
alter function public.subscription_tiers() owner to app_definer;
revoke all on function public.subscription_tiers() from public;
grant execute on function public.subscription_tiers() to authenticated, service_role;

-- What is paid, to whom and how, is for those who pay.
create or replace function public.company_subscription() returns jsonb
  language sql stable security definer
  set search_path = ''
as $$
  select jsonb_build_object(
           'tier', c.subscription_tier,
           'current_tier', t.tier,
           -- A trial that is over, and that nobody followed by a payment, is a debt.
           'status', case when c.subscription_status = 'trialing' and c.trial_ends_at <= now() then 'past_due' else c.subscription_status end,
           'trial_ends_at', c.trial_ends_at,
           'past_due_since', case when c.subscription_status = 'trialing' and c.trial_ends_at <= now() then c.trial_ends_at
                                  else c.past_due_since end,
           'writes_until', c.writes_until,
           'can_write', coalesce(c.writes_until > now(), true),
           'seats', jsonb_build_object(
             'max', c.max_seats,
             'used', app.seats_taken(c.id, false),
             'invited', app.seats_taken(c.id, true) - app.seats_taken(c.id, false)),
           'features', to_jsonb(t.features),
           'quotas', t.quotas)
      || case when app.has_permission('billing:manage') or current_setting('role') = 'service_role' then jsonb_build_object('billing', jsonb_build_object(
           'provider', s.provider,
           'customer', s.provider_customer_key,
           'subscription', s.provider_subscription_key,
           'amount', s.amount,
           'currency', s.currency,
           'interval', s.billing_interval,
           'email', s.billing_email,
           'current_period_start', c.subscription_current_period_start,
           'current_period_end', c.subscription_current_period_end,
           'cancel_at_period_end', c.subscription_cancel_at_period_end)) else '{}' end
    from public.companies c
    join app.subscription_tiers t on t.tier = app.current_tier(c.subscription_tier, c.writes_until)
    left join app.subscriptions s on s.company_id = c.id
   where c.id = app.company_id()
$$;
comment on function public.company_subscription() is
  'The subscription of the caller''s company; "billing" stands in it for whoever holds billing:manage.';
alter function public.company_subscription() owner to app_definer;
revoke all on function public.company_subscription() from public;
grant execute on function public.company_subscription() to authenticated, service_role;

-- What a member says himself: where bills go, and that it ends with the period that is paid. What he pays for is the provider's to say.
create or replace function public.change_billing(email text default null, cancel_at_period_end boolean default null) returns jsonb
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_company constant uuid := app.company_id();
  v_email   constant text := nullif(btrim(change_billing.email), '');
begin
  perform app.demand('billing:manage');
  if v_email is not null and (v_email not like '%_@_%' or length(v_email) > 254) then
    raise exception using errcode = 'TH422', constraint = 'billing_email_invalid', message = 'This is no e-mail address.';
  end if;
  update public.companies c set subscription_cancel_at_period_end = coalesce(change_billing.cancel_at_period_end, c.subscription_cancel_at_period_end)
   where c.id = v_company;
  insert into app.subscriptions as s (company_id, billing_email) values (v_company, v_email)
  on conflict (company_id) do update set billing_email = coalesce(excluded.billing_email, s.billing_email), updated_at = now();
  return public.company_subscription();
end $$;
comment on function public.change_billing(text, boolean) is
  'Says where bills go, and whether the subscription ends with its paid period. Needs billing:manage; what is null stays.';
alter function public.change_billing(text, boolean) owner to app_definer;
revoke all on function public.change_billing(text, boolean) from public;
grant execute on function public.change_billing(text, boolean) to authenticated;
