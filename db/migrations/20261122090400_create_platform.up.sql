-- description: communications, timeline, audit, webhooks, notifications, files, public links, reviews, imports, API keys, the assistant's chats
-- author: Thorbis
-- date: 2026-11-22
-- depends: 20261122090300
-- rollback: drops these tables with everything in them; take a backup first

create table public.communications (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  customer_id                   uuid,
  job_id                        uuid,
  estimate_id                   uuid,
  invoice_id                    uuid,
  type                          text not null check (type in ('email', 'sms', 'phone', 'chat', 'note')),
  direction                     text not null default 'outbound' check (direction in ('inbound', 'outbound')),
  channel                       text check (channel in ('twilio', 'telnyx', 'sendgrid', 'resend', 'gmail', 'smtp', 'internal')),
  from_address                  text check (length(from_address) <= 320),
  from_name                     text check (length(from_name) <= 200),
  to_address                    text not null default '' check (length(to_address) <= 320),
  to_name                       text check (length(to_name) <= 200),
  cc_addresses                  jsonb not null default '[]' check (jsonb_typeof(cc_addresses) = 'array'),
  bcc_addresses                 jsonb not null default '[]' check (jsonb_typeof(bcc_addresses) = 'array'),
  subject                       text check (length(subject) <= 998),
  body                          text not null default '' check (length(body) <= 1000000),
  body_html                     text check (length(body_html) <= 1000000),
  body_plain                    text check (length(body_plain) <= 1000000),
  attachments                   jsonb not null default '[]' check (jsonb_typeof(attachments) = 'array'),
  attachment_count              bigint not null default 0 check (attachment_count >= 0),
  thread_id                     uuid,
  parent_id                     uuid,
  is_thread_starter             boolean not null default true,
  status                        text not null default 'draft' check (status in ('draft', 'queued', 'scheduled', 'sending', 'sent', 'delivered', 'failed', 'read', 'received')),
  failure_reason                text check (length(failure_reason) <= 2000),
  retry_count                   integer not null default 0 check (retry_count >= 0),
  read_at                       timestamptz,
  opened_at                     timestamptz,
  clicked_at                    timestamptz,
  open_count                    bigint not null default 0 check (open_count >= 0),
  click_count                   bigint not null default 0 check (click_count >= 0),
  -- Seconds.
  call_duration                 integer check (call_duration >= 0),
  call_recording_url            text check (length(call_recording_url) <= 2048),
  call_transcript               text check (length(call_transcript) <= 1000000),
  call_sentiment                text check (call_sentiment in ('positive', 'neutral', 'negative')),
  answering_machine_detected    boolean,
  call_answered_at              timestamptz,
  call_ended_at                 timestamptz,
  hangup_cause                  text check (length(hangup_cause) <= 120),
  hangup_source                 text check (length(hangup_source) <= 120),
  recording_channels            text check (length(recording_channels) <= 20),
  phone_number_id               text check (length(phone_number_id) <= 255),
  telnyx_call_control_id        text check (length(telnyx_call_control_id) <= 255),
  telnyx_call_session_id        text check (length(telnyx_call_session_id) <= 255),
  telnyx_message_id             text check (length(telnyx_message_id) <= 255),
  sent_by                       uuid,
  assigned_to                   uuid,
  provider_message_id           text check (length(provider_message_id) <= 255),
  provider_status               text check (length(provider_status) <= 120),
  provider_metadata             jsonb not null default '{}' check (jsonb_typeof(provider_metadata) = 'object'),
  cost                          bigint check (cost >= 0),
  template_id                   uuid,
  automation_workflow_id        uuid,
  is_automated                  boolean not null default false,
  category                      text check (category in ('support', 'sales', 'billing', 'general', 'spam')),
  priority                      text not null default 'normal' check (priority in ('low', 'normal', 'high', 'urgent')),
  tags                          text[] not null default '{}' check (cardinality(tags) <= 100),
  is_internal                   boolean not null default false,
  is_archived                   boolean not null default false,
  snoozed_until                 timestamptz,
  sent_at                       timestamptz,
  delivered_at                  timestamptz,
  scheduled_for                 timestamptz,
  metadata                      jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_by                    uuid default auth.uid(),
  archived_at                   timestamptz,
  deleted_at                    timestamptz,
  deleted_by                    uuid,
  permanent_delete_scheduled_at timestamptz,
  version                       bigint not null default 1,
  created_at                    timestamptz not null default now(),
  updated_at                    timestamptz not null default now(),
  primary key (company_id, id),
  constraint communications_id_check check ((get_byte(uuid_send(id), 6) >> 4) = 7),
  constraint communications_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id) on delete set null (customer_id),
  constraint communications_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete set null (job_id),
  constraint communications_estimate_id_fkey foreign key (company_id, estimate_id)
    references public.estimates (company_id, id) on delete set null (estimate_id),
  constraint communications_invoice_id_fkey foreign key (company_id, invoice_id)
    references public.invoices (company_id, id) on delete set null (invoice_id),
  constraint communications_parent_id_fkey foreign key (company_id, parent_id)
    references public.communications (company_id, id) on delete set null (parent_id),
  constraint communications_sent_by_fkey foreign key (company_id, sent_by)
    references public.team_members (company_id, user_id) on delete set null (sent_by),
  constraint communications_assigned_to_fkey foreign key (company_id, assigned_to)
    references public.team_members (company_id, user_id) on delete set null (assigned_to)
) partition by range (id);
comment on table public.communications is 'Messages and calls to and from customers. Partitioned by the month in the id.';
comment on column public.communications.from_address is 'pii:contact';
comment on column public.communications.from_name is 'pii:name';
comment on column public.communications.to_address is 'pii:contact';
comment on column public.communications.to_name is 'pii:name';
comment on column public.communications.cc_addresses is 'pii:contact';
comment on column public.communications.bcc_addresses is 'pii:contact';
comment on column public.communications.subject is 'pii:text';
comment on column public.communications.body is 'pii:text';
comment on column public.communications.body_html is 'pii:text';
comment on column public.communications.body_plain is 'pii:text';
comment on column public.communications.call_transcript is 'pii:text';
comment on column public.communications.call_recording_url is 'pii:text';
create index communications_id_idx on public.communications (id);
create index communications_job_id_idx on public.communications (company_id, job_id);
create index communications_estimate_id_idx on public.communications (company_id, estimate_id);
create index communications_invoice_id_idx on public.communications (company_id, invoice_id);
create index communications_parent_id_idx on public.communications (company_id, parent_id);
create index communications_sent_by_idx on public.communications (company_id, sent_by);
create index communications_created_at_idx on public.communications (company_id, created_at desc, id);
create index communications_customer_id_idx on public.communications (company_id, customer_id, created_at desc);
create index communications_thread_id_idx on public.communications (company_id, thread_id, created_at);
create index communications_type_idx on public.communications (company_id, type, created_at desc);
create index communications_provider_message_id_idx on public.communications (company_id, provider_message_id);
create index communications_assigned_to_idx on public.communications (company_id, assigned_to, created_at desc);
select app.enclose('public.communications');

