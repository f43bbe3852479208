-- The change feed: which tables are told of, to servers that read PostgreSQL's log and to those that poll.
-- Invariant: both are told of the same tables. A table without a primary key is never published: PostgreSQL would refuse its updates.

-- What is only ever added to, and read by few, is not worth decoding on every server.
create or replace function app.feed_tables() returns setof regclass
  language sql stable
  set search_path = ''
as $$
  select c.oid::regclass
    from (select table_name from app.protected_tables
          -- Of these sockets hear: what SQL sends to channels, and who is signed in no more.
          union select unnest(array['app.cache_flushes', 'realtime.messages', 'auth.sessions', 'auth.users', 'auth.portal_sessions'])) t
    join pg_catalog.pg_class c on c.oid = to_regclass(t.table_name)
   where c.relkind in ('r', 'p') and pg_catalog.pg_has_role('app_owner', c.relowner, 'usage')
     and t.table_name not in ('public.audit_logs', 'public.email_logs', 'public.webhook_logs')
     and exists (select from pg_catalog.pg_index i where i.indrelid = c.oid and i.indisprimary)
   order by t.table_name
$$;
revoke all on function app.feed_tables() from public;

-- What a server has to know of a table: its columns in their order, those that tell rows apart, and those that nobody is told of.
-- What is computed from other columns is not in the log.
create or replace function app.feed_columns() returns table (relation bigint, schema text, name text, columns text, key text, hidden text, computed text)
  language sql stable
  set search_path = ''
as $$
  select c.oid::bigint, n.nspname::text, c.relname::text,
         json_agg(a.attname order by a.attnum)::text,
         coalesce(json_agg(a.attname order by a.attnum) filter (where a.attnum = any (i.indkey)), '[]')::text,
         -- Of accounts and sessions it is told which changed, and nothing else.
         coalesce(json_agg(a.attname) filter (where pg_catalog.col_description(a.attrelid, a.attnum) ~ '^secret'
                                                 or n.nspname = 'auth' and a.attname not in ('id', 'user_id', 'company_id')), '[]')::text,
         coalesce(json_agg(a.attname) filter (where a.attgenerated <> ''), '[]')::text
    from (select t from app.feed_tables() t
          union
          -- What a project listed of its own, where the log is read.
          select r.prrelid::regclass
            from pg_catalog.pg_publication p join pg_catalog.pg_publication_rel r on r.prpubid = p.oid
           where p.pubname = 'supabase_realtime' and not p.puballtables) f (t)
    join pg_catalog.pg_class c on c.oid = f.t
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_index i on i.indrelid = c.oid and i.indisprimary
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
   group by c.oid, n.nspname, c.relname
$$;
revoke all on function app.feed_columns() from public;
grant execute on function app.feed_tables(), app.feed_columns() to service_role;

-- Row by row: the order is the transaction's, and an old row stands beside its new one. Values are written as the log tells them.
-- The argument of the trigger says what nobody is told of, and is therefore not kept either: an object with these columns, all null.
create or replace function app.keep_change() returns trigger
  language plpgsql security definer
  set search_path = '' set timezone = 'UTC' set datestyle = 'ISO, YMD' set intervalstyle = 'postgres' set bytea_output = 'hex'
as $$
begin
  if tg_nargs > 0 and tg_op in ('INSERT', 'UPDATE') then
    new := pg_catalog.jsonb_populate_record(new, tg_argv[0]::jsonb);
  end if;
  if tg_nargs > 0 and tg_op in ('UPDATE', 'DELETE') then
    old := pg_catalog.jsonb_populate_record(old, tg_argv[0]::jsonb);
  end if;
  insert into app.change_outbox (relation, kind, new_row, old_row)
  values (coalesce(pg_catalog.pg_partition_root(tg_relid), tg_relid), left(tg_op, 1),
          case when tg_op in ('INSERT', 'UPDATE') then new::text end,
          case when tg_op in ('UPDATE', 'DELETE') then old::text end);
  return null;
end $$;
alter function app.keep_change() owner to app_definer;
revoke all on function app.keep_change() from public;

-- Has the changes kept, or no longer. For the migrator: every write pays for it.
create or replace function app.keep_changes(p_on boolean) returns void
  language plpgsql
  set search_path = ''
