-- description: takes back create_support_access
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123170200
-- rollback: migrate up again; who worked where and why is lost

drop function if exists app.guard_impersonation() cascade;
drop function if exists app.support_ended() cascade;
-- Sessions of support are nobody else's.
-- backfill: auth.sessions rows=any because as many sessions end as support has open
delete from auth.sessions where impersonated_by is not null;
drop table public.support_sessions cascade;
drop table public.support_consents cascade;
alter table auth.sessions drop column impersonated_by cascade;
