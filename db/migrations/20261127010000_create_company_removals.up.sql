-- description: which companies went for good, and when
-- author: Thorbis
-- date: 2026-11-27
-- depends: 20261126080000
-- rollback: it is no longer known when a company went

create table app.company_removals (
  digest     bytea primary key check (octet_length(digest) = 32),
  closed_at  timestamptz,
  removed_at timestamptz not null default now()
);
comment on table app.company_removals is
  'Companies that went for good: the SHA-256 of the id, which is no trace of it, when it was closed and when its last row went.';
select app.enclose('app.company_removals');
