-- description: takes back create_rate_limit_rules
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261124150000
-- rollback: migrate up again; rates set at run time and what was counted by keys stay lost
-- backfill: public.api_rate_limits rows=any because programs counted by as many keys as they liked

drop view if exists public.rate_limits;
drop function if exists public.increment_rate_limit(text, integer, integer);
delete from public.api_rate_limits where identifier_type = 'key';
alter table public.api_rate_limits
  drop constraint api_rate_limits_identifier_type_check,
  add constraint api_rate_limits_identifier_type_check check (identifier_type in ('company', 'user', 'ip', 'api_key')) not valid;
alter table public.api_rate_limits validate constraint api_rate_limits_identifier_type_check;
comment on column public.api_rate_limits.endpoint is null;
drop table app.rate_limit_state cascade;
drop table app.rate_limit_rules cascade;
