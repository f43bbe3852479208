-- What whoever runs the database looks at: its tables, indexes, statements and sessions. For the service alone.
-- Invariant: where PostgreSQL does not tell something to the owner of these functions, it is left out and never guessed.

-- Sessions, as far as they may be seen. No address of a client's own and no value of a statement's parameters is in it.
create or replace function app.database_sessions()
  returns table (pid integer, datname text, usename text, application_name text, client_addr inet, backend_type text, state text, wait_event_type text,
                 wait_event text, xact_start timestamptz, query_start timestamptz, query text, blocked_by integer[])
  language sql stable security definer
  set search_path = ''
as $$
  select a.pid, a.datname::text, a.usename::text, a.application_name, a.client_addr, a.backend_type, a.state, a.wait_event_type, a.wait_event, a.xact_start,
         a.query_start, left(a.query, 2000), case when a.wait_event_type = 'Lock' then pg_catalog.pg_blocking_pids(a.pid) else '{}' end
    from pg_catalog.pg_stat_activity a where a.datname = current_database() and a.pid <> pg_backend_pid()
$$;
alter function app.database_sessions() owner to app_definer;
revoke all on function app.database_sessions() from public;
grant execute on function app.database_sessions() to service_role;

-- Statements by the time that they took. Without pg_stat_statements those that run at this moment.
create or replace function app.statement_figures()
  returns table (query text, calls bigint, total_exec_time double precision, avg_exec_time double precision, avg_rows double precision,
                 hit_percent double precision, source text)
  language plpgsql stable security definer
  set search_path = ''
as $$
declare
  v_schema text;
begin
  select n.nspname into v_schema from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace where e.extname = 'pg_stat_statements';
  if v_schema is not null and app.sees_activity() then
    begin
      return query execute format(
        'select left(s.query, 2000), s.calls, s.total_exec_time, s.total_exec_time / nullif(s.calls, 0), s.rows::double precision / nullif(s.calls, 0),
                (100.0 * s.shared_blks_hit / nullif(s.shared_blks_hit + s.shared_blks_read, 0))::double precision, ''pg_stat_statements''
           from %I.pg_stat_statements s where s.dbid = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
          order by s.total_exec_time desc limit 50', v_schema);
      return;
    exception when object_not_in_prerequisite_state or insufficient_privilege then null;
    end;
  end if;
  return query
    select left(a.query, 2000), 1::bigint, (extract(epoch from clock_timestamp() - a.query_start) * 1000)::double precision,
           (extract(epoch from clock_timestamp() - a.query_start) * 1000)::double precision, null::double precision, null::double precision, 'pg_stat_activity'
      from pg_catalog.pg_stat_activity a
     where a.datname = current_database() and a.state = 'active' and a.pid <> pg_backend_pid() and a.query_start is not null
     order by a.query_start limit 50;
end $$;
alter function app.statement_figures() owner to app_definer;
revoke all on function app.statement_figures() from public;
grant execute on function app.statement_figures() to service_role;

drop view if exists public.database_performance;
create view public.database_performance with (security_invoker = true) as
select s.schemaname, s.relname as tablename, s.seq_scan, s.seq_tup_read, s.idx_scan, s.idx_tup_fetch, s.n_tup_ins, s.n_tup_upd, s.n_tup_del, s.n_live_tup,
       s.n_dead_tup, s.vacuum_count, s.autovacuum_count, s.analyze_count, s.autoanalyze_count
  from pg_catalog.pg_stat_user_tables s order by s.seq_tup_read desc;
comment on view public.database_performance is 'How often each table was read and written, and how. For the service.';

drop view if exists public.slow_queries;
create view public.slow_queries with (security_invoker = true) as
select f.query, f.calls, f.total_exec_time, f.avg_exec_time, f.avg_rows, f.hit_percent, f.source from app.statement_figures() f;
comment on view public.slow_queries is
  'The 50 statements that took most time, in milliseconds; without pg_stat_statements (source) those that run now. For the service.';

drop view if exists public.connection_stats;
create view public.connection_stats with (security_invoker = true) as
select s.datname, s.usename, s.application_name, s.client_addr, s.state, count(*) as connection_count, max(now() - s.query_start) as max_query_duration
  from app.database_sessions() s group by s.datname, s.usename, s.application_name, s.client_addr, s.state order by count(*) desc;
comment on view public.connection_stats is 'Connections by who holds them and what they do. For the service.';

drop view if exists public.blocking_queries;
create view public.blocking_queries with (security_invoker = true) as
select w.pid as waiting_pid, w.usename as waiting_usename, left(w.query, 500) as waiting_query, now() - w.query_start as waiting_for, h.pid as holding_pid,
       h.usename as holding_usename, h.state as holding_state, left(h.query, 500) as holding_query, now() - h.xact_start as holding_for
  from app.database_sessions() w cross join lateral unnest(w.blocked_by) b (pid) join app.database_sessions() h on h.pid = b.pid;
comment on view public.blocking_queries is 'Who waits for a lock, and who holds it. For the service.';

drop view if exists public.table_sizes;
create view public.table_sizes with (security_invoker = true) as
select s.schemaname, s.relname as tablename, pg_catalog.pg_total_relation_size(s.relid) as total_bytes, pg_catalog.pg_table_size(s.relid) as table_bytes,
       pg_catalog.pg_indexes_size(s.relid) as index_bytes, s.n_live_tup as live_rows
  from pg_catalog.pg_stat_user_tables s order by pg_catalog.pg_total_relation_size(s.relid) desc;
comment on view public.table_sizes is 'How much room each table and its indexes take, the largest first. For the service.';

drop view if exists public.index_use;
create view public.index_use with (security_invoker = true) as
select s.schemaname, s.relname as tablename, s.indexrelname as indexname, s.idx_scan, s.idx_tup_read, s.idx_tup_fetch,
       pg_catalog.pg_relation_size(s.indexrelid) as index_bytes, i.indisunique as is_unique
  from pg_catalog.pg_stat_user_indexes s join pg_catalog.pg_index i on i.indexrelid = s.indexrelid
 order by s.idx_scan, pg_catalog.pg_relation_size(s.indexrelid) desc;
comment on view public.index_use is 'How often each index was used since figures began, the least first. For the service.';

drop view if exists public.table_bloat;
create view public.table_bloat with (security_invoker = true) as
select s.schemaname, s.relname as tablename, pg_catalog.pg_total_relation_size(s.relid) as total_bytes, s.n_dead_tup, s.n_live_tup,
       round(s.n_dead_tup * 100.0 / nullif(s.n_live_tup + s.n_dead_tup, 0), 2) as dead_tuple_percent, s.last_autovacuum, s.last_vacuum
  from pg_catalog.pg_stat_user_tables s where s.n_dead_tup > 1000 order by s.n_dead_tup desc;
comment on view public.table_bloat is 'Tables with more than 1000 dead rows, and when they were vacuumed last. For the service.';

revoke all on public.database_performance, public.slow_queries, public.connection_stats, public.blocking_queries, public.table_sizes, public.index_use,
              public.table_bloat from public, anon, authenticated, guest, service_role;
grant select on public.database_performance, public.slow_queries, public.connection_stats, public.blocking_queries, public.table_sizes, public.index_use,
                public.table_bloat to service_role;
