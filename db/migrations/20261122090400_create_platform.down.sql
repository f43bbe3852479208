-- description: takes back create_platform
-- author: Thorbis
-- date: 2026-11-22
-- depends: 20261122090300
-- rollback: migrate up again; the rows are lost

-- With the triggers that write into what goes.
drop function if exists app.audit() cascade;
do $$
declare
  v_function regprocedure;
begin
  for v_function in
    select p.oid from pg_catalog.pg_proc p where p.pronamespace = 'app'::regnamespace and p.proname ~ '^audit_of_'
  loop
    execute format('drop function %s cascade', v_function);
  end loop;
end $$;
drop function if exists app.audit_table(regclass, text);
drop function if exists app.note_activity() cascade;

drop table public.api_rate_limits cascade;
drop table public.verification_tokens cascade;
drop table public.streams cascade;
drop table public.suggestions cascade;
drop table public.documents cascade;
drop table public.votes_v2 cascade;
drop table public.messages_v2 cascade;
drop table public.chats cascade;
drop table public.posts cascade;
drop table public.api_keys cascade;
drop table public.import_runs cascade;
drop table public.public_links cascade;
drop table public.customer_reviews cascade;
drop table public.background_jobs cascade;
drop table public.attachments cascade;
drop table public.file_storage cascade;
drop table public.suppressions cascade;
drop table public.notification_templates cascade;
drop table public.notification_queue cascade;
drop table public.notification_preferences cascade;
drop table public.webhook_logs cascade;
drop table public.webhooks cascade;
drop table app.retention_held cascade;
drop table app.audit_seal cascade;
drop table app.audit_batches cascade;
drop table public.audit_logs cascade;
drop table public.activities cascade;
drop table public.email_logs cascade;
drop table public.communications cascade;
comment on column public.customers.first_name is null;
comment on column public.customers.last_name is null;
comment on column public.customers.company_name is null;
comment on column public.customers.display_name is null;
comment on column public.customers.email is null;
comment on column public.customers.email_key is null;
comment on column public.customers.phone is null;
comment on column public.customers.secondary_phone is null;
comment on column public.customers.address is null;
comment on column public.customers.address2 is null;
comment on column public.customers.billing_email is null;
comment on column public.customers.tax_exempt_number is null;
comment on column public.properties.address is null;
comment on column public.properties.address2 is null;
comment on column public.companies.tax_id is null;
comment on column public.team_members.name is null;
comment on column public.team_members.email is null;
comment on column public.team_members.phone is null;
comment on column public.invitations.email is null;
comment on column public.invitations.email_key is null;
comment on column public.invitations.name is null;
comment on column public.invitations.token_hash is null;
comment on column public.users.name is null;
comment on column public.users.email is null;
comment on column public.users.phone is null;
comment on column auth.users.email is null;
comment on column auth.users.phone is null;
comment on column auth.users.encrypted_password is null;
comment on column auth.sessions.ip is null;
comment on column public.ownership_transfers.ip is null;
