-- description: what became of each backup and drill, and named moments to restore to
-- author: Thorbis
-- date: 2026-11-26
-- depends: 20261125040100
-- rollback: the history of backups and the names of recovery points are lost; backups and the points in their store stay

create table app.backup_logs (
  id            uuid primary key default app.uuid_v7(),
  filename      text not null check (length(filename) between 1 and 200),
  size_bytes    bigint check (size_bytes >= 0),
  backup_type   text not null check (backup_type in ('automated', 'manual', 'drill')),
  status        text not null check (status in ('completed', 'failed')),
  error_message text check (length(error_message) <= 2000),
  details       jsonb not null default '{}' check (jsonb_typeof(details) = 'object' and pg_column_size(details) <= 65536),
  started_at    timestamptz not null default now(),
  created_at    timestamptz not null default now()
);
comment on table app.backup_logs is 'What became of each backup and of each time that restoring was practised. The backups themselves are listed by their store.';
create index backup_logs_created_at_idx on app.backup_logs (created_at desc);
select app.enclose('app.backup_logs');

create table app.recovery_checkpoints (
  id          uuid primary key default app.uuid_v7(),
  name        text not null check (length(name) between 1 and 63),
  description text check (length(description) <= 2000),
  -- Where the log was.
  position    pg_lsn not null,
  created_at  timestamptz not null default clock_timestamp(),
  -- When the store of backups had it.
  kept_at     timestamptz
);
comment on table app.recovery_checkpoints is 'Moments with a name, to which the database can be restored.';
create index recovery_checkpoints_created_at_idx on app.recovery_checkpoints (created_at desc);
create index recovery_checkpoints_kept_at_idx on app.recovery_checkpoints (created_at) where kept_at is null;
select app.enclose('app.recovery_checkpoints');
