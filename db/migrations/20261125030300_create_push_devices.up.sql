-- description: devices that people let messages come to (app.push_devices), and what functions know of the configured channels (app.channel_settings)
-- author: Thorbis
-- date: 2026-11-25
-- depends: 20261122090100
-- rollback: drops the devices and the key that they were told: browsers have to be asked again

-- Somebody's, in whichever of his companies: a browser is told of once, and a message says of which company it is.
create table app.push_devices (
  id         uuid primary key default app.uuid_v7(),
  user_id    uuid not null references auth.users (id) on delete cascade,
  provider   text not null check (provider in ('vapid', 'fcm')),
  platform   text not null check (platform in ('web', 'android', 'ios')),
  name       text check (length(name) between 1 and 100),
  address    text not null check (length(address) between 20 and 1024),
  public_key text check (length(public_key) = 87),
  auth       text check (length(auth) = 22),
  created_at timestamptz not null default now(),
  seen_at    timestamptz not null default now(),
  constraint push_devices_keys_check check ((provider = 'vapid') = (public_key is not null) and (public_key is null) = (auth is null))
);
comment on table app.push_devices is 'Where people let messages come to: browsers and telephones.';
comment on column app.push_devices.user_id is 'Whose it is.';
comment on column app.push_devices.provider is 'Who carries messages there: vapid (Web Push) or fcm.';
comment on column app.push_devices.platform is 'web, android or ios.';
comment on column app.push_devices.name is 'How its owner calls it.';
comment on column app.push_devices.address is 'secret';
comment on column app.push_devices.public_key is 'secret';
comment on column app.push_devices.auth is 'secret';
comment on column app.push_devices.created_at is 'When it was registered.';
comment on column app.push_devices.seen_at is 'When it was registered last.';
create unique index push_devices_address_key on app.push_devices (address);
create index push_devices_user_id_idx on app.push_devices (user_id, seen_at);
select app.enclose('app.push_devices');

create table app.channel_settings (
  id                   uuid primary key,
  is_only              boolean not null default true unique check (is_only),
  push_public_key      text not null check (length(push_public_key) = 87),
  push_secret          text not null check (length(push_secret) <= 1000),
  push_private_allowed boolean not null default false,
  push_devices_max     integer not null default 20 check (push_devices_max between 1 and 1000),
  bounce_hold_hours    integer not null default 72 check (bounce_hold_hours between 1 and 8760)
);
comment on table app.channel_settings is 'One row: the key by which push services know this installation, and what was configured of the channels.';
comment on column app.channel_settings.id is 'What the secret is sealed for.';
comment on column app.channel_settings.is_only is 'There is one.';
comment on column app.channel_settings.push_public_key is 'What browsers are told.';
comment on column app.channel_settings.push_secret is 'secret';
comment on column app.channel_settings.push_private_allowed is 'Whether devices may be at private addresses, for tests.';
comment on column app.channel_settings.push_devices_max is 'How many devices somebody may have.';
comment on column app.channel_settings.bounce_hold_hours is 'For how long an address that refused is not written to by the installation.';
select app.enclose('app.channel_settings');
