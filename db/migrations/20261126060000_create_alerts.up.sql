-- description: what servers notice, rules about it, and alerts that are raised, told and resolved
-- author: Thorbis
-- date: 2026-11-26
-- depends: 20261125040100
-- rollback: nobody is told any more when something is wrong; rules that were changed are forgotten
-- lint: allow column-money-type because what is measured is counted, timed or weighed, and never money

create table app.signal_readings (
  id          uuid primary key default app.uuid_v7(),
  signal      text not null check (signal ~ '^[a-z][a-z0-9_]{0,79}$'),
  node        text not null check (length(node) between 1 and 200),
  amount      double precision not null,
  noted_at    timestamptz not null default now()
);
comment on table app.signal_readings is 'What servers notice of themselves, for a day: how many errors they answered since they said so last, how much room a disk has.';
comment on column app.signal_readings.signal is 'What was measured or counted.';
comment on column app.signal_readings.node is 'The server that did.';
comment on column app.signal_readings.amount is 'How much it was, or how many since the reading before.';
comment on column app.signal_readings.noted_at is 'When.';
create index signal_readings_signal_idx on app.signal_readings (signal, noted_at);
create index signal_readings_noted_at_idx on app.signal_readings (noted_at);
select app.enclose('app.signal_readings');

create table app.alert_rules (
  name          text primary key check (name ~ '^[a-z][a-z0-9_]{0,59}$'),
  description   text not null check (length(description) between 1 and 200),
  source        text not null check (source in ('sum', 'last', 'forecast', 'transactions', 'connections', 'slots', 'tasks', 'told')),
  signal        text check (signal ~ '^[a-z][a-z0-9_]{0,79}$'),
  unit          text not null check (length(unit) between 1 and 20),
  is_above      boolean not null default true,
  threshold     double precision not null,
  window_s      integer not null default 300 check (window_s between 1 and 86400),
  hold_s        integer not null default 0 check (hold_s between 0 and 86400),
  calm_s        integer not null default 120 check (calm_s between 0 and 86400),
  remind_s      integer not null default 3600 check (remind_s between 1 and 604800),
  severity      text not null default 'warning' check (severity in ('warning', 'critical')),
  is_enabled    boolean not null default true,
  is_changed    boolean not null default false,
  silent_until  timestamptz,
  silent_reason text check (length(silent_reason) between 1 and 200),
  reading       double precision,
  reading_about text check (length(reading_about) <= 300),
  read_at       timestamptz,
  crossed_at    timestamptz,
  calm_at       timestamptz,
  updated_at    timestamptz not null default now(),
  constraint alert_rules_source_signal_check check ((signal is not null) = (source in ('sum', 'last', 'forecast')))
);
comment on table app.alert_rules is 'When somebody is to be told: a value that servers or PostgreSQL have, and how far it may go.';
comment on column app.alert_rules.source is
  'Where the value comes from: signals of servers (added up in a window, the last one, or when they come to nothing), or PostgreSQL.';
comment on column app.alert_rules.signal is 'The signal, where it comes from servers.';
comment on column app.alert_rules.is_above is 'Whether more than the threshold is too much; else less is too little.';
comment on column app.alert_rules.window_s is 'Seconds that the value is made of.';
comment on column app.alert_rules.hold_s is 'Seconds for which the threshold is crossed before anybody is told.';
comment on column app.alert_rules.calm_s is 'Seconds for which all is well again before the alert is resolved.';
comment on column app.alert_rules.remind_s is 'Seconds after which an alert that is still open is told again.';
comment on column app.alert_rules.is_changed is 'Whether an operator set it: a renewed server leaves it so.';
comment on column app.alert_rules.silent_until is 'Until when nobody is told.';
comment on column app.alert_rules.silent_reason is 'Why not.';
comment on column app.alert_rules.reading is 'The value at the last look; null is no data.';
comment on column app.alert_rules.reading_about is 'What it is of.';
comment on column app.alert_rules.read_at is 'When it was looked at last.';
comment on column app.alert_rules.crossed_at is 'Since when the threshold is crossed.';
comment on column app.alert_rules.calm_at is 'Since when it is not, while an alert is open.';
select app.enclose('app.alert_rules');

create table app.alerts (
  id          uuid primary key default app.uuid_v7(),
  rule        text not null references app.alert_rules (name) on delete cascade,
  subject     text not null default '' check (length(subject) <= 64),
  severity    text not null check (severity in ('warning', 'critical')),
  body        text not null check (length(body) between 1 and 2000),
  worst       double precision,
  times       integer not null default 1 check (times > 0),
  raised_at   timestamptz not null,
  seen_at     timestamptz not null,
  told_at     timestamptz,
  resolved_at timestamptz
);
comment on table app.alerts is 'What went wrong, and until when. One is open for each rule and subject at most.';
comment on column app.alerts.subject is 'Tells alerts of one rule apart: for what programs tell, a hash of their words.';
comment on column app.alerts.body is 'The sentence that is told.';
comment on column app.alerts.worst is 'The value when it was worst.';
comment on column app.alerts.times is 'How often a program told of it.';
comment on column app.alerts.seen_at is 'When it was true last.';
comment on column app.alerts.told_at is 'When somebody was told last; null while the rule is silent.';
comment on column app.alerts.resolved_at is 'When all was well again; null while it is open.';
create unique index alerts_open_idx on app.alerts (rule, subject) where resolved_at is null;
create index alerts_rule_idx on app.alerts (rule);
create index alerts_raised_at_idx on app.alerts (raised_at desc);
select app.enclose('app.alerts');

create table app.alert_deliveries (
  id         uuid primary key default app.uuid_v7(),
  alert_id   uuid not null references app.alerts (id) on delete cascade,
  event      text not null check (event in ('raised', 'reminded', 'resolved', 'test')),
  channel    text not null check (length(channel) between 1 and 260),
  attempts   integer not null default 0 check (attempts >= 0),
  due_at     timestamptz,
  created_at timestamptz not null,
  done_at    timestamptz,
  error      text check (length(error) <= 300)
);
comment on table app.alert_deliveries is 'One word about an alert by one channel, and what became of it.';
comment on column app.alert_deliveries.channel is 'mail and an address, webhook and its place in the settings, or in_app.';
comment on column app.alert_deliveries.due_at is 'When it is tried next; null when it is done or given up.';
comment on column app.alert_deliveries.done_at is 'When the channel took it.';
comment on column app.alert_deliveries.error is 'Why the last attempt failed.';
create index alert_deliveries_alert_id_idx on app.alert_deliveries (alert_id);
create index alert_deliveries_due_at_idx on app.alert_deliveries (due_at) where due_at is not null;
select app.enclose('app.alert_deliveries');
