-- description: removes companies, members and sessions, with the functions and views that stand on them
-- author: Thorbis
-- date: 2026-11-21
-- depends: 20261121090000
-- rollback: migrate up again; the rows are lost

drop table auth.sessions cascade;
drop table public.ownership_transfers cascade;
drop table public.role_change_log cascade;
drop table public.invitations cascade;
drop table public.team_members cascade;
drop table public.custom_roles cascade;
drop table public.departments cascade;
drop table app.counters cascade;
drop table public.companies cascade;
