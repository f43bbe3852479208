-- description: takes back remember_spent_tokens
-- author: Thorbis
-- date: 2026-11-28
-- depends: 20261121090100
-- rollback: migrate up again; until its next refresh a session counts as refreshed by the token before the current one

alter table auth.sessions drop column spent_counter cascade;
