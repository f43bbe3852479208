-- description: takes back create_sign_on_providers
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123210000
-- rollback: migrate up again; the providers stay lost

drop table public.sign_on_providers cascade;
