-- description: what a company has subscribed to: tiers with their features and quotas, what was paid for and until when, events of payment providers
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123130000
-- rollback: drops what is known of payments; take a backup first

alter table public.companies
  add column past_due_since timestamptz,
  add column writes_until timestamptz;
comment on column public.companies.past_due_since is 'Since when a payment is owed; kept by a trigger.';
comment on column public.companies.writes_until is
  'From when on members read and no longer write; null for no end. Kept by a trigger from status, trial, debt and paid period.';

-- The rows are the operator's: they are written once, here, and changed by him.
create table app.subscription_tiers (
  tier       text primary key check (tier in ('free', 'starter', 'pro', 'enterprise')),
  rank       smallint not null unique,
  seats      integer not null check (seats > 0),
  features   text[] not null check (array_position(features, null) is null),
  quotas     jsonb not null check (jsonb_typeof(quotas) = 'object'),
  grace_days integer not null default 14 check (grace_days between 0 and 365)
);
comment on table app.subscription_tiers is 'What each tier of a subscription includes. Members read it through subscription_tiers().';
comment on column app.subscription_tiers.rank is 'A higher one includes more.';
comment on column app.subscription_tiers.seats is 'Members that a company has with it, unless others were agreed with it.';
comment on column app.subscription_tiers.features is 'What app.has_feature says yes to.';
comment on column app.subscription_tiers.quotas is 'What app.quota answers, by name; null is without a limit.';
comment on column app.subscription_tiers.grace_days is 'For how long a company writes after a trial ended or a payment was owed.';
select app.enclose('app.subscription_tiers');

insert into app.subscription_tiers (tier, rank, seats, features, quotas) values
  ('free', 0, 5, '{}',
   '{"customers": 500, "jobs_per_month": 100, "storage_mib": 1024, "api_keys": 1, "webhooks": 1, "locations": 1}'),
  ('starter', 1, 5, '{custom_fields,price_rules,service_plans}',
   '{"customers": 5000, "jobs_per_month": 1000, "storage_mib": 10240, "api_keys": 3, "webhooks": 5, "locations": 2}'),
  ('pro', 2, 25, '{custom_fields,price_rules,service_plans,custom_roles,inventory,purchasing,api_access,reports,audit_export}',
   '{"customers": null, "jobs_per_month": null, "storage_mib": 102400, "api_keys": 20, "webhooks": 50, "locations": 10}'),
  ('enterprise', 3, 250,
   '{custom_fields,price_rules,service_plans,custom_roles,inventory,purchasing,api_access,reports,audit_export,single_sign_on,scim,support_access}',
   '{"customers": null, "jobs_per_month": null, "storage_mib": null, "api_keys": null, "webhooks": null, "locations": null}');

create table app.subscriptions (
  company_id                uuid primary key references public.companies (id) on delete cascade,
  provider                  text check (provider ~ '^[a-z0-9_-]{1,40}$'),
  provider_customer_key     text check (length(provider_customer_key) <= 255),
  provider_subscription_key text check (length(provider_subscription_key) <= 255),
  amount                    bigint check (amount >= 0),
  currency                  text check (currency ~ '^[A-Z]{3}$'),
  billing_interval          text check (billing_interval in ('month', 'year')),
  billing_email             text check (length(billing_email) between 3 and 254 and billing_email like '%_@_%'),
  reason                    text check (length(reason) <= 500),
  -- What was said last, by a provider or by hand: nothing older changes anything.
  last_said_at              timestamptz not null default '-infinity',
  last_event_key            text not null default '',
  updated_at                timestamptz not null default now()
);
comment on table app.subscriptions is 'How a company pays: seen with billing:manage, through company_subscription(). Its tier and status stand in companies.';
comment on column app.subscriptions.provider_customer_key is 'Whom the provider knows the company as.';
comment on column app.subscriptions.provider_subscription_key is 'What the provider calls the subscription.';
comment on column app.subscriptions.amount is 'Of one billing interval, in the smallest unit of the currency.';
comment on column app.subscriptions.billing_email is 'pii:email';
comment on column app.subscriptions.reason is 'Why it was set by hand, the last time.';
comment on column app.subscriptions.last_said_at is 'When what holds now was said; -infinity before anything was.';
comment on column app.subscriptions.last_event_key is 'The event that said it; of two at one moment the greater key counts.';
select app.enclose('app.subscriptions');

create table app.subscription_events (
  provider     text not null check (provider ~ '^[a-z0-9_-]{1,40}$'),
  event_key    text not null check (length(event_key) between 1 and 255),
  company_id   uuid not null references public.companies (id) on delete cascade,
  occurred_at  timestamptz not null,
  received_at  timestamptz not null default now(),
  outcome      text not null check (outcome in ('applied', 'older', 'other_subscription')),
  subscription jsonb not null check (jsonb_typeof(subscription) = 'object'),
  primary key (provider, event_key)
);
comment on table app.subscription_events is 'Events of payment providers, each once, with what it did.';
comment on column app.subscription_events.outcome is
  'applied; older than what is known already; or about another subscription than the one that is running.';
create index subscription_events_company_id_idx on app.subscription_events (company_id, occurred_at desc);
select app.enclose('app.subscription_events');
