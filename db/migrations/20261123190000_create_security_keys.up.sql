-- description: security keys as second factors: the public key (auth.mfa_factors) and what it is asked to sign (auth.mfa_challenges)
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123130000
-- rollback: drops the security keys, people whose only second factor was one sign in with their password alone; take a backup first
-- lint: allow constraint-missing-not-valid because the columns are new and null in every row
-- lint: allow require-concurrent-index-creation because the column is new and null in every row

alter table auth.mfa_factors
  -- How the key calls itself, once it is made.
  add column credential_id bytea check (length(credential_id) between 1 and 1023),
  -- The public key, its counter and what was seen of it, as the library that checks its signatures writes it. No secret.
  add column credential jsonb,
  add constraint mfa_factors_credential_check
    check ((credential is null) = (credential_id is null) and (factor_type = 'webauthn' or credential is null));
create unique index mfa_factors_credential_id_key on auth.mfa_factors (credential_id);

-- What a key is asked to sign, and on which conditions its answer counts.
alter table auth.mfa_challenges add column ceremony jsonb;