as $$
declare
  v_table regclass;
  v_blank jsonb;
  v_wanted bytea;
  v_there bytea;
begin
  for v_table, v_blank in
    select t, (select jsonb_object_agg(h.name, null) from jsonb_array_elements_text(c.hidden::jsonb) h (name))
      from app.feed_tables() t join app.feed_columns() c on c.relation = t::oid::bigint
  loop
    v_there := (select tgargs from pg_catalog.pg_trigger where tgrelid = v_table and tgname = 'keep_change');
    v_wanted := case when p_on then coalesce(convert_to(v_blank::text, 'UTF8') || '\x00'::bytea, ''::bytea) end;
    continue when v_there is not distinct from v_wanted;
    if v_there is not null then
      execute format('drop trigger keep_change on %s', v_table);
      execute format('drop trigger keep_truncate on %s', v_table);
    end if;
    if p_on then
      execute format('create trigger keep_change after insert or update or delete on %s for each row execute function app.keep_change(%s)',
                     v_table, coalesce(quote_literal(v_blank::text), ''));
      execute format('create trigger keep_truncate after truncate on %s for each statement execute function app.keep_change()', v_table);
    end if;
    -- What was kept of it before said more. A row that fits the table no more is left without columns: servers begin anew at it.
    if p_on and v_there is not null and v_blank is not null then
      begin
        execute format($sql$ update app.change_outbox
                                set new_row = jsonb_populate_record(new_row::%1$s, $1)::text, old_row = jsonb_populate_record(old_row::%1$s, $1)::text
                              where relation = $2 and kind <> 'T' $sql$, v_table)
          using v_blank, v_table::oid;
      exception when others then
        update app.change_outbox set new_row = case when new_row is not null then '()' end, old_row = case when old_row is not null then '()' end
         where relation = v_table::oid;
      end;
    end if;
  end loop;
  -- Servers that poll see that nothing is kept any more, and begin anew.
  if not p_on then
    delete from app.change_outbox;
  end if;
end $$;
comment on function app.keep_changes(boolean) is
  'Has changes of rows kept for servers that poll them, or no longer. Every migrate calls it, as the server''s login may read the log or not.';
revoke all on function app.keep_changes(boolean) from public;

create or replace function app.changes_are_kept() returns boolean
  language sql stable
  set search_path = ''
  return exists (select from pg_catalog.pg_trigger where tgname = 'keep_change');
revoke all on function app.changes_are_kept() from public;

-- All that is visible now and was not in an earlier snapshot, with the snapshot to ask with the next time. Nothing can fall between the
-- two, however long a transaction takes, and none waits for another.
create or replace function app.kept_changes(p_since text, p_rows_max integer)
  returns table (snapshot text, xid text, relation bigint, kind text, new_row text, old_row text)
  language sql stable security definer
  set search_path = ''
as $$
  select pg_catalog.pg_current_snapshot()::text, o.xid::text, o.relation::bigint, o.kind, o.new_row, o.old_row
    from (select p_since::pg_snapshot as since) s
    left join lateral (
      select c.xid, c.relation, c.kind, c.new_row, c.old_row
        from app.change_outbox c
       where c.xid >= pg_catalog.pg_snapshot_xmin(s.since) and not pg_catalog.pg_visible_in_snapshot(c.xid, s.since)
       order by c.xid, c.id
       limit p_rows_max) o on true
$$;
alter function app.kept_changes(text, integer) owner to app_definer;
revoke all on function app.kept_changes(text, integer) from public;

-- Forgets what every server has seen by now that looked since that snapshot.
create or replace function app.forget_changes(p_before text) returns void
  language sql security definer
  set search_path = ''
begin atomic
  delete from app.change_outbox where xid < pg_catalog.pg_snapshot_xmin(p_before::pg_snapshot);
end;
alter function app.forget_changes(text) owner to app_definer;
revoke all on function app.forget_changes(text) from public;
grant execute on function app.changes_are_kept(), app.kept_changes(text, integer), app.forget_changes(text) to service_role;

-- Servers are told by a row; the service asks for it.
do $$
begin
  if to_regclass('app.cache_flushes') is not null then
    revoke all on app.cache_flushes from public, anon, authenticated, service_role;
    grant select, insert, update, delete on app.cache_flushes to service_role;
  end if;
end $$;
