-- description: rates of requests that are set at run time, for a company, a tier or everybody; and counters by a key of the caller's own
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261123170000
-- rollback: everybody has the rates of the configuration again, and what was counted by keys is forgotten
-- lint: allow constraint-missing-not-valid because hardly anything is counted in the table

create table app.rate_limit_rules (
  id         uuid primary key default app.uuid_v7(),
  class      text not null check (class in ('read', 'write', 'public', 'strict', 'ai_agent_execution', 'report_generation', 'vector_search',
                                            'export', 'service')),
  counted    text not null default 'caller' check (counted in ('caller', 'company')),
  company_id uuid references public.companies (id) on delete cascade,
  tier       text references app.subscription_tiers (tier) on delete cascade,
  minute_max integer check (minute_max between 1 and 1000000),
  burst_max  integer check (burst_max between 1 and 1000000),
  is_shadow  boolean,
  updated_at timestamptz not null default now(),
  constraint rate_limit_rules_one_check check (company_id is null or tier is null),
  unique nulls not distinct (class, counted, company_id, tier)
);
comment on table app.rate_limit_rules is
  'How often may be asked, where it is not what the configuration says: for a company, for a tier, or for everybody. Servers read it again within a second.';
comment on column app.rate_limit_rules.class is 'The sort of request.';
comment on column app.rate_limit_rules.counted is 'Whether each caller is counted for himself, or all of a company together.';
comment on column app.rate_limit_rules.company_id is 'The company it is for; null is the tier, or everybody.';
comment on column app.rate_limit_rules.tier is 'The tier it is for; null is the company, or everybody.';
comment on column app.rate_limit_rules.minute_max is 'Requests in a minute; null is without a limit.';
comment on column app.rate_limit_rules.burst_max is 'Requests at once; null is what the configuration says.';
comment on column app.rate_limit_rules.is_shadow is 'Whether it is counted and never refused; null is what the configuration says.';
create index rate_limit_rules_company_id_idx on app.rate_limit_rules (company_id);
create index rate_limit_rules_tier_idx on app.rate_limit_rules (tier);
select app.enclose('app.rate_limit_rules');

create table app.rate_limit_state (
  id         boolean primary key default true check (id),
  version    bigint not null default 0,
  configured jsonb not null default '{}' check (jsonb_typeof(configured) = 'object'),
  updated_at timestamptz not null default now()
);
comment on table app.rate_limit_state is 'One row: by its version servers see that rules have changed.';
comment on column app.rate_limit_state.version is 'One more with every statement that changes rules.';
comment on column app.rate_limit_state.configured is 'Rates in a minute by class, as the server that started last has them; 0 is without a limit.';
select app.enclose('app.rate_limit_state');
insert into app.rate_limit_state default values;

-- A program counts by whatever it likes, too.
alter table public.api_rate_limits
  drop constraint api_rate_limits_identifier_type_check,
  add constraint api_rate_limits_identifier_type_check check (identifier_type in ('company', 'user', 'ip', 'api_key', 'key')) not valid;
alter table public.api_rate_limits validate constraint api_rate_limits_identifier_type_check;
comment on column public.api_rate_limits.endpoint is 'What was asked for; * is anything. Of a key the company that it belongs to.';
