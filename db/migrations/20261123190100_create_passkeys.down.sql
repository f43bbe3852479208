-- description: takes back create_passkeys
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123130000
-- rollback: migrate up again; the passkeys stay lost

drop table auth.passkey_challenges, auth.passkeys;
