-- Extensions that every PostgreSQL ships and that the owner of a database may install himself.
-- One that is already installed stays where it is.

do $$
declare
  v_extension text;
begin
  foreach v_extension in array array['pgcrypto', 'btree_gist', 'btree_gin', 'pg_trgm', 'citext', 'unaccent', 'ltree', 'fuzzystrmatch'] loop
    continue when exists (select from pg_catalog.pg_extension where extname = v_extension);
    begin
      execute format('create extension if not exists %I with schema extensions', v_extension);
    exception
      when insufficient_privilege then
        raise warning using errcode = '01T01',
          message = format('the extension %s could not be installed', v_extension),
          detail = 'right: CREATE on the database',
          hint = format('Let an administrator run: create extension %I with schema extensions', v_extension);
      when undefined_file or feature_not_supported then
        raise warning using errcode = '01T01',
          message = format('the extension %s is not on this server', v_extension),
          detail = 'right: the contrib package of PostgreSQL',
          hint = 'Install the contrib package of the same version.';
    end;
  end loop;
end $$;

-- What an extension brings is made by whoever installs it, and a superuser's own default privileges give its functions to nobody. The
-- rights are given here, so that citext can be compared and similarity asked for whoever installed.
do $$
declare
  v_functions text;
begin
  select string_agg(p.oid::regprocedure::text, ', ') into v_functions
    from pg_catalog.pg_extension e
    join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_extension'::regclass and d.refobjid = e.oid
                               and d.classid = 'pg_catalog.pg_proc'::regclass and d.deptype = 'e'
    join pg_catalog.pg_proc p on p.oid = d.objid
   where e.extname in ('pgcrypto', 'btree_gist', 'btree_gin', 'pg_trgm', 'citext', 'unaccent', 'ltree', 'fuzzystrmatch')
     and pg_catalog.pg_has_role(p.proowner, 'USAGE')
     and not (pg_catalog.has_function_privilege('authenticated', p.oid, 'EXECUTE')
              and pg_catalog.has_function_privilege('guest', p.oid, 'EXECUTE'));
  if v_functions is not null then
    execute format('grant execute on routine %s to app_owner, app_definer, anon, authenticated, guest, service_role', v_functions);
  end if;
end $$;