create table public.email_logs (
  company_id    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id            uuid not null default app.uuid_v7(),
  "to"          text not null check (length("to") between 1 and 320),
  "from"        text not null check (length("from") between 1 and 320),
  subject       text not null check (length(subject) between 1 and 998),
  template_type text not null check (length(template_type) between 1 and 120),
  resend_id     text check (length(resend_id) <= 255),
  status        text not null default 'pending' check (status in ('pending', 'sent', 'delivered', 'failed', 'bounced', 'opened', 'clicked', 'complained')),
  error         text check (length(error) <= 4000),
  template_data jsonb not null default '{}' check (jsonb_typeof(template_data) = 'object'),
  tags          jsonb,
  sent_at       timestamptz,
  delivered_at  timestamptz,
  opened_at     timestamptz,
  clicked_at    timestamptz,
  bounced_at    timestamptz,
  retry_count   integer not null default 0 check (retry_count >= 0),
  max_retries   integer not null default 3 check (max_retries >= 0),
  next_retry_at timestamptz,
  user_id       uuid,
  customer_id   uuid,
  job_id        uuid,
  invoice_id    uuid,
  metadata      jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_at    timestamptz not null default now(),
  primary key (company_id, id),
  constraint email_logs_id_check check ((get_byte(uuid_send(id), 6) >> 4) = 7),
  constraint email_logs_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete set null (user_id),
  constraint email_logs_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id) on delete set null (customer_id),
  constraint email_logs_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete set null (job_id),
  constraint email_logs_invoice_id_fkey foreign key (company_id, invoice_id)
    references public.invoices (company_id, id) on delete set null (invoice_id)
) partition by range (id);
comment on table public.email_logs is 'What became of every mail. Partitioned by the month in the id.';
comment on column public.email_logs."to" is 'pii:email';
comment on column public.email_logs."from" is 'pii:email';
comment on column public.email_logs.subject is 'pii:text';
comment on column public.email_logs.template_data is 'pii:text';
create index email_logs_id_idx on public.email_logs (id);
create index email_logs_user_id_idx on public.email_logs (company_id, user_id);
create index email_logs_customer_id_idx on public.email_logs (company_id, customer_id);
create index email_logs_job_id_idx on public.email_logs (company_id, job_id);
create index email_logs_invoice_id_idx on public.email_logs (company_id, invoice_id);
create index email_logs_created_at_idx on public.email_logs (company_id, created_at desc, id);
create index email_logs_status_idx on public.email_logs (company_id, status, created_at desc);
select app.enclose('public.email_logs');

create table public.activities (
  company_id               uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                       uuid not null default app.uuid_v7(),
  entity_type              text not null check (length(entity_type) between 1 and 60),
  entity_id                uuid not null,
  activity_type            text not null check (activity_type in ('status_change', 'field_update', 'note_added', 'photo_added', 'document_added', 'ai_insight', 'automation', 'assignment_change', 'communication', 'created', 'deleted', 'restored')),
  action                   text not null check (length(action) between 1 and 500),
  category                 text not null default 'user' check (category in ('system', 'user', 'ai', 'automation')),
  actor_id                 uuid,
  actor_type               text not null default 'user' check (actor_type in ('user', 'system', 'ai', 'automation')),
  actor_name               text check (length(actor_name) <= 200),
  field_name               text check (length(field_name) <= 120),
  old_value                text check (length(old_value) <= 20000),
  new_value                text check (length(new_value) <= 20000),
  description              text check (length(description) <= 20000),
  metadata                 jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  related_entity_type      text check (length(related_entity_type) <= 60),
  related_entity_id        uuid,
  -- Of a job and what belongs to it the job: who works on the job reads it.
  job_id                   uuid,
  attachment_type          text check (attachment_type in ('photo', 'document', 'video')),
  attachment_url           text check (length(attachment_url) <= 2048),
  attachment_name          text check (length(attachment_name) <= 300),
  ai_model                 text check (length(ai_model) <= 120),
  automation_workflow_id   uuid,
  automation_workflow_name text check (length(automation_workflow_name) <= 200),
  is_important             boolean not null default false,
  is_system_generated      boolean not null default false,
  is_visible               boolean not null default true,
  occurred_at              timestamptz not null default now(),
  created_at               timestamptz not null default now(),
  primary key (company_id, id),
  constraint activities_id_check check ((get_byte(uuid_send(id), 6) >> 4) = 7),
  constraint activities_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete set null (job_id)
) partition by range (id);
comment on table public.activities is 'What happened, in words for people. Written by triggers. Partitioned by the month in the id.';
comment on column public.activities.actor_name is 'pii:name';
create index activities_id_idx on public.activities (id);
create index activities_created_at_idx on public.activities (company_id, created_at desc, id);
create index activities_entity_idx on public.activities (company_id, entity_type, entity_id, occurred_at desc);
create index activities_job_id_idx on public.activities (company_id, job_id, occurred_at desc);
select app.enclose('public.activities');

