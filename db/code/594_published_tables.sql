-- Every table is declared by now: what the files before did not know of when the change feed was set up is told of from here on.
-- Invariant: streamed or polled, servers are told of the same tables.

select app.publish_changes();
select app.keep_changes(app.changes_are_kept());
