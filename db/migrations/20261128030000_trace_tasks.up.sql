-- description: tasks know in which trace they were put in
-- author: Thorbis
-- date: 2026-11-28
-- depends: 20261125040000
-- rollback: tasks begin traces of their own

-- As `traceparent` of W3C Trace Context says it.
alter table app.tasks add column traceparent text;