-- Few checks, which are prepared anew for every row: only functions of the house write here, and they keep the lengths.
create table public.audit_logs (
  company_id     uuid not null default app.company_id(),
  id             uuid not null default app.uuid_v7(),
  user_id        uuid,
  actor_role     text,
  action         text not null,
  table_name     text,
  entity_type    text not null,
  entity_id      uuid,
  ip_address     inet,
  user_agent     text,
  request_method text,
  request_path   text,
  request_id     text,
  old_values     jsonb,
  new_values     jsonb,
  changed_fields text[],
  session_id     uuid,
  correlation_id uuid,
  severity       text not null default 'info' check (severity in ('debug', 'info', 'warning', 'error', 'critical')),
  gdpr_relevant  boolean not null default false,
  pii_accessed   boolean not null default false,
  metadata       jsonb not null default '{}',
  xid            xid8 not null default pg_current_xact_id(),
  created_at     timestamptz not null default now(),
  primary key (company_id, id),
  constraint audit_logs_id_check check ((get_byte(uuid_send(id), 6) >> 4) = 7)
) partition by range (id);
comment on table public.audit_logs is 'Who changed what. Written by a trigger, sealed in batches, never changed. Outlives its company. Partitioned by the month in the id.';
comment on column public.audit_logs.ip_address is 'pii:ip';
create index audit_logs_id_idx on public.audit_logs (id);
create index audit_logs_created_at_idx on public.audit_logs (company_id, created_at desc, id);
create index audit_logs_entity_idx on public.audit_logs (company_id, entity_type, entity_id, created_at desc);
create index audit_logs_user_id_idx on public.audit_logs (company_id, user_id, created_at desc);
create index audit_logs_xid_idx on public.audit_logs (xid);
select app.enclose('public.audit_logs');

-- Outlive their company, as the rows that they seal.
create table app.audit_batches (
  company_id      uuid not null,
  number          bigint not null check (number > 0),
  -- The transactions whose rows it has: from the first up to below this one, all of which had ended.
  first_xid       xid8 not null,
  below_xid       xid8 not null,
  row_count       integer not null check (row_count > 0),
  row_ids         uuid[] not null,
  -- 32 bytes for each row, in the order of the ids.
  row_digests     bytea not null,
  previous_digest bytea not null,
  digest          bytea not null check (length(digest) = 32),
  sealed_at       timestamptz not null default now(),
  rows_expired_at timestamptz,
  primary key (company_id, number),
  constraint audit_batches_rows_check check (cardinality(row_ids) = row_count and length(row_digests) = 32 * row_count)
);
comment on table app.audit_batches is 'Seals over the rows of audit_logs: each batch of a company holds the digest of the one before.';
create index audit_batches_sealed_at_idx on app.audit_batches (sealed_at);
-- Which batches may have a row of these transactions.
create index audit_batches_xids_idx on app.audit_batches using gist (int8range(first_xid::text::bigint, below_xid::text::bigint));
select app.enclose('app.audit_batches');

create table app.audit_seal (
  is_only   boolean primary key default true check (is_only),
  below_xid xid8 not null default '0',
  -- The cluster and database that count these transactions; elsewhere the numbers mean others.
  place     text,
  -- After a restore elsewhere: from here on rows of before may not be sealed yet.
  again_xid xid8,
  sealed_at timestamptz not null default now()
);
comment on table app.audit_seal is 'One row: every audit row of an earlier transaction is sealed.';
select app.enclose('app.audit_seal');

-- What should have gone and could not, until it goes: which key or rule holds it, and since when.
create table app.retention_held (
  company_id uuid not null references public.companies (id) on delete cascade,
  table_name text not null check (length(table_name) <= 130),
  row_id     uuid not null,
  reason     text not null check (length(reason) <= 130),
  held_since timestamptz not null default now(),
  tried_at   timestamptz not null default now(),
  primary key (company_id, table_name, row_id)
);
comment on table app.retention_held is 'Rows whose time is over and that something still holds, with what holds them: tried again every day.';
create index retention_held_tried_at_idx on app.retention_held (tried_at);
select app.enclose('app.retention_held');

create table public.webhooks (
  company_id        uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                uuid not null default app.uuid_v7(),
  name              text not null check (length(name) between 1 and 200),
  url               text check (length(url) <= 2048),
  secret            text check (length(secret) <= 4000),
  events            text[] not null default '{}' check (cardinality(events) <= 100),
  is_active         boolean not null default true,
  retry_policy      jsonb not null default '{}' check (jsonb_typeof(retry_policy) = 'object'),
  timeout_seconds   integer not null default 30 check (timeout_seconds between 1 and 60),
  ip_whitelist      text[] not null default '{}' check (cardinality(ip_whitelist) <= 100),
  custom_headers    jsonb not null default '{}' check (jsonb_typeof(custom_headers) = 'object'),
  last_triggered_at timestamptz,
  success_count     bigint not null default 0 check (success_count >= 0),
  failure_count     bigint not null default 0 check (failure_count >= 0),
  disabled_reason   text check (length(disabled_reason) <= 500),
  created_by        uuid default auth.uid(),
  version           bigint not null default 1,
  created_at        timestamptz not null default now(),
  updated_at        timestamptz not null default now(),
  primary key (company_id, id)
);
comment on table public.webhooks is 'Where a company wants to be told of events.';
comment on column public.webhooks.secret is 'secret';
comment on column public.webhooks.custom_headers is 'secret';
create index webhooks_id_idx on public.webhooks (id);
select app.enclose('public.webhooks');

create table public.webhook_logs (
  company_id       uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id               uuid not null default app.uuid_v7(),
  webhook_id       uuid not null,
  event_type       text not null check (length(event_type) between 1 and 120),
  payload          jsonb not null,
  status           text not null default 'pending' check (status in ('pending', 'sent', 'failed', 'retrying')),
  http_status_code integer check (http_status_code >= 0),
  response_body    text check (length(response_body) <= 20000),
  response_time_ms integer check (response_time_ms >= 0),
  retry_count      integer not null default 0 check (retry_count >= 0),
  next_retry_at    timestamptz,
  error_message    text check (length(error_message) <= 4000),
  sent_at          timestamptz,
  created_at       timestamptz not null default now(),
  primary key (company_id, id),
  constraint webhook_logs_id_check check ((get_byte(uuid_send(id), 6) >> 4) = 7),
  constraint webhook_logs_webhook_id_fkey foreign key (company_id, webhook_id)
    references public.webhooks (company_id, id) on delete cascade
) partition by range (id);
comment on table public.webhook_logs is 'Every delivery of a webhook. Partitioned by the month in the id.';
comment on column public.webhook_logs.payload is 'pii:text';
comment on column public.webhook_logs.response_body is 'pii:text';
create index webhook_logs_id_idx on public.webhook_logs (id);
create index webhook_logs_created_at_idx on public.webhook_logs (company_id, created_at desc, id);
create index webhook_logs_webhook_id_idx on public.webhook_logs (company_id, webhook_id, created_at desc);
select app.enclose('public.webhook_logs');

