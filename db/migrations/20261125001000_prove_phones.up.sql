-- description: numbers that somebody proved to hold, told from those that only count as confirmed
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261123140000
-- rollback: drops the column; who prepared an account under a number that is not his may come back into it

-- A number may count as confirmed without anybody having proved to hold it, as an address may. Whoever proves it by a code is then not let
-- into what somebody else prepared under it.
alter table auth.users add column phone_proved_at timestamptz;
-- backfill: auth.users rows=any because as many accounts proved their number as there are
update auth.users set phone_proved_at = phone_confirmed_at where phone_confirmed_at > created_at;
