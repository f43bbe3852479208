-- description: what holds for all companies (app.company_rules); when a company is suspended, whether it demands second factors, and from when on it demands one of a member
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123130000
-- rollback: suspended companies are open again and nobody's second factor is demanded

create table app.company_rules (
  is_only_row              boolean primary key default true check (is_only_row),
  -- Of owners and admins; a company may demand one of everybody.
  mfa_required             boolean not null default true,
  mfa_grace_seconds        integer not null default 604800 check (mfa_grace_seconds >= 0),
  password_characters_min  integer not null default 12 check (password_characters_min between 6 and 64),
  deletion_grace_seconds   integer not null default 2592000 check (deletion_grace_seconds >= 0),
  invitation_seconds       integer not null default 604800 check (invitation_seconds > 0),
  invitations_open_max     integer not null default 100 check (invitations_open_max > 0),
  domains_max              integer not null default 10 check (domains_max > 0)
);
comment on table app.company_rules is 'What holds for every company: the settings of the server that started last.';
select app.enclose('app.company_rules');
insert into app.company_rules default values;

alter table public.companies
  add column mfa_required boolean not null default false,
  add column suspended_at timestamptz,
  add column suspension_reason text check (length(suspension_reason) <= 500);
comment on column public.companies.mfa_required is 'Whether every member, and not owner and admins alone, needs a second factor.';
comment on column public.companies.suspended_at is 'Since when the operator keeps everybody out.';
comment on column public.companies.suspension_reason is 'Told to members who are kept out.';

-- Not computed when a transaction opens but when a role or a rule changes: opening reads the row anyhow.
alter table public.team_members add column mfa_due_at timestamptz;
comment on column public.team_members.mfa_due_at is 'From when on this member gets in with a proved second factor only; null: it is not demanded.';
-- backfill: public.team_members rows=any because a company has few owners and admins
update public.team_members set mfa_due_at = now() + interval '7 days' where role in ('owner', 'admin');