create table public.notification_preferences (
  company_id                uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                        uuid not null default app.uuid_v7(),
  user_id                   uuid not null default auth.uid(),
  email_enabled             boolean not null default true,
  sms_enabled               boolean not null default false,
  push_enabled              boolean not null default true,
  in_app_enabled            boolean not null default true,
  job_assigned              boolean not null default true,
  job_updated               boolean not null default true,
  job_completed             boolean not null default true,
  schedule_reminder         boolean not null default true,
  schedule_changed          boolean not null default true,
  customer_message          boolean not null default true,
  invoice_sent              boolean not null default true,
  invoice_paid              boolean not null default true,
  payment_received          boolean not null default true,
  estimate_approved         boolean not null default true,
  equipment_maintenance_due boolean not null default true,
  inventory_low_stock       boolean not null default true,
  team_member_activity      boolean not null default false,
  digest_enabled            boolean not null default false,
  digest_frequency          text not null default 'daily' check (digest_frequency in ('realtime', 'hourly', 'daily', 'weekly')),
  quiet_hours_enabled       boolean not null default false,
  quiet_hours_start         time,
  quiet_hours_end           time,
  quiet_hours_timezone      text not null default 'UTC' check (length(quiet_hours_timezone) <= 64),
  version                   bigint not null default 1,
  created_at                timestamptz not null default now(),
  updated_at                timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, user_id),
  constraint notification_preferences_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete cascade
);
comment on table public.notification_preferences is 'How a member wants to be told.';
create index notification_preferences_id_idx on public.notification_preferences (id);
select app.enclose('public.notification_preferences');

create table public.notification_queue (
  company_id          uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                  uuid not null default app.uuid_v7(),
  user_id             uuid not null,
  type                text not null check (length(type) between 1 and 120),
  channel             text not null default 'in_app' check (channel in ('email', 'sms', 'push', 'in_app')),
  priority            text not null default 'normal' check (priority in ('low', 'normal', 'high', 'urgent')),
  subject             text check (length(subject) <= 200),
  body                text not null check (length(body) between 1 and 500),
  body_html           text check (length(body_html) <= 20000),
  entity_type         text check (length(entity_type) <= 60),
  entity_id           uuid,
  status              text not null default 'pending' check (status in ('pending', 'sending', 'sent', 'failed', 'cancelled')),
  scheduled_for       timestamptz,
  sent_at             timestamptz,
  delivered_at        timestamptz,
  failed_at           timestamptz,
  failure_reason      text check (length(failure_reason) <= 2000),
  retry_count         integer not null default 0 check (retry_count >= 0),
  max_retries         integer not null default 3 check (max_retries >= 0),
  provider            text check (length(provider) <= 60),
  provider_message_id text check (length(provider_message_id) <= 255),
  provider_response   jsonb,
  read_at             timestamptz,
  metadata            jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_at          timestamptz not null default now(),
  primary key (company_id, id),
  constraint notification_queue_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete cascade
);
comment on table public.notification_queue is 'Messages to members, and what became of them.';
comment on column public.notification_queue.subject is 'pii:text';
comment on column public.notification_queue.body is 'pii:text';
comment on column public.notification_queue.body_html is 'pii:text';
create index notification_queue_id_idx on public.notification_queue (id);
create index notification_queue_created_at_idx on public.notification_queue (company_id, created_at desc, id);
create index notification_queue_user_id_idx on public.notification_queue (company_id, user_id, created_at desc);
create index notification_queue_status_idx on public.notification_queue (company_id, status, scheduled_for);
select app.enclose('public.notification_queue');

create table public.notification_templates (
  company_id uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id         uuid not null default app.uuid_v7(),
  event      text not null check (length(event) <= 120 and event ~ '^[a-z_]+[.][a-z_]+$'),
  channel    text not null check (channel in ('email', 'sms', 'push', 'in_app')),
  locale     text not null default 'en' check (length(locale) <= 10),
  name       text not null check (length(name) between 1 and 200),
  subject    text check (length(subject) <= 200),
  body       text not null check (length(body) <= 20000),
  is_active  boolean not null default true,
  version    bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, event, channel, locale)
);
comment on table public.notification_templates is 'Texts of messages, by event and channel.';
create index notification_templates_id_idx on public.notification_templates (id);
select app.enclose('public.notification_templates');

create table public.suppressions (
  company_id  uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id          uuid not null default app.uuid_v7(),
  kind        text not null check (kind in ('email', 'sms')),
  address_key text not null check (length(address_key) between 1 and 320),
  reason      text not null check (reason in ('bounce', 'complaint', 'unsubscribe', 'manual')),
  note        text check (length(note) <= 500),
  created_by  uuid default auth.uid(),
  created_at  timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, kind, address_key)
);
comment on table public.suppressions is 'Addresses that are not written to: bounced, complained, unsubscribed.';
comment on column public.suppressions.address_key is 'pii:contact';
create index suppressions_id_idx on public.suppressions (id);
create index suppressions_created_at_idx on public.suppressions (company_id, created_at desc, id);
select app.enclose('public.suppressions');

