-- description: takes back create_idempotency_keys
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261122095000
-- rollback: migrate up again

drop table app.idempotency_keys;
