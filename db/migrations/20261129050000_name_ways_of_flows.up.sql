-- description: a sign-in under way says what its link was for, as the session that it leads to will
-- author: Thorbis
-- date: 2026-11-29
-- depends: 20261128070000
-- rollback: sessions that links lead to say again that somebody had a code
--
-- lint: allow constraint-missing-not-valid because a row lives for an hour, and there are few

alter table auth.flow_states drop constraint flow_states_method_check;
alter table auth.flow_states add constraint flow_states_method_check
  check (method in ('otp', 'oauth', 'email/signup', 'magiclink', 'recovery', 'invite', 'email_change'));