create table public.file_storage (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  uploaded_by                   uuid default auth.uid(),
  filename                      text not null check (length(filename) between 1 and 300),
  original_filename             text not null check (length(original_filename) between 1 and 300),
  mime_type                     text not null check (length(mime_type) between 1 and 200),
  file_size                     bigint not null check (file_size >= 0),
  file_extension                text check (length(file_extension) <= 20),
  storage_bucket                text not null default 'company-files' check (length(storage_bucket) <= 100),
  storage_path                  text not null check (length(storage_path) between 1 and 1024),
  storage_url                   text check (length(storage_url) <= 2048),
  category                      text check (length(category) <= 60),
  entity_type                   text check (length(entity_type) <= 60),
  entity_id                     uuid,
  job_id                        uuid,
  is_public                     boolean not null default false,
  encryption_key                text check (length(encryption_key) <= 255),
  processing_status             text not null default 'pending' check (processing_status in ('pending', 'processing', 'completed', 'failed')),
  thumbnail_url                 text check (length(thumbnail_url) <= 2048),
  preview_url                   text check (length(preview_url) <= 2048),
  checksum                      text check (length(checksum) <= 128),
  metadata                      jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  tags                          text[] not null default '{}' check (cardinality(tags) <= 100),
  virus_scan_status             text not null default 'pending' check (virus_scan_status in ('pending', 'clean', 'infected', 'failed')),
  virus_scan_date               timestamptz,
  expires_at                    timestamptz,
  created_by                    uuid default auth.uid(),
  archived_at                   timestamptz,
  deleted_at                    timestamptz,
  deleted_by                    uuid,
  permanent_delete_scheduled_at timestamptz,
  version                       bigint not null default 1,
  created_at                    timestamptz not null default now(),
  updated_at                    timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, storage_bucket, storage_path),
  constraint file_storage_uploaded_by_fkey foreign key (company_id, uploaded_by)
    references public.team_members (company_id, user_id) on delete set null (uploaded_by),
  constraint file_storage_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete set null (job_id)
);
comment on table public.file_storage is 'Files, and where they are.';
comment on column public.file_storage.encryption_key is 'secret';
create index file_storage_id_idx on public.file_storage (id);
create index file_storage_uploaded_by_idx on public.file_storage (company_id, uploaded_by);
create index file_storage_job_id_idx on public.file_storage (company_id, job_id);
create index file_storage_created_at_idx on public.file_storage (company_id, created_at desc, id);
create index file_storage_entity_idx on public.file_storage (company_id, entity_type, entity_id);
select app.enclose('public.file_storage');

create table public.attachments (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  entity_type                   text not null check (entity_type in ('job', 'customer', 'invoice', 'estimate', 'equipment', 'property', 'communication', 'payment', 'contract', 'purchase_order')),
  entity_id                     uuid not null,
  -- Of a job's file the job, kept by a trigger: who works on the job reads it.
  job_id                        uuid,
  file_id                       uuid,
  parent_id                     uuid,
  file_name                     text not null check (length(file_name) between 1 and 300),
  original_file_name            text not null check (length(original_file_name) between 1 and 300),
  file_size                     bigint not null default 0 check (file_size >= 0),
  mime_type                     text not null check (length(mime_type) between 1 and 200),
  file_extension                text check (length(file_extension) <= 20),
  storage_provider              text not null default 'supabase' check (storage_provider in ('supabase', 's3', 'cloudinary', 'local')),
  storage_url                   text not null default '' check (length(storage_url) <= 2048),
  storage_path                  text not null check (length(storage_path) between 1 and 1024),
  storage_bucket                text check (length(storage_bucket) <= 100),
  is_image                      boolean not null default false,
  is_document                   boolean not null default false,
  is_video                      boolean not null default false,
  width                         integer check (width >= 0),
  height                        integer check (height >= 0),
  duration                      integer check (duration >= 0),
  thumbnail_url                 text check (length(thumbnail_url) <= 2048),
  category                      text check (category in ('photo', 'document', 'receipt', 'manual', 'warranty', 'other')),
  tags                          jsonb,
  description                   text check (length(description) <= 2000),
  folder_path                   text check (length(folder_path) <= 1024),
  is_favorite                   boolean not null default false,
  is_public                     boolean not null default false,
  is_internal                   boolean not null default false,
  checksum                      text check (length(checksum) <= 128),
  virus_scan_status             text not null default 'pending' check (virus_scan_status in ('pending', 'scanning', 'clean', 'infected', 'failed', 'skipped')),
  virus_scan_result             text check (length(virus_scan_result) <= 500),
  virus_scanned_at              timestamptz,
  expiry_date                   timestamptz,
  access_count                  bigint not null default 0 check (access_count >= 0),
  download_count                bigint not null default 0 check (download_count >= 0),
  last_accessed_at              timestamptz,
  last_accessed_by              uuid,
  last_downloaded_at            timestamptz,
  uploaded_by                   uuid default auth.uid(),
  uploaded_at                   timestamptz not null default now(),
  metadata                      jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_by                    uuid default auth.uid(),
  archived_at                   timestamptz,
  deleted_at                    timestamptz,
  deleted_by                    uuid,
  permanent_delete_scheduled_at timestamptz,
  version                       bigint not null default 1,
  created_at                    timestamptz not null default now(),
  updated_at                    timestamptz not null default now(),
  primary key (company_id, id),
  constraint attachments_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete set null (job_id),
  constraint attachments_file_id_fkey foreign key (company_id, file_id)
    references public.file_storage (company_id, id) on delete set null (file_id),
  constraint attachments_parent_id_fkey foreign key (company_id, parent_id)
    references public.attachments (company_id, id) on delete set null (parent_id),
  constraint attachments_uploaded_by_fkey foreign key (company_id, uploaded_by)
    references public.team_members (company_id, user_id) on delete set null (uploaded_by)
);
comment on table public.attachments is 'Files of jobs, customers, invoices and the like.';
create index attachments_id_idx on public.attachments (id);
create index attachments_job_id_idx on public.attachments (company_id, job_id);
create index attachments_file_id_idx on public.attachments (company_id, file_id);
create index attachments_parent_id_idx on public.attachments (company_id, parent_id);
create index attachments_uploaded_by_idx on public.attachments (company_id, uploaded_by);
create index attachments_created_at_idx on public.attachments (company_id, created_at desc, id);
create index attachments_entity_idx on public.attachments (company_id, entity_type, entity_id, created_at desc);
select app.enclose('public.attachments');

