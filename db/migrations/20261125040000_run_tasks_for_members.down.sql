-- description: takes back run_tasks_for_members
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261124090100
-- rollback: migrate up again; what tasks had done before a crash is not known to them

alter table app.dead_tasks drop column mark cascade;
alter table app.tasks drop column mark cascade;
alter table app.dead_tasks drop column asked_with cascade;
alter table app.tasks drop column asked_with cascade;
alter table app.task_kinds drop column runs_as_caller cascade;
