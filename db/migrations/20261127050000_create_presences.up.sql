-- description: who is present in channels of companies, as rows (shared.presence)
-- author: Thorbis
-- date: 2026-11-27
-- depends: 20261126030000
-- rollback: drops the rows; presence over sockets stays

-- Nothing of it outlives a crash: sockets are gone then.
create unlogged table app.presence_nodes (
  id      uuid primary key,
  seen_at timestamptz not null default now()
);
comment on table app.presence_nodes is 'Servers that tell who is present with them. Whoever is not heard of any more takes his people with him.';
select app.enclose('app.presence_nodes');

create unlogged table app.presences (
  company_id uuid not null references public.companies (id) on delete cascade,
  id         uuid not null default app.uuid_v7(),
  node_id    uuid not null references app.presence_nodes (id) on delete cascade,
  -- What the entry is called by its server.
  reference  text not null check (length(reference) <= 64),
  user_id    uuid not null,
  channel    text not null check (length(channel) between 1 and 255),
  status     text not null default 'online' check (length(status) <= 100),
  metadata   jsonb not null default '{}',
  tracked_at timestamptz not null default now(),
  primary key (company_id, id)
);
comment on table app.presences is 'Who is present in which channel of a company, as far as servers have written it down.';
comment on column app.presences.user_id is 'Whoever tracks, as his token says, whatever key he chose.';
create index presences_node_id_idx on app.presences (node_id, reference);
create index presences_id_idx on app.presences (id);
create index presences_user_id_idx on app.presences (company_id, user_id);
select app.enclose('app.presences');