create table public.background_jobs (
  company_id        uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                uuid not null default app.uuid_v7(),
  job_type          text not null check (length(job_type) between 1 and 120),
  job_name          text check (length(job_name) <= 200),
  priority          integer not null default 0,
  payload           jsonb not null default '{}' check (jsonb_typeof(payload) = 'object'),
  status            text not null default 'pending' check (status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
  started_at        timestamptz,
  completed_at      timestamptz,
  failed_at         timestamptz,
  error_message     text check (length(error_message) <= 4000),
  error_stack       text check (length(error_stack) <= 20000),
  retry_count       integer not null default 0 check (retry_count >= 0),
  max_retries       integer not null default 3 check (max_retries >= 0),
  next_retry_at     timestamptz,
  progress_percent  integer not null default 0 check (progress_percent between 0 and 100),
  progress_message  text check (length(progress_message) <= 500),
  result            jsonb,
  scheduled_for     timestamptz,
  run_at            timestamptz,
  worker_id         text check (length(worker_id) <= 120),
  execution_time_ms integer check (execution_time_ms >= 0),
  metadata          jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  updated_at        timestamptz not null default now(),
  created_at        timestamptz not null default now(),
  primary key (company_id, id)
);
comment on table public.background_jobs is 'Background work of a company.';
create index background_jobs_id_idx on public.background_jobs (id);
create index background_jobs_created_at_idx on public.background_jobs (company_id, created_at desc, id);
create index background_jobs_status_idx on public.background_jobs (company_id, status, scheduled_for);
select app.enclose('public.background_jobs');

create table public.customer_reviews (
  company_id                    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                            uuid not null default app.uuid_v7(),
  customer_id                   uuid not null,
  job_id                        uuid,
  technician_id                 uuid,
  rating                        integer not null check (rating between 1 and 5),
  title                         text check (length(title) <= 200),
  review_text                   text check (length(review_text) <= 20000),
  professionalism_rating        integer check (professionalism_rating between 1 and 5),
  quality_rating                integer check (quality_rating between 1 and 5),
  timeliness_rating             integer check (timeliness_rating between 1 and 5),
  communication_rating          integer check (communication_rating between 1 and 5),
  sentiment_score               numeric(3,2) check (sentiment_score between -1 and 1),
  sentiment_label               text check (length(sentiment_label) <= 40),
  source                        text not null default 'platform' check (source in ('platform', 'email', 'sms', 'google', 'yelp', 'facebook')),
  is_verified                   boolean not null default false,
  is_public                     boolean not null default false,
  response_text                 text check (length(response_text) <= 20000),
  responded_by                  uuid,
  responded_at                  timestamptz,
  is_flagged                    boolean not null default false,
  flag_reason                   text check (length(flag_reason) <= 500),
  moderation_status             text not null default 'pending' check (moderation_status in ('pending', 'approved', 'rejected')),
  created_by                    uuid default auth.uid(),
  archived_at                   timestamptz,
  deleted_at                    timestamptz,
  deleted_by                    uuid,
  permanent_delete_scheduled_at timestamptz,
  version                       bigint not null default 1,
  created_at                    timestamptz not null default now(),
  updated_at                    timestamptz not null default now(),
  primary key (company_id, id),
  constraint customer_reviews_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id) on delete cascade,
  constraint customer_reviews_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete set null (job_id),
  constraint customer_reviews_technician_id_fkey foreign key (company_id, technician_id)
    references public.team_members (company_id, user_id) on delete set null (technician_id),
  constraint customer_reviews_responded_by_fkey foreign key (company_id, responded_by)
    references public.team_members (company_id, user_id) on delete set null (responded_by)
);
comment on table public.customer_reviews is 'What customers say.';
create index customer_reviews_id_idx on public.customer_reviews (id);
create index customer_reviews_customer_id_idx on public.customer_reviews (company_id, customer_id);
create index customer_reviews_job_id_idx on public.customer_reviews (company_id, job_id);
create index customer_reviews_technician_id_idx on public.customer_reviews (company_id, technician_id);
create index customer_reviews_responded_by_idx on public.customer_reviews (company_id, responded_by);
create index customer_reviews_created_at_idx on public.customer_reviews (company_id, created_at desc, id);
create index customer_reviews_rating_idx on public.customer_reviews (company_id, rating, created_at desc);
select app.enclose('public.customer_reviews');

create table public.public_links (
  company_id   uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id           uuid not null default app.uuid_v7(),
  token_hash   text check (token_hash ~ '^[0-9a-f]{64}$'),
  purpose      text not null check (purpose in ('view_estimate', 'accept_estimate', 'view_invoice', 'pay_invoice', 'sign_contract', 'book', 'review')),
  estimate_id  uuid,
  invoice_id   uuid,
  contract_id  uuid,
  job_id       uuid,
  customer_id  uuid,
  expires_at   timestamptz not null default now() + interval '72 hours',
  uses_max     integer not null default 1 check (uses_max between 1 and 1000),
  use_count    integer not null default 0 check (use_count >= 0),
  last_used_at timestamptz,
  last_used_ip inet,
  revoked_at   timestamptz,
  created_by   uuid default auth.uid(),
  version      bigint not null default 1,
  created_at   timestamptz not null default now(),
  updated_at   timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, token_hash),
  constraint public_links_use_check check (use_count <= uses_max),
  constraint public_links_expiry_check check (expires_at > created_at),
  constraint public_links_estimate_id_fkey foreign key (company_id, estimate_id)
    references public.estimates (company_id, id) on delete cascade,
  constraint public_links_invoice_id_fkey foreign key (company_id, invoice_id)
    references public.invoices (company_id, id) on delete cascade,
  constraint public_links_contract_id_fkey foreign key (company_id, contract_id)
    references public.contracts (company_id, id) on delete cascade,
  constraint public_links_job_id_fkey foreign key (company_id, job_id)
    references public.jobs (company_id, id) on delete cascade,
  constraint public_links_customer_id_fkey foreign key (company_id, customer_id)
    references public.customers (company_id, id) on delete cascade
);
comment on table public.public_links is 'Links for people without an account: one row, one purpose, an expiry, a number of uses.';
comment on column public.public_links.last_used_ip is 'pii:ip';
comment on column public.public_links.token_hash is 'secret';
create index public_links_id_idx on public.public_links (id);
create index public_links_estimate_id_idx on public.public_links (company_id, estimate_id);
create index public_links_invoice_id_idx on public.public_links (company_id, invoice_id);
create index public_links_contract_id_idx on public.public_links (company_id, contract_id);
create index public_links_job_id_idx on public.public_links (company_id, job_id);
create index public_links_customer_id_idx on public.public_links (company_id, customer_id);
create index public_links_created_at_idx on public.public_links (company_id, created_at desc, id);
select app.enclose('public.public_links');

