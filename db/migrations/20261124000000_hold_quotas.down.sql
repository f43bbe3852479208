-- description: takes back hold_quotas
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261124000000
-- rollback: migrate up again
-- backfill: app.subscription_tiers rows=any because an operator may have changed the tiers

drop function if exists app.quota_taken() cascade;
update app.subscription_tiers t
   set quotas = case t.tier
     when 'free' then '{"customers": 500, "jobs_per_month": 100, "storage_mib": 1024, "api_keys": 1, "webhooks": 1, "locations": 1}'::jsonb
     when 'starter' then '{"customers": 5000, "jobs_per_month": 1000, "storage_mib": 10240, "api_keys": 3, "webhooks": 5, "locations": 2}'
     when 'pro' then '{"customers": null, "jobs_per_month": null, "storage_mib": 102400, "api_keys": 20, "webhooks": 50, "locations": 10}'
     else '{"customers": null, "jobs_per_month": null, "storage_mib": null, "api_keys": null, "webhooks": null, "locations": null}' end;
