-- description: takes back prove_phones
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261123140000
-- rollback: migrate up again; numbers that were proved since the account was made count as proved

alter table auth.users drop column phone_proved_at cascade;
