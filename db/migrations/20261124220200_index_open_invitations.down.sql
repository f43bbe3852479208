-- description: takes back index_open_invitations
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261123150100
-- rollback: migrate up again

drop index public.invitations_expires_at_idx;
