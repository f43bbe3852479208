-- description: takes back create_security_keys
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123130000
-- rollback: migrate up again; the keys stay lost

-- backfill: auth.sessions rows=any because as many sessions were raised as people proved a key
update auth.sessions set aal = 'aal1', factor_id = null
 where factor_id in (select id from auth.mfa_factors where factor_type = 'webauthn');
-- backfill: auth.mfa_factors rows=any because as many keys go as people have
delete from auth.mfa_factors where factor_type = 'webauthn';
alter table auth.mfa_challenges drop column ceremony cascade;
drop index auth.mfa_factors_credential_id_key;
alter table auth.mfa_factors drop constraint mfa_factors_credential_check, drop column credential cascade, drop column credential_id cascade;
