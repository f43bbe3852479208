-- description: whether the configured rates are enforced, so that functions of SQL know it as the server does
-- author: Thorbis
-- date: 2026-11-28
-- depends: 20261128060000
-- rollback: functions of SQL enforce the configured rates whatever the server does

alter table app.rate_limit_state
  add column mode text not null default 'enforce' check (mode in ('enforce', 'shadow', 'off')),
  add column shadow text[] not null default '{}';
comment on column app.rate_limit_state.mode is 'Whether rates are enforced, only counted, or neither.';
comment on column app.rate_limit_state.shadow is 'Classes that are only counted where the others are enforced.';
