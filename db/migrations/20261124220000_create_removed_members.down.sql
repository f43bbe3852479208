-- description: takes back create_removed_members
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261123210100
-- rollback: migrate up again; who was removed until then is not known any more

-- With the triggers that write it.
drop function if exists app.note_removal() cascade;
drop table app.removed_members cascade;
