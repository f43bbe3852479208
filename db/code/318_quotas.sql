-- How much of something a company has at most: what its tier says, whoever adds to it.
-- Invariants: counted under the company's lock, so that of two who come at once one gets the last; what is there already stays when a
-- tier includes less; what the owner of the tables brings, such as a copy of another installation, is taken as it is.

create or replace function app.quota_taken() returns trigger
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_company public.companies;
  v_most    bigint;
  v_used    bigint;
begin
  select * into v_company from public.companies c where c.id = new.company_id for no key update;
  select (t.quotas ->> tg_argv[0])::bigint into v_most from app.subscription_tiers t
   where t.tier = app.current_tier(v_company.subscription_tier, v_company.writes_until);
  if v_most is null then
    return null;
  end if;
  if tg_argv[0] = 'api_keys' then
    select count(*) into v_used from public.api_keys k
     where k.company_id = new.company_id and k.revoked_at is null and coalesce(k.expires_at > now(), true);
  else
    select count(*) into v_used from public.webhooks w where w.company_id = new.company_id and w.is_active;
  end if;
  if v_used > v_most then
    raise exception using errcode = 'TH402', constraint = 'quota_exceeded',
      message = format('The subscription includes %s %s.', v_most, case tg_argv[0] when 'api_keys' then 'API keys' else tg_argv[0] end),
      hint = 'A higher tier includes more: subscription_tiers() lists them.';
  end if;
  return null;
end $$;
alter function app.quota_taken() owner to app_definer;
revoke all on function app.quota_taken() from public;

create or replace trigger check_quota after insert on public.api_keys
  for each row when (new.revoked_at is null and current_setting('role') <> 'app_owner') execute function app.quota_taken('api_keys');
create or replace trigger check_quota_update after update of revoked_at, expires_at, company_id on public.api_keys
  for each row when (new.revoked_at is null and current_setting('role') <> 'app_owner'
                     and (old.revoked_at, old.expires_at, old.company_id) is distinct from (new.revoked_at, new.expires_at, new.company_id))
  execute function app.quota_taken('api_keys');
create or replace trigger check_quota after insert on public.webhooks
  for each row when (new.is_active and current_setting('role') <> 'app_owner') execute function app.quota_taken('webhooks');
create or replace trigger check_quota_update after update of is_active, company_id on public.webhooks
  for each row when (new.is_active and current_setting('role') <> 'app_owner'
                     and (old.is_active, old.company_id) is distinct from (new.is_active, new.company_id))
  execute function app.quota_taken('webhooks');