create table public.import_runs (
  company_id  uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id          uuid not null default app.uuid_v7(),
  entity_type text not null check (entity_type in ('customer', 'property', 'job', 'equipment', 'estimate', 'invoice', 'payment', 'vendor', 'price_book_item', 'contract', 'team_member')),
  format      text not null default 'csv' check (format in ('csv', 'excel', 'json')),
  file_name   text check (length(file_name) <= 300),
  status      text not null default 'pending' check (status in ('pending', 'validating', 'running', 'completed', 'failed', 'cancelled', 'undone')),
  mapping     jsonb not null default '{}' check (jsonb_typeof(mapping) = 'object'),
  rows_total  bigint not null default 0 check (rows_total >= 0),
  rows_done   bigint not null default 0 check (rows_done >= 0),
  rows_failed bigint not null default 0 check (rows_failed >= 0),
  errors      jsonb not null default '[]' check (jsonb_typeof(errors) = 'array'),
  started_at  timestamptz,
  finished_at timestamptz,
  undone_at   timestamptz,
  created_by  uuid default auth.uid(),
  version     bigint not null default 1,
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now(),
  primary key (company_id, id)
);
comment on table public.import_runs is 'Imports: what was read, what was taken.';
create index import_runs_id_idx on public.import_runs (id);
create index import_runs_created_at_idx on public.import_runs (company_id, created_at desc, id);
create index import_runs_status_idx on public.import_runs (company_id, status, created_at desc);
select app.enclose('public.import_runs');

create table public.api_keys (
  company_id   uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id           uuid not null default app.uuid_v7(),
  name         text not null check (length(name) between 1 and 200),
  key_hash     text check (key_hash ~ '^[0-9a-f]{64}$'),
  key_prefix   text not null check (length(key_prefix) between 1 and 20),
  permissions  text[] not null default '{}' check (cardinality(permissions) <= 100),
  expires_at   timestamptz,
  last_used_at timestamptz,
  last_used_ip inet,
  revoked_at   timestamptz,
  revoked_by   uuid,
  created_by   uuid default auth.uid(),
  version      bigint not null default 1,
  created_at   timestamptz not null default now(),
  updated_at   timestamptz not null default now(),
  primary key (company_id, id),
  unique (company_id, key_hash)
);
comment on table public.api_keys is 'Keys of programs that work for a company. Only the digest is kept.';
comment on column public.api_keys.last_used_ip is 'pii:ip';
comment on column public.api_keys.key_hash is 'secret';
create index api_keys_id_idx on public.api_keys (id);
create index api_keys_created_at_idx on public.api_keys (company_id, created_at desc, id);
select app.enclose('public.api_keys');

create table public.posts (
  company_id uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id         uuid not null default app.uuid_v7(),
  title      text not null check (length(title) between 1 and 300),
  content    text not null check (length(content) <= 20000),
  published  text not null default 'false' check (published in ('true', 'false')),
  author_id  uuid not null default auth.uid(),
  version    bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (company_id, id),
  constraint posts_author_id_fkey foreign key (company_id, author_id)
    references public.team_members (company_id, user_id) on delete cascade
);
comment on table public.posts is 'Articles of a company.';
create index posts_id_idx on public.posts (id);
create index posts_author_id_idx on public.posts (company_id, author_id);
select app.enclose('public.posts');

create table public.chats (
  company_id uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id         uuid not null default app.uuid_v7(),
  title      text not null default 'New chat' check (length(title) <= 300),
  user_id    uuid not null default auth.uid(),
  visibility text not null default 'private' check (visibility in ('public', 'private')),
  created_by uuid default auth.uid(),
  version    bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (company_id, id),
  constraint chats_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete cascade
);
comment on table public.chats is 'Conversations with the assistant.';
comment on column public.chats.title is 'pii:text';
create index chats_id_idx on public.chats (id);
create index chats_created_at_idx on public.chats (company_id, created_at desc, id);
create index chats_user_id_idx on public.chats (company_id, user_id, created_at desc);
select app.enclose('public.chats');

create table public.messages_v2 (
  company_id  uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id          uuid not null default app.uuid_v7(),
  chat_id     uuid not null,
  user_id     uuid not null default auth.uid(),
  role        text not null check (role in ('user', 'assistant', 'system')),
  parts       jsonb not null default '[]' check (jsonb_typeof(parts) = 'array'),
  attachments jsonb not null default '[]' check (jsonb_typeof(attachments) = 'array'),
  created_at  timestamptz not null default now(),
  primary key (company_id, id),
  constraint messages_v2_chat_id_fkey foreign key (company_id, chat_id)
    references public.chats (company_id, id) on delete cascade,
  constraint messages_v2_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete cascade
);
comment on table public.messages_v2 is 'Messages of a conversation.';
comment on column public.messages_v2.parts is 'pii:text';
comment on column public.messages_v2.attachments is 'pii:text';
create index messages_v2_id_idx on public.messages_v2 (id);
create index messages_v2_user_id_idx on public.messages_v2 (company_id, user_id);
create index messages_v2_created_at_idx on public.messages_v2 (company_id, created_at desc, id);
create index messages_v2_chat_id_idx on public.messages_v2 (company_id, chat_id, created_at);
select app.enclose('public.messages_v2');

create table public.votes_v2 (
  company_id uuid not null default app.company_id(),
  chat_id    uuid not null,
  message_id uuid not null,
  user_id    uuid not null default auth.uid(),
  is_upvoted boolean not null,
  created_at timestamptz not null default now(),
  primary key (company_id, chat_id, message_id),
  constraint votes_v2_chat_id_fkey foreign key (company_id, chat_id)
    references public.chats (company_id, id) on delete cascade,
  constraint votes_v2_message_id_fkey foreign key (company_id, message_id)
    references public.messages_v2 (company_id, id) on delete cascade,
  constraint votes_v2_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete cascade
);
comment on table public.votes_v2 is 'Votes on answers of the assistant.';
create index votes_v2_message_id_idx on public.votes_v2 (company_id, message_id);
create index votes_v2_user_id_idx on public.votes_v2 (company_id, user_id);
select app.enclose('public.votes_v2');

create table public.documents (
  company_id uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id         uuid not null default app.uuid_v7(),
  title      text not null check (length(title) between 1 and 300),
  content    text check (length(content) <= 1000000),
  kind       text not null default 'text' check (kind in ('text', 'code', 'image', 'sheet')),
  user_id    uuid not null default auth.uid(),
  created_at timestamptz not null default now(),
  primary key (company_id, id),
  constraint documents_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete cascade
);
comment on table public.documents is 'Texts that the assistant wrote; one row a version.';
comment on column public.documents.title is 'pii:text';
comment on column public.documents.content is 'pii:text';
create index documents_id_idx on public.documents (id);
create index documents_created_at_idx on public.documents (company_id, created_at desc, id);
create index documents_user_id_idx on public.documents (company_id, user_id, created_at desc);
select app.enclose('public.documents');

