-- description: takes back trace_tasks
-- author: Thorbis
-- date: 2026-11-28
-- depends: 20261125040000
-- rollback: migrate up again; tasks that wait begin traces of their own

alter table app.tasks drop column traceparent cascade;
