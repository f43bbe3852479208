-- description: takes back declare_scopes_and_statuses
-- author: Thorbis
-- date: 2026-11-22
-- depends: 20261121090200
-- rollback: migrate up again

drop table app.statuses cascade;
alter table app.protected_tables
  drop column crew_column,
  drop column parent_table,
  drop column parent_column;
