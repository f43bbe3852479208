-- description: takes back keep_rate_mode
-- author: Thorbis
-- date: 2026-11-28
-- depends: 20261128060100
-- rollback: migrate up again; a server says it anew when it starts

alter table app.rate_limit_state drop column shadow cascade, drop column mode cascade;
