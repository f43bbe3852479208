-- description: tiers have the quotas that are held, and no others
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261123170000
-- rollback: the former numbers come back; what an operator changed since is lost
-- backfill: app.subscription_tiers rows=any because an operator may have changed the tiers

update app.subscription_tiers t
   set quotas = t.quotas - '{customers,jobs_per_month,storage_mib,locations}'::text[]
       || case t.tier when 'free' then '{"api_keys": 3, "webhooks": 10}'::jsonb
                      when 'starter' then '{"api_keys": 5, "webhooks": 20}'
                      when 'pro' then '{"api_keys": 20, "webhooks": 50}'
                      else '{"api_keys": null, "webhooks": null}' end;