create table public.suggestions (
  company_id          uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id                  uuid not null default app.uuid_v7(),
  document_id         uuid not null,
  document_created_at timestamptz,
  original_text       text not null check (length(original_text) <= 20000),
  suggested_text      text not null check (length(suggested_text) <= 20000),
  description         text check (length(description) <= 2000),
  is_resolved         boolean not null default false,
  user_id             uuid not null default auth.uid(),
  created_at          timestamptz not null default now(),
  primary key (company_id, id),
  constraint suggestions_document_id_fkey foreign key (company_id, document_id)
    references public.documents (company_id, id) on delete cascade,
  constraint suggestions_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete cascade
);
comment on table public.suggestions is 'Edits that the assistant proposes.';
comment on column public.suggestions.original_text is 'pii:text';
comment on column public.suggestions.suggested_text is 'pii:text';
comment on column public.suggestions.description is 'pii:text';
create index suggestions_id_idx on public.suggestions (id);
create index suggestions_document_id_idx on public.suggestions (company_id, document_id);
create index suggestions_user_id_idx on public.suggestions (company_id, user_id);
create index suggestions_created_at_idx on public.suggestions (company_id, created_at desc, id);
select app.enclose('public.suggestions');

create table public.streams (
  company_id uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id         uuid not null default app.uuid_v7(),
  chat_id    uuid not null,
  user_id    uuid not null default auth.uid(),
  created_at timestamptz not null default now(),
  primary key (company_id, id),
  constraint streams_chat_id_fkey foreign key (company_id, chat_id)
    references public.chats (company_id, id) on delete cascade,
  constraint streams_user_id_fkey foreign key (company_id, user_id)
    references public.team_members (company_id, user_id) on delete cascade
);
comment on table public.streams is 'Answers that can be taken up again.';
create index streams_id_idx on public.streams (id);
create index streams_chat_id_idx on public.streams (company_id, chat_id);
create index streams_user_id_idx on public.streams (company_id, user_id);
create index streams_created_at_idx on public.streams (company_id, created_at desc, id);
select app.enclose('public.streams');

-- Of no company: whoever proves an address may be in none yet.
create table public.verification_tokens (
  id         uuid primary key default app.uuid_v7(),
  -- SHA-256 of the token; the token itself is sent once and never stored.
  token      text not null unique check (token ~ '^[0-9a-f]{64}$'),
  email      text not null check (length(email) between 3 and 254 and email ~ '^[^@\s]+@[^@\s]+$'),
  type       text not null default 'email_verification' check (type in ('email_verification', 'password_reset', 'magic_link')),
  user_id    uuid references public.users (id) on delete cascade,
  used       boolean not null default false,
  used_at    timestamptz,
  expires_at timestamptz not null,
  metadata   jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint verification_tokens_used_check check (used = (used_at is not null))
);
comment on table public.verification_tokens is 'One-time tokens for addresses. Reached by the service only.';
comment on column public.verification_tokens.token is 'secret';
comment on column public.verification_tokens.email is 'pii:email';
create index verification_tokens_user_id_idx on public.verification_tokens (user_id);
create index verification_tokens_expires_at_idx on public.verification_tokens (expires_at);
select app.enclose('public.verification_tokens');

-- Of no company: an address on the network may ask for several.
create table public.api_rate_limits (
  id               uuid primary key default app.uuid_v7(),
  company_id       uuid references public.companies (id) on delete cascade,
  user_id          uuid references public.users (id) on delete cascade,
  identifier_type  text not null check (identifier_type in ('company', 'user', 'ip', 'api_key')),
  identifier_value text not null check (length(identifier_value) between 1 and 255),
  endpoint         text not null default '*' check (length(endpoint) between 1 and 500),
  request_count    integer not null default 1 check (request_count >= 0),
  window_start     timestamptz not null,
  window_end       timestamptz not null,
  window_size      interval not null default '1 hour',
  rate_limit       integer not null check (rate_limit > 0),
  is_blocked       boolean not null default false,
  blocked_until    timestamptz,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  unique (identifier_type, identifier_value, endpoint, window_start),
  constraint api_rate_limits_window_check check (window_end > window_start)
);
comment on table public.api_rate_limits is 'How often somebody asked within a window. Reached by the service only.';
comment on column public.api_rate_limits.identifier_value is 'pii:ip';
create index api_rate_limits_company_id_idx on public.api_rate_limits (company_id);
create index api_rate_limits_user_id_idx on public.api_rate_limits (user_id);
create index api_rate_limits_window_end_idx on public.api_rate_limits (window_end);
select app.enclose('public.api_rate_limits');

-- What the older tables hold of people.
comment on column public.customers.first_name is 'pii:name';
comment on column public.customers.last_name is 'pii:name';
comment on column public.customers.company_name is 'pii:name';
comment on column public.customers.display_name is 'pii:name';
comment on column public.customers.email is 'pii:email';
comment on column public.customers.email_key is 'pii:email';
comment on column public.customers.phone is 'pii:phone';
comment on column public.customers.secondary_phone is 'pii:phone';
comment on column public.customers.address is 'pii:address';
comment on column public.customers.address2 is 'pii:address';
comment on column public.customers.billing_email is 'pii:email';
comment on column public.customers.tax_exempt_number is 'pii:tax_id';
comment on column public.properties.address is 'pii:address';
comment on column public.properties.address2 is 'pii:address';
comment on column public.companies.tax_id is 'pii:tax_id';
comment on column public.team_members.name is 'pii:name';
comment on column public.team_members.email is 'pii:email';
comment on column public.team_members.phone is 'pii:phone';
comment on column public.invitations.email is 'pii:email';
comment on column public.invitations.email_key is 'pii:email';
comment on column public.invitations.name is 'pii:name';
comment on column public.invitations.token_hash is 'secret';
comment on column public.users.name is 'pii:name';
comment on column public.users.email is 'pii:email';
comment on column public.users.phone is 'pii:phone';
comment on column auth.users.email is 'pii:email';
comment on column auth.users.phone is 'pii:phone';
comment on column auth.users.encrypted_password is 'secret';
comment on column auth.sessions.ip is 'pii:ip';
comment on column public.ownership_transfers.ip is 'pii:ip';
