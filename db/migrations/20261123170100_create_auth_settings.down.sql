-- description: takes back create_auth_settings
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123170000
-- rollback: migrate up again

drop table app.auth_settings cascade;
