-- description: where changes are kept for the servers that may not read PostgreSQL's log (app.change_outbox)
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261123210100
-- rollback: drops changes that no server was told of yet

-- Written by triggers, where changes are polled, and emptied after minutes. It is logged like any other table: a server that goes on
-- after a crash of the database would not notice what is missing.
create table app.change_outbox (
  id       bigint generated always as identity primary key,
  xid      xid8 not null default pg_catalog.pg_current_xact_id(),
  relation oid not null,
  kind     text not null check (kind in ('I', 'U', 'D', 'T')),
  new_row  text,
  old_row  text
);
comment on table app.change_outbox is 'Changes of rows, kept for minutes for servers that poll them.';
comment on column app.change_outbox.id is 'The order within a transaction.';
comment on column app.change_outbox.xid is 'The transaction.';
comment on column app.change_outbox.relation is 'The table.';
comment on column app.change_outbox.kind is 'I inserted, U updated, D deleted, T emptied as a whole.';
comment on column app.change_outbox.new_row is 'secret';
comment on column app.change_outbox.old_row is 'secret';
create index change_outbox_xid_idx on app.change_outbox (xid, id);
select app.enclose('app.change_outbox');
