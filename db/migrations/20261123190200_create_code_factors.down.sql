-- description: takes back create_code_factors
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123190000
-- rollback: migrate up again; the factors stay lost

-- backfill: auth.sessions rows=any because as many sessions were raised as people proved such a factor
update auth.sessions set aal = 'aal1', factor_id = null
 where factor_id in (select id from auth.mfa_factors where factor_type in ('phone', 'email'));
-- backfill: auth.mfa_factors rows=any because as many factors go as people have
delete from auth.mfa_factors where factor_type in ('phone', 'email');
alter table auth.mfa_challenges drop column code_hash cascade;
alter table auth.mfa_factors
  drop constraint mfa_factors_email_check1,
  drop constraint mfa_factors_factor_type_check,
  add constraint mfa_factors_factor_type_check check (factor_type in ('totp', 'phone', 'webauthn', 'recovery_code')),
  drop column email cascade;
