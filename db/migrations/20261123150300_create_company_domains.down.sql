-- description: takes back create_company_domains
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123150300
-- rollback: migrate up again; the domains have to be added and proved again

-- backfill: public.team_members rows=any because only those go who were never let in
delete from public.team_members where status = 'requested';
alter table public.team_members drop constraint team_members_status_check;
alter table public.team_members add constraint team_members_status_check check (status in ('active', 'invited', 'suspended')) not valid;
alter table public.team_members validate constraint team_members_status_check;
drop table public.company_domains cascade;
