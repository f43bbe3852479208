-- description: people who are erased, which words of the audit went with them, what people agreed to, and labels of what names them
-- author: Thorbis
-- date: 2026-11-27
-- depends: 20261126080000
-- rollback: records of erasures and what customers agreed to are lost; what was erased stays erased, and verifying the audit finds its words edited

-- Without a key to the company where the person is an account, which is of several companies or of none.
create table app.erasures (
  id           uuid primary key default app.uuid_v7(),
  company_id   uuid references public.companies (id) on delete cascade,
  subject      text not null check (subject in ('account', 'customer', 'contact')),
  subject_id   uuid not null,
  asked_by     uuid,
  asked_how    text not null check (asked_how in ('self', 'member', 'portal', 'service')),
  status       text not null default 'pending' check (status in ('asked', 'pending', 'running', 'completed', 'declined')),
  decided_by   uuid,
  decided_at   timestamptz,
  decline_reason text check (length(decline_reason) between 1 and 2000),
  place        integer not null default 0 check (place >= 0),
  companies    uuid[] not null default '{}' check (cardinality(companies) <= 10000),
  row_ids      uuid[],
  words        text[],
  after_id     uuid,
  counts       jsonb not null default '{}' check (jsonb_typeof(counts) = 'object'),
  created_at   timestamptz not null default now(),
  finished_at  timestamptz,
  constraint erasures_company_check check ((subject = 'account') = (company_id is null)),
  constraint erasures_declined_check check ((status = 'declined') = (decline_reason is not null)),
  constraint erasures_forgotten_check check (status <> 'completed' or row_ids is null and words is null)
);
comment on table app.erasures is 'Who was erased, when, who asked for it and how much went. It says nothing of the person but an id that names nobody any more.';
comment on column app.erasures.company_id is 'Whose customer; null for an account.';
comment on column app.erasures.subject is 'What the person is: an account, or a customer of one company, or somebody to speak with there.';
comment on column app.erasures.asked_how is 'By the person, by a member who may, by a customer in the portal, whom the company answers, or by the operator.';
comment on column app.erasures.status is 'asked: the company has not answered yet; pending and running: it goes on by itself.';
comment on column app.erasures.decided_by is 'Who answered what a customer asked for in the portal.';
comment on column app.erasures.decided_at is 'When.';
comment on column app.erasures.decline_reason is 'pii:text';
comment on column app.erasures.place is 'How many of the places where personal data stands are done.';
comment on column app.erasures.companies is 'Whose rows are looked at.';
comment on column app.erasures.row_ids is 'Rows of the person, until it is done.';
comment on column app.erasures.words is 'pii:text';
comment on column app.erasures.after_id is 'How far the audit was looked through.';
comment on column app.erasures.counts is 'How many rows went or were changed, by table.';
create index erasures_subject_idx on app.erasures (subject_id, created_at desc);
create index erasures_company_id_idx on app.erasures (company_id, created_at desc);
create unique index erasures_open_key on app.erasures (subject_id, coalesce(company_id, '00000000-0000-0000-0000-000000000000')) where status <> 'declined';
select app.enclose('app.erasures');

-- Which rows of the audit lost their words, and the digests of before and after.
-- Without a key to the company, like the audit's seals: the audit outlives it.
create table app.audit_redactions (
  company_id  uuid not null,
  row_id      uuid not null,
  batch_id    uuid not null,
  former      bytea not null check (octet_length(former) = 32),
  after       bytea not null check (octet_length(after) = 32),
  created_at  timestamptz not null default now(),
  primary key (company_id, row_id, batch_id)
);
comment on table app.audit_redactions is 'Rows of the audit whose words went when a person was erased. A sealed row of the audit vouches for each batch.';
comment on column app.audit_redactions.batch_id is 'The row of the audit that has the digest of the batch, by its entity_id.';
comment on column app.audit_redactions.former is 'The digest of the row before.';
comment on column app.audit_redactions.after is 'The digest of the row after.';
create index audit_redactions_batch_id_idx on app.audit_redactions (company_id, batch_id);
select app.enclose('app.audit_redactions');

