-- description: invitations that are taken back stay as such, and those that went by mail prove the mailbox they went to
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123150000
-- rollback: revoked invitations are deleted; a mailed one confirms no address any more
-- lint: allow require-concurrent-index-creation because a company has few open invitations
-- lint: allow require-concurrent-index-deletion because a company has few open invitations

alter table public.invitations
  add column revoked_at timestamptz,
  -- Nobody but the mailbox was given the token: whoever has it reads that mailbox.
  add column is_mailed boolean not null default false,
  add column sent_at timestamptz;
comment on column public.invitations.revoked_at is 'When it was taken back, or another one took its place.';
comment on column public.invitations.is_mailed is 'Whether the token went to the address alone, so that it proves the address.';
drop index public.invitations_open_email_key;
create unique index invitations_open_email_key on public.invitations (company_id, email_key) where used_at is null and revoked_at is null;
