-- description: takes back create_factors
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123110000
-- rollback: migrate up again; the factors stay lost

-- backfill: auth.sessions rows=any because as many sessions were raised as people proved a factor
update auth.sessions set aal = 'aal1' where factor_id is not null;
drop index auth.sessions_factor_id_idx;
alter table auth.sessions drop column factor_id;
drop table auth.recovery_codes, auth.mfa_challenges, auth.mfa_factors;
