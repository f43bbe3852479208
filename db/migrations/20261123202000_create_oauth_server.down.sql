-- description: takes back create_oauth_server
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123130000
-- rollback: migrate up again; the programs and what people agreed to stay lost

drop table auth.oauth_authorizations, auth.oauth_consents;
-- What was a program's must not become its user's own.
-- backfill: auth.sessions rows=any because as many sessions are ended as programs hold
delete from auth.sessions where oauth_client_id is not null;
drop index auth.sessions_oauth_client_id_idx;
alter table auth.sessions drop column oauth_client_id cascade, drop column scopes cascade, drop column resource cascade;
drop table auth.oauth_clients cascade;
