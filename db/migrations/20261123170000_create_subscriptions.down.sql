-- description: takes back create_subscriptions
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123130000
-- rollback: migrate up again; what was known of payments is lost

-- With the triggers that keep and read what goes.
drop function if exists app.subscription_dates() cascade;
drop function if exists app.seat_taken() cascade;
drop function if exists app.refuse_unpaid() cascade;
drop table app.subscription_events cascade;
drop table app.subscriptions cascade;
drop table app.subscription_tiers cascade;
alter table public.companies
  drop column past_due_since cascade,
  drop column writes_until cascade;
