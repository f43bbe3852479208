-- description: invitations that nobody accepted by their end, for whatever takes old ones away
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261123150100
-- rollback: drops the index
-- lint: allow require-concurrent-index-creation because a company has few open invitations

create index invitations_expires_at_idx on public.invitations (expires_at) where used_at is null;
