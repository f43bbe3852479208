-- description: takes back create_company_removals
-- author: Thorbis
-- date: 2026-11-27
-- depends: 20261127010000
-- rollback: the up file; what was noted is gone

drop function if exists app.note_company_removal() cascade;
drop table app.company_removals cascade;
