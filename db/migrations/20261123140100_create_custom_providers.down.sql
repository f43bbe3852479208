-- description: takes back create_custom_providers
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123140000
-- rollback: migrate up again; the providers stay lost

drop table auth.custom_providers cascade;
