-- description: takes back create_cron
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261124220300
-- rollback: migrate up again; schedules and their history are lost

drop function if exists app.forget_company_schedules() cascade;
drop table app.project_logins cascade;
drop table app.cron_runs cascade;
drop table app.cron_states cascade;
drop table app.cron_entries cascade;
drop table app.cron_rules cascade;
