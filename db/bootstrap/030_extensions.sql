-- Extensions that every PostgreSQL ships and that the owner of a database may install himself.
-- One that is already installed stays where it is.

do $$
declare
  v_extension text;
begin
  foreach v_extension in array array['pgcrypto', 'btree_gist', 'btree_gin', 'pg_trgm', 'citext', 'unaccent'] loop
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
