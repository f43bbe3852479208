-- description: exports and imports of rows: what was made and read, which rows an import made or changed, and files that are to go
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261125040000
-- rollback: exports, imports and what could be undone of them are lost; their files stay until their folder is cleaned by hand

create table public.data_exports (
  company_id    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id            uuid not null default app.uuid_v7(),
  what          text not null check (what in ('table', 'report')),
  name          text not null check (length(name) between 1 and 63),
  format        text not null check (format in ('csv', 'json', 'ndjson', 'html')),
  columns       text[] not null default '{}',
  filter        text not null default '' check (length(filter) <= 20000),
  status        text not null default 'pending' check (status in ('pending', 'running', 'completed', 'failed', 'cancelled', 'expired')),
  rows_done     bigint not null default 0 check (rows_done >= 0),
  bytes         bigint not null default 0 check (bytes >= 0),
  blob_key      text check (length(blob_key) <= 600),
  error_code    text check (length(error_code) <= 120),
  error_message text check (length(error_message) <= 2000),
  expires_at    timestamptz,
  finished_at   timestamptz,
  created_by    uuid default auth.uid(),
  version       bigint not null default 1,
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  primary key (company_id, id)
);
comment on table public.data_exports is 'Files that were made of a table''s rows or of a report. They are fetched by a signed link until they expire.';
comment on column public.data_exports.filter is 'pii:text';
create index data_exports_id_idx on public.data_exports (id);
create index data_exports_created_at_idx on public.data_exports (company_id, created_at desc, id);
create index data_exports_expires_at_idx on public.data_exports (expires_at) where blob_key is not null;
select app.enclose('public.data_exports');

create table public.data_imports (
  company_id    uuid not null default app.company_id() references public.companies (id) on delete cascade,
  id            uuid not null default app.uuid_v7(),
  table_name    text not null check (length(table_name) between 1 and 63),
  format        text not null check (format in ('csv', 'json', 'ndjson')),
  file_name     text check (length(file_name) <= 300),
  bytes         bigint not null default 0 check (bytes >= 0),
  blob_key      text check (length(blob_key) <= 600),
  headers       text[] not null default '{}',
  mapping       jsonb not null default '{}' check (jsonb_typeof(mapping) = 'object'),
  key_columns   text[] not null default '{}',
  mode          text not null default 'all_or_nothing' check (mode in ('all_or_nothing', 'skip_errors')),
  dry_run       boolean not null default false,
  status        text not null default 'uploaded'
                check (status in ('uploaded', 'pending', 'running', 'completed', 'failed', 'cancelled', 'undoing', 'undone')),
  task_id       uuid,
  rows_read     bigint not null default 0 check (rows_read >= 0),
  rows_created  bigint not null default 0 check (rows_created >= 0),
  rows_updated  bigint not null default 0 check (rows_updated >= 0),
  rows_failed   bigint not null default 0 check (rows_failed >= 0),
  rows_undone   bigint not null default 0 check (rows_undone >= 0),
  rows_left     bigint not null default 0 check (rows_left >= 0),
  errors        jsonb not null default '[]' check (jsonb_typeof(errors) = 'array'),
  errors_key    text check (length(errors_key) <= 600),
  left_rows     jsonb not null default '[]' check (jsonb_typeof(left_rows) = 'array'),
  error_code    text check (length(error_code) <= 120),
  error_message text check (length(error_message) <= 2000),
  started_at    timestamptz,
  finished_at   timestamptz,
  undone_at     timestamptz,
  created_by    uuid default auth.uid(),
  version       bigint not null default 1,
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  primary key (company_id, id)
);
comment on table public.data_imports is 'Files whose lines became rows of a table, with what became of each line.';
comment on column public.data_imports.file_name is 'pii:text';
comment on column public.data_imports.headers is 'pii:text';
comment on column public.data_imports.errors is 'pii:text';
comment on column public.data_imports.left_rows is 'pii:text';
create index data_imports_id_idx on public.data_imports (id);
create index data_imports_created_at_idx on public.data_imports (company_id, created_at desc, id);
create index data_imports_finished_at_idx on public.data_imports (finished_at) where blob_key is not null;
create index data_imports_task_id_idx on public.data_imports (company_id, task_id);
select app.enclose('public.data_imports');

-- What an import made or changed, for as long as it can be undone.
create table app.import_rows (
  company_id    uuid not null,
  import_id     uuid not null,
  row_id        uuid not null,
  line          bigint not null,
  is_new        boolean not null,
  -- The row's version when the import was done with it, or a digest of it where the table has none.
  version_after text not null,
  -- What stood in the columns that were changed.
  before        jsonb,
  -- Null until somebody undoes the import; then undone, or why the row was left.
  outcome       text check (length(outcome) <= 500),
  primary key (company_id, import_id, row_id),
  constraint import_rows_import_id_fkey foreign key (company_id, import_id) references public.data_imports (company_id, id) on delete cascade
);
comment on table app.import_rows is 'Rows that an import made or changed, with the version that it left them in.';
comment on column app.import_rows.before is 'pii:text';
select app.enclose('app.import_rows');

create table app.import_errors (
  company_id  uuid not null,
  import_id   uuid not null,
  line        bigint not null,
  position    integer not null,
  column_name text check (length(column_name) <= 200),
  code        text not null check (length(code) <= 120),
  message     text not null check (length(message) <= 2000),
  primary key (company_id, import_id, line, position),
  constraint import_errors_import_id_fkey foreign key (company_id, import_id) references public.data_imports (company_id, id) on delete cascade
);
comment on table app.import_errors is 'Lines that an import did not take, and why.';
comment on column app.import_errors.message is 'pii:text';
select app.enclose('app.import_errors');

create table app.forgotten_files (
  blob_key     text primary key check (length(blob_key) <= 600),
  forgotten_at timestamptz not null default now()
);
comment on table app.forgotten_files is 'Files whose rows are gone; they are taken away by the next clean-up.';
select app.enclose('app.forgotten_files');
