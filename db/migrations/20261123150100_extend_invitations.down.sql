-- description: takes back extend_invitations
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123150100
-- rollback: migrate up again; what was revoked stays deleted
-- lint: allow require-concurrent-index-creation because a company has few open invitations

-- backfill: public.invitations rows=any because a company has few revoked invitations
delete from public.invitations where revoked_at is not null;
drop index public.invitations_open_email_key;
create unique index invitations_open_email_key on public.invitations (company_id, email_key) where used_at is null;
alter table public.invitations drop column revoked_at cascade, drop column is_mailed cascade, drop column sent_at cascade;
