-- description: what an operator wants every server to read anew (app.cache_flushes)
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261124120000
-- rollback: drops the table; what servers keep still ends by itself

-- A row is told to every server by the change feed, whichever way it comes, and is of no use after that.
create table app.cache_flushes (
  id         uuid primary key default app.uuid_v7(),
  tag        text not null check (tag ~ '^([a-z_][a-z0-9_]*:([*]|[0-9a-f-]{36})|[*])$'),
  created_at timestamptz not null default now()
);
comment on table app.cache_flushes is 'What servers are told to read anew; kept for an hour.';
comment on column app.cache_flushes.id is 'The time of it.';
comment on column app.cache_flushes.tag is 'A table and a company, or * for all: customers:*.';
comment on column app.cache_flushes.created_at is 'When it was asked for.';
select app.enclose('app.cache_flushes');
