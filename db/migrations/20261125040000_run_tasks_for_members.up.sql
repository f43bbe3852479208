-- description: kinds whose tasks run with the rights of whoever put them in, and how far a task is that goes on after a crash
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261124090100
-- rollback: such kinds are no more; tasks begin from their start after a crash

alter table app.task_kinds add column runs_as_caller boolean not null default false;
-- The claims that whoever put it in came with, where it runs with his rights.
alter table app.tasks add column asked_with jsonb check (jsonb_typeof(asked_with) = 'object');
alter table app.dead_tasks add column asked_with jsonb;
-- What is done of it, as its handler wrote it together with what was done.
alter table app.tasks add column mark jsonb;
alter table app.dead_tasks add column mark jsonb;
comment on column app.tasks.asked_with is 'secret';
comment on column app.tasks.mark is 'pii:text';
comment on column app.dead_tasks.asked_with is 'secret';
comment on column app.dead_tasks.mark is 'pii:text';
