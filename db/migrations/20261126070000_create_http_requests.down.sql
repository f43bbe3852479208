-- description: takes back create_http_requests
-- author: Thorbis
-- date: 2026-11-26
-- depends: 20261126070000
-- rollback: the up file

drop table app.http_requests cascade;
