-- description: takes back create_tasks
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261123210100
-- rollback: migrate up again; tasks that were not done and the history of those that were are lost

-- With what reads and keeps what goes.
drop function if exists app.forget_company_tasks() cascade;
drop table app.task_slots cascade;
drop table app.task_workers cascade;
drop table app.dead_tasks cascade;
drop table app.done_tasks cascade;
drop table app.tasks cascade;
drop table app.task_limits cascade;
drop table app.task_kinds cascade;
