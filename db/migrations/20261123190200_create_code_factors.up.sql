-- description: telephones and mailboxes as second factors, and the codes that were sent to them
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123190000
-- rollback: drops telephones and mailboxes as factors, people whose only second factor was one sign in with their password alone
-- lint: allow constraint-missing-not-valid because the column is new and null in every row, and a wider list holds for every row

alter table auth.mfa_factors
  add column email text check (length(email) between 3 and 254),
  drop constraint mfa_factors_factor_type_check,
  add constraint mfa_factors_factor_type_check check (factor_type in ('totp', 'phone', 'email', 'webauthn', 'recovery_code')),
  add constraint mfa_factors_email_check1 check ((factor_type = 'email') = (email is not null));
comment on column auth.mfa_factors.email is 'pii:email';

-- The code under a key of the server: of the few codes that there are, a hash alone would hide nothing.
alter table auth.mfa_challenges add column code_hash bytea check (length(code_hash) = 32);
comment on column auth.mfa_challenges.code_hash is 'secret';
