-- description: takes back extend_suppressions
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261125030200
-- rollback: migrate up again; suppressions of single topics and by a word in an SMS stay lost
-- backfill: public.suppressions rows=any because companies may have any number of them

delete from public.suppressions where topic <> '' or reason = 'stop';
alter table public.suppressions drop constraint suppressions_address_key;
alter table public.suppressions add constraint suppressions_company_id_kind_address_key_key unique (company_id, kind, address_key);
alter table public.suppressions drop column topic cascade;
alter table public.suppressions
  drop constraint suppressions_reason_check,
  add constraint suppressions_reason_check check (reason in ('bounce', 'complaint', 'unsubscribe', 'manual')) not valid;
alter table public.suppressions validate constraint suppressions_reason_check;
drop table app.address_holds cascade;
