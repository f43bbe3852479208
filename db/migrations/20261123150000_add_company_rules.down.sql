-- description: removes the rules of companies, suspensions and the demand for second factors
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123150000
-- rollback: this is the way back

-- With the triggers that read and write what goes.
drop function if exists app.set_mfa_due() cascade;
drop function if exists app.mfa_demand_changed() cascade;
alter table public.team_members drop column mfa_due_at cascade;
alter table public.companies drop column mfa_required cascade, drop column suspended_at cascade, drop column suspension_reason cascade;
drop table app.company_rules cascade;
