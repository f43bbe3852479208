-- description: tables whose rows are somebody's by a crew or by the row they belong to; the moves between statuses as one table
-- author: Thorbis
-- date: 2026-11-22
-- depends: 20261121090200
-- rollback: migrate down drops what was declared; migrating up declares it again

alter table app.protected_tables
  add column crew_column   text,
  add column parent_table  text,
  add column parent_column text;

create table app.statuses (
  table_name text not null,
  status     text not null,
  -- The statuses that can follow.
  next       text[] not null default '{}',
  -- Columns that are filled in a row of this status: null, 0 and '' are not. 'a|b' means one of them.
  needs      text[] not null default '{}',
  -- Whether a member's new row may begin with it.
  is_first   boolean not null default false,
  -- The word to use instead, for words of other programs.
  instead    text,
  primary key (table_name, status)
);
comment on table app.statuses is 'Every allowed move from status to status, and what a row needs before it may be in one.';
select app.enclose('app.statuses');
