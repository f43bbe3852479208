-- description: takes back create_privacy
-- author: Thorbis
-- date: 2026-11-27
-- depends: 20261127020000
-- rollback: the up file

comment on column app.notification_events.error is 'Why the last attempt failed.';
comment on column storage.objects.user_metadata is null;
comment on column public.verification_tokens.metadata is null;
comment on column public.contracts.signer_company is null;
comment on column public.team_members.employee_number is null;
comment on column auth.identities.email is null;
comment on column auth.identities.identity_data is null;
comment on column auth.users.raw_user_meta_data is null;
comment on column auth.users.phone_change is null;
comment on column auth.users.email_change is null;
comment on column public.company_settings.report_mails is null;
comment on column public.contracts.signer_title is null;
comment on column auth.users.email_key is null;
drop function if exists app.keep_held() cascade;
drop table public.legal_holds cascade;
drop table public.consents cascade;
drop table app.audit_redactions cascade;
drop table app.erasures cascade;