create table public.consents (
  company_id   uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id           uuid not null default app.uuid_v7(),
  customer_id  uuid not null,
  purpose      text not null check (purpose ~ '^[a-z][a-z0-9_]{0,59}$'),
  text_version text not null check (length(text_version) between 1 and 60),
  is_given     boolean not null,
  source       text not null check (source in ('web', 'portal', 'phone', 'paper', 'in_person', 'import', 'api')),
  said_at      timestamptz not null default now(),
  created_by   uuid default auth.uid(),
  created_at   timestamptz not null default now(),
  primary key (company_id, id),
  constraint consents_customer_id_fkey foreign key (company_id, customer_id) references public.customers (company_id, id) on delete cascade
);
comment on table public.consents is 'What a customer agreed to or took back: one row each time, never changed. The newest of a purpose is what holds.';
comment on column public.consents.purpose is 'What for, such as marketing_email.';
comment on column public.consents.text_version is 'Which version of the text he was shown.';
comment on column public.consents.is_given is 'Whether he agreed; false takes it back.';
comment on column public.consents.source is 'How he said so.';
comment on column public.consents.said_at is 'When he said so.';
create index consents_id_idx on public.consents (id);
create index consents_customer_id_idx on public.consents (company_id, customer_id, purpose, said_at desc);
select app.enclose('public.consents');

create table public.legal_holds (
  company_id   uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id           uuid not null default app.uuid_v7(),
  customer_id  uuid,
  user_id      uuid,
  reason       text not null check (length(reason) between 1 and 2000),
  holds_until  date,
  released_at  timestamptz,
  released_by  uuid,
  created_by   uuid default auth.uid(),
  version      bigint not null default 1,
  created_at   timestamptz not null default now(),
  updated_at   timestamptz not null default now(),
  primary key (company_id, id),
  constraint legal_holds_subject_check check (num_nonnulls(customer_id, user_id) > 0),
  constraint legal_holds_customer_id_fkey foreign key (company_id, customer_id) references public.customers (company_id, id) on delete cascade,
  constraint legal_holds_user_id_fkey foreign key (company_id, user_id) references public.team_members (company_id, user_id) on delete cascade
);
comment on table public.legal_holds is 'Whose data has to stay for now, such as for a lawsuit: nobody erases him, and his rows outlive their time.';
comment on column public.legal_holds.customer_id is 'A customer, with whoever one speaks with there.';
comment on column public.legal_holds.user_id is 'A member.';
comment on column public.legal_holds.reason is 'pii:text';
comment on column public.legal_holds.holds_until is 'The last day; until it is released where there is none.';
comment on column public.legal_holds.released_at is 'When somebody let go of it; it holds no more.';
create index legal_holds_id_idx on public.legal_holds (id);
create index legal_holds_customer_id_idx on public.legal_holds (company_id, customer_id);
create index legal_holds_user_id_idx on public.legal_holds (company_id, user_id);
create index legal_holds_member_idx on public.legal_holds (user_id) where released_at is null;
select app.enclose('public.legal_holds');

comment on column auth.users.email_key is 'pii:email';
comment on column public.contracts.signer_title is 'pii:text';
comment on column public.company_settings.report_mails is 'pii:email';
comment on column auth.users.email_change is 'pii:email';
comment on column auth.users.phone_change is 'pii:phone';
comment on column auth.users.raw_user_meta_data is 'pii:text';
comment on column auth.identities.identity_data is 'pii:text';
comment on column auth.identities.email is 'pii:email';
comment on column public.team_members.employee_number is 'pii:text';
comment on column public.contracts.signer_company is 'pii:name';
comment on column public.verification_tokens.metadata is 'pii:text';
comment on column storage.objects.user_metadata is 'pii:text';
comment on column app.notification_events.error is 'pii:text';
