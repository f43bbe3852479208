-- What servers are told of: the tables of the change feed. Last of all, when every other file has declared its own.
-- Invariant: what is declared is published, or kept for servers that poll, from the first installation on.

-- What the log is read through.
do $$
declare
  v_tables text;
begin
  if not exists (select from pg_catalog.pg_publication where pubname = 'thorbis_changes') then
    create publication thorbis_changes with (publish_via_partition_root = true);
  end if;
  select string_agg(t::text, ', ') into v_tables from app.feed_tables() t;
  if (select array_agg(r.prrelid order by r.prrelid)
        from pg_catalog.pg_publication_rel r join pg_catalog.pg_publication p on p.oid = r.prpubid and p.pubname = 'thorbis_changes')
     is distinct from (select array_agg(t::oid order by t::oid) from app.feed_tables() t) then
    execute 'alter publication thorbis_changes set table ' || v_tables;
  end if;
exception when insufficient_privilege then
  raise warning using errcode = '01T01',
    message = 'the publication thorbis_changes could not be made',
    detail = 'right: CREATE on the database',
    hint = 'Changes are polled by the servers instead of streamed to them.';
end $$;
-- Tables that are new are kept, too, where any is.
select app.keep_changes(app.changes_are_kept());
