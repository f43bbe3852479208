-- description: takes back scope_api_keys
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261122090400
-- rollback: migrate up again; limits and addresses have to be said again

drop table app.api_key_uses cascade;
alter table public.api_keys drop column requests_per_minute cascade, drop column allowed_addresses cascade;
