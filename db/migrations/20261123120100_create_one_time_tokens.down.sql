-- description: takes back create_one_time_tokens
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123120000
-- rollback: migrate up again; what was sent and not used is of no use then

drop table auth.one_time_tokens;
