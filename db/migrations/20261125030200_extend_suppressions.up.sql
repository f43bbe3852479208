-- description: suppressions of one topic and by a word in an SMS; addresses that this server's own messages do not reach (app.address_holds)
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261122090400
-- rollback: drops suppressions of single topics and by a word in an SMS, and what is held
-- lint: allow constraint-missing-not-valid because the list is short, and stands still for a moment
-- lint: allow disallowed-unique-constraint because the list is short, and stands still for a moment

alter table public.suppressions add column topic text not null default '';
comment on column public.suppressions.topic is 'Of which messages: those about this, or all of them where it is empty.';
alter table public.suppressions
  drop constraint suppressions_reason_check,
  add constraint suppressions_reason_check check (reason in ('bounce', 'complaint', 'unsubscribe', 'manual', 'stop')) not valid;
alter table public.suppressions validate constraint suppressions_reason_check;
alter table public.suppressions
  add constraint suppressions_topic_check check (topic ~ '^([a-z][a-z0-9_.-]{0,59})?$') not valid;
alter table public.suppressions validate constraint suppressions_topic_check;
alter table public.suppressions drop constraint suppressions_company_id_kind_address_key_key;
alter table public.suppressions add constraint suppressions_address_key unique (company_id, kind, address_key, topic);

-- Of a person who is no company's the address itself is nowhere: its digest is enough to find out that it is not written to.
create table app.address_holds (
  kind         text not null check (kind in ('email', 'sms')),
  address_hash bytea not null check (length(address_hash) = 32),
  reason       text not null check (reason in ('bounce', 'complaint', 'stop')),
  until        timestamptz,
  created_at   timestamptz not null,
  primary key (kind, address_hash, reason)
);
comment on table app.address_holds is 'Addresses that messages of no company do not reach, by the digest of the address.';
comment on column app.address_holds.kind is 'email or sms.';
comment on column app.address_holds.address_hash is 'SHA-256 of the address.';
comment on column app.address_holds.reason is 'Refused, complained about, or stopped by a word.';
comment on column app.address_holds.until is 'Until when; null until it is taken back.';
comment on column app.address_holds.created_at is 'Since when.';
create index address_holds_until_idx on app.address_holds (until);
select app.enclose('app.address_holds');
