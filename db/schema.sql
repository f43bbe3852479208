-- What db/ makes of an empty database on PostgreSQL 15, written by ./dev generate. Nothing reads it but people.
CREATE SCHEMA app;
ALTER SCHEMA app OWNER TO app_owner;

CREATE SCHEMA auth;
ALTER SCHEMA auth OWNER TO app_owner;

CREATE SCHEMA cron;
ALTER SCHEMA cron OWNER TO app_owner;

CREATE SCHEMA extensions;
ALTER SCHEMA extensions OWNER TO app_owner;

CREATE SCHEMA home_services;
ALTER SCHEMA home_services OWNER TO app_owner;

CREATE SCHEMA net;
ALTER SCHEMA net OWNER TO app_owner;

ALTER SCHEMA public OWNER TO app_owner;

CREATE SCHEMA realtime;
ALTER SCHEMA realtime OWNER TO app_owner;

CREATE SCHEMA shared;
ALTER SCHEMA shared OWNER TO app_owner;

CREATE SCHEMA storage;
ALTER SCHEMA storage OWNER TO app_owner;

CREATE SCHEMA vault;
ALTER SCHEMA vault OWNER TO app_owner;

CREATE EXTENSION IF NOT EXISTS btree_gin WITH SCHEMA extensions;

COMMENT ON EXTENSION btree_gin IS 'support for indexing common datatypes in GIN';

CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA extensions;

COMMENT ON EXTENSION btree_gist IS 'support for indexing common datatypes in GiST';

CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA extensions;

COMMENT ON EXTENSION citext IS 'data type for case-insensitive character strings';

CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA extensions;

COMMENT ON EXTENSION pg_trgm IS 'text similarity measurement and index searching based on trigrams';

CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA extensions;

COMMENT ON EXTENSION pgcrypto IS 'cryptographic functions';

CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA extensions;

COMMENT ON EXTENSION unaccent IS 'text search dictionary that removes accents';

CREATE FUNCTION app.activate_if_none(p_company_id uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO ''
    AS $$
  update auth.sessions s set active_company_id = p_company_id
   where s.id = (auth.jwt() ->> 'session_id')::uuid and s.user_id = auth.uid() and s.active_company_id is null;
$$;
ALTER FUNCTION app.activate_if_none(p_company_id uuid) OWNER TO app_definer;

CREATE FUNCTION app.caller() RETURNS uuid
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $$
begin
  if auth.uid() is null then
    raise exception using errcode = 'TH401', constraint = 'not_signed_in', message = 'Sign in first.';
  end if;
  return auth.uid();
end $$;
ALTER FUNCTION app.caller() OWNER TO app_owner;

CREATE FUNCTION app.check_grantable(p_before text, p_after text) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $_$
declare
  v_key text;
begin
  foreach v_key in array string_to_array(btrim(p_after, ','), ',') loop
    if strpos(p_before, ',' || v_key || ',') = 0
       and not app.has_permission(v_key)
       and not app.has_permission(regexp_replace(v_key, '_(assigned|own)$', '')) then
      raise exception using errcode = 'TH403', constraint = 'permission_escalation',
        message = format('You cannot give the permission %s, which you do not hold.', v_key);
    end if;
  end loop;
end $_$;
ALTER FUNCTION app.check_grantable(p_before text, p_after text) OWNER TO app_owner;

CREATE FUNCTION app.check_job_references() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_customer_id uuid;
begin
  if new.property_id is not null and new.customer_id is not null
     and (tg_op = 'INSERT' or (new.property_id, new.customer_id) is distinct from (old.property_id, old.customer_id)) then
    -- Shared with other jobs, in the way of a property that is just going to another customer.
    select p.customer_id into v_customer_id from public.properties p
     where p.company_id = new.company_id and p.id = new.property_id for share;
    if found and v_customer_id is distinct from new.customer_id then
      raise exception using errcode = 'TH422', constraint = 'property_not_of_customer',
        message = 'The property of a job must belong to the job''s customer.';
    end if;
  end if;
  if new.assigned_to is not null and (tg_op = 'INSERT' or new.assigned_to is distinct from old.assigned_to)
     and exists (select from public.team_members m
                  where m.company_id = new.company_id and m.user_id = new.assigned_to
                    and (m.status <> 'active' or m.archived_at is not null)) then
    raise exception using errcode = 'TH422', constraint = 'assignee_not_active',
      message = 'A job can be assigned to an active member only.';
  end if;
  return new;
end $$;
ALTER FUNCTION app.check_job_references() OWNER TO app_definer;

CREATE FUNCTION app.check_permission_map(p_map jsonb) RETURNS void
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $_$
declare
  v_entry record;
begin
  for v_entry in select e.key, e.value from jsonb_each(p_map) e loop
    if v_entry.value not in ('true', 'false')
       or not exists (select from app.role_permissions rp
                       where rp.permission = regexp_replace(v_entry.key, '_(assigned|own)$', '')) then
      raise exception using errcode = 'TH422', constraint = 'permission_unknown',
        message = format('"%s" is not a permission that can be given or taken.', left(v_entry.key, 80)),
        hint = 'A permission is written noun:verb, noun:verb_assigned or noun:verb_own, with true or false.';
    end if;
  end loop;
end $_$;
ALTER FUNCTION app.check_permission_map(p_map jsonb) OWNER TO app_definer;

CREATE FUNCTION app.company_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN COALESCE((NULLIF(current_setting('app.company_id'::text, true), ''::text))::uuid, CASE WHEN (current_setting('role'::text, true) = 'service_role'::text) THEN (NULLIF(current_setting('app.current_tenant_id'::text, true), ''::text))::uuid ELSE NULL::uuid END);
ALTER FUNCTION app.company_id() OWNER TO app_owner;

COMMENT ON FUNCTION app.company_id() IS 'The company of this transaction, or NULL.';

CREATE FUNCTION app.custom_role_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  update public.team_members m
     set effective_permissions = app.effective_permissions(m.company_id, m.role, m.role_id, m.permissions)
   where m.company_id = new.company_id and m.role_id = new.id;
  return null;
end $$;
ALTER FUNCTION app.custom_role_changed() OWNER TO app_definer;

CREATE FUNCTION app.effective_permissions(p_company_id uuid, p_role text, p_role_id uuid, p_overrides jsonb) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  -- Owner and admin hold what the matrix says: nothing can take from them, nothing has to add.
  v_layered constant boolean := p_role not in ('owner', 'admin');
  v_result text;
begin
  with layers as (
    select rp.permission || case rp.scope when 'all' then '' else '_' || rp.scope end as key, true as held, 1 as layer
      from app.role_permissions rp where rp.role = p_role
    union all
    select e.key, e.value = 'true', 2
      from public.custom_roles r cross join lateral jsonb_each(r.permissions) e
     where v_layered and r.company_id = p_company_id and r.id = p_role_id
    union all
    select e.key, e.value = 'true', 3
      from jsonb_each(coalesce(p_overrides, '{}')) e where v_layered
  ), decided as (
    select distinct on (l.key) l.key, l.held from layers l order by l.key, l.layer desc
  )
  select ',' || string_agg(d.key, ',' order by d.key collate "C") || ',' into v_result from decided d where d.held;
  return coalesce(v_result, '');
end $$;
ALTER FUNCTION app.effective_permissions(p_company_id uuid, p_role text, p_role_id uuid, p_overrides jsonb) OWNER TO app_definer;

CREATE FUNCTION app.enclose(p_table regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_role text;
begin
  if not (select c.relrowsecurity and c.relforcerowsecurity from pg_catalog.pg_class c where c.oid = p_table) then
    execute format('alter table %s enable row level security, force row level security', p_table);
  end if;
  foreach v_role in array array['app_owner', 'app_definer', 'service_role'] loop
    if not exists (select from pg_catalog.pg_policy where polrelid = p_table and polname = v_role || '_all') then
      execute format('create policy %I on %s as permissive for all to %I using (true) with check (true)',
                     v_role || '_all', p_table, v_role);
    end if;
  end loop;
  execute format('grant select, insert, update, delete on %s to app_definer', p_table);
end $$;
ALTER FUNCTION app.enclose(p_table regclass) OWNER TO app_owner;

COMMENT ON FUNCTION app.enclose(p_table regclass) IS 'Forces row security on a table and writes the policies of owner, definer and service. Every migration calls it for each table it makes.';

CREATE FUNCTION app.guard_company() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if tg_op = 'UPDATE' and old.owner_id is not null and new.owner_id is distinct from old.owner_id
     and current_user <> 'app_definer' then
    raise exception using errcode = 'TH422', constraint = 'ownership_by_transfer',
      message = 'A company changes its owner only by transfer.', hint = 'Call transfer_company_ownership.';
  end if;
  if tg_op = 'INSERT' or new.business_timezone is distinct from old.business_timezone then
    -- Asked by use: the list of all zones is read from hundreds of files.
    begin
      perform now() at time zone new.business_timezone;
    exception when invalid_parameter_value then
      raise exception using errcode = 'TH422', constraint = 'timezone_unknown',
        message = format('"%s" is not a time zone.', new.business_timezone), hint = 'Use a name such as America/New_York.';
    end;
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_company() OWNER TO app_owner;

CREATE FUNCTION app.guard_custom_role() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_key text;
begin
  if tg_op <> 'INSERT' and old.is_system and current_user in ('authenticated', 'service_role') then
    raise exception using errcode = 'TH403', constraint = 'system_role_protected',
      message = 'A system role can neither be changed nor deleted.';
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  perform app.check_permission_map(new.permissions);
  if current_user = 'authenticated' then
    -- Any entry that changes, in whichever direction, must be one the caller holds himself.
    for v_key in
      select coalesce(n.key, o.key)
        from jsonb_each(new.permissions) n
        full join jsonb_each(case when tg_op = 'UPDATE' then old.permissions else '{}' end) o on o.key = n.key
       where n.value is distinct from o.value
    loop
      perform app.check_grantable('', ',' || v_key || ',');
    end loop;
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_custom_role() OWNER TO app_owner;

CREATE FUNCTION app.guard_customer() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if tg_op = 'DELETE' or (new.deleted_at is not null and tg_op = 'UPDATE' and old.deleted_at is null) then
    if old.outstanding_balance > 0 then
      raise exception using errcode = 'TH422', constraint = 'customer_has_balance',
        message = 'A customer with an outstanding balance cannot be deleted.';
    end if;
    if tg_op = 'DELETE' then
      return old;
    end if;
    new.status := 'archived';
  elsif tg_op = 'UPDATE' and old.deleted_at is not null and new.deleted_at is null and new.status = 'archived' then
    new.status := 'active';
  end if;
  if current_user = 'authenticated' then
    if tg_op = 'INSERT' then
      if (new.total_revenue, new.total_jobs, new.total_invoices, new.average_job_value, new.outstanding_balance)
           is distinct from (0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint) then
        raise exception using errcode = 'TH422', constraint = 'customer_figures_computed',
          message = 'The figures of a customer are computed; a new customer starts at 0.';
      end if;
    elsif (new.total_revenue, new.total_jobs, new.total_invoices, new.average_job_value, new.outstanding_balance)
            is distinct from
          (old.total_revenue, old.total_jobs, old.total_invoices, old.average_job_value, old.outstanding_balance) then
      raise exception using errcode = 'TH422', constraint = 'customer_figures_computed',
        message = 'The figures of a customer are computed and cannot be written.';
    end if;
  end if;
  new.display_name := left(case
    when new.type <> 'residential' and btrim(coalesce(new.company_name, '')) <> '' then btrim(new.company_name)
    when btrim(new.first_name || ' ' || new.last_name) <> '' then btrim(btrim(new.first_name) || ' ' || btrim(new.last_name))
    else btrim(coalesce(new.company_name, '')) end, 300);
  if new.display_name = '' then
    raise exception using errcode = 'TH422', constraint = 'customer_name_required',
      message = 'A customer needs a first name, a last name or a company name.';
  end if;
  new.email_key := case when new.deleted_at is null then lower(btrim(new.email)) end;
  return new;
end $$;
ALTER FUNCTION app.guard_customer() OWNER TO app_owner;

CREATE FUNCTION app.guard_job() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  -- Moving a closed job on, archiving and deleting it are no edits of it.
  v_movement constant text[] := array['status', 'actual_start', 'actual_end', 'archived_at', 'deleted_at', 'deleted_by',
                                      'permanent_delete_scheduled_at', 'updated_at', 'version'];
  v_missing text[];
begin
  if new.status = 'draft' then
    raise exception using errcode = 'TH422', constraint = 'job_status_draft',
      message = 'A job has no status "draft".', hint = 'Use "quoted".';
  end if;
  if tg_op = 'INSERT' then
    if current_user = 'authenticated' and new.status in ('completed', 'invoiced', 'paid', 'archived') then
      raise exception using errcode = 'TH422', constraint = 'job_transition_invalid',
        message = format('A new job cannot be %s.', new.status),
        hint = 'A new job is quoted, scheduled, in_progress, on_hold or cancelled.';
    end if;
  else
    if current_user = 'authenticated' and old.status in ('completed', 'cancelled', 'invoiced', 'paid')
       and to_jsonb(new) - v_movement <> to_jsonb(old) - v_movement and not app.has_permission('jobs:amend') then
      raise exception using errcode = 'TH403', constraint = 'job_closed',
        message = format('A %s job can be edited by the owner and admins only.', old.status),
        hint = 'The permission is jobs:amend.';
    end if;
    if new.status = old.status then
      return new;
    end if;
    -- A status that does not exist is left to the table's check, which names the column.
    if new.status <> all (app.job_next_statuses(old.status))
       and array_length(app.job_next_statuses(new.status), 1) is not null then
      raise exception using errcode = 'TH422', constraint = 'job_transition_invalid',
        message = format('A job cannot go from %s to %s.', old.status, new.status),
        hint = format('From %s it can go to: %s.', old.status, array_to_string(app.job_next_statuses(old.status), ', '));
    end if;
  end if;
  if new.status = 'in_progress' then
    new.actual_start := coalesce(new.actual_start, now());
  elsif new.status = 'completed' then
    new.actual_end := coalesce(new.actual_end, greatest(now(), new.actual_start));
  end if;
  if new.status = 'archived' then
    new.archived_at := coalesce(new.archived_at, now());
    new.permanent_delete_scheduled_at := coalesce(new.permanent_delete_scheduled_at, new.archived_at + interval '90 days');
  elsif tg_op = 'UPDATE' and old.status = 'archived' then
    new.archived_at := null;
    new.permanent_delete_scheduled_at := null;
  end if;
  v_missing := app.job_missing(new);
  if cardinality(v_missing) > 0 then
    raise exception using errcode = 'TH422', constraint = 'job_requirement_missing',
      message = format('A job that is %s needs %s.', new.status, array_to_string(v_missing, ', ')),
      detail = array_to_string(v_missing, ',');
  end if;
  if new.status = 'paid' and new.paid_amount < new.total_amount then
    raise exception using errcode = 'TH422', constraint = 'job_not_paid',
      message = 'A job is paid when its whole amount is paid.';
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_job() OWNER TO app_owner;

CREATE FUNCTION app.guard_member() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if tg_op = 'DELETE' then
    -- When the company itself goes, its owner's row goes with it.
    if old.role = 'owner' and exists (select from public.companies c where c.id = old.company_id) then
      raise exception using errcode = 'TH422', constraint = 'owner_protected',
        message = 'The owner cannot be removed.', hint = 'Transfer the ownership first.';
    end if;
    if current_user = 'authenticated' and old.user_id = auth.uid() then
      raise exception using errcode = 'TH403', constraint = 'own_membership',
        message = 'Nobody suspends, archives or removes himself.';
    end if;
    return old;
  end if;
  perform app.check_permission_map(new.permissions);
  new.effective_permissions := app.effective_permissions(new.company_id, new.role, new.role_id, new.permissions);
  if tg_op = 'INSERT' then
    select u.name, u.email into new.name, new.email from public.users u where u.id = new.user_id;
  else
    if current_user <> 'app_definer' and old.role = 'owner'
       and (new.role <> 'owner' or new.status <> 'active' or new.archived_at is not null
            or (new.company_id, new.user_id) is distinct from (old.company_id, old.user_id)) then
      raise exception using errcode = 'TH422', constraint = 'owner_protected',
        message = 'The owner can be neither demoted nor suspended nor archived.', hint = 'Transfer the ownership first.';
    end if;
    if current_user <> 'app_definer' and new.role = 'owner' and old.role <> 'owner' then
      raise exception using errcode = 'TH422', constraint = 'ownership_by_transfer',
        message = 'A company changes its owner only by transfer.', hint = 'Call transfer_company_ownership.';
    end if;
    if current_user = 'authenticated' then
      perform app.guard_member_edit(old, new);
    end if;
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_member() OWNER TO app_owner;

CREATE FUNCTION app.uuid_v7() RETURNS uuid
    LANGUAGE sql PARALLEL SAFE
    BEGIN ATOMIC
 SELECT (encode((("substring"(int8send((t.micros / 1000)), 3) || int2send(((28672 + (((t.micros % (1000)::bigint) * 4096) / 1000)))::smallint)) || "substring"(uuid_send(gen_random_uuid()), 9)), 'hex'::text))::uuid AS encode
    FROM ( SELECT ((EXTRACT(epoch FROM clock_timestamp()) * (1000000)::numeric))::bigint AS micros) t;
END;
ALTER FUNCTION app.uuid_v7() OWNER TO app_owner;

COMMENT ON FUNCTION app.uuid_v7() IS 'A new time-ordered id.';

CREATE TABLE public.team_members (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    user_id uuid NOT NULL,
    role text DEFAULT 'member'::text NOT NULL,
    role_id uuid,
    department_id uuid,
    status text DEFAULT 'active'::text NOT NULL,
    permissions jsonb DEFAULT '{}'::jsonb NOT NULL,
    effective_permissions text DEFAULT ''::text NOT NULL,
    name text,
    email text,
    job_title text,
    phone text,
    invited_by uuid,
    invited_at timestamp with time zone,
    joined_at timestamp with time zone DEFAULT now(),
    last_active_at timestamp with time zone,
    archived_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT team_members_job_title_check CHECK ((length(job_title) <= 120)),
    CONSTRAINT team_members_permissions_check CHECK ((jsonb_typeof(permissions) = 'object'::text)),
    CONSTRAINT team_members_phone_check CHECK ((length(phone) <= 32)),
    CONSTRAINT team_members_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'admin'::text, 'manager'::text, 'dispatcher'::text, 'technician'::text, 'csr'::text, 'member'::text, 'viewer'::text]))),
    CONSTRAINT team_members_status_check CHECK ((status = ANY (ARRAY['active'::text, 'invited'::text, 'suspended'::text])))
);
ALTER TABLE ONLY public.team_members REPLICA IDENTITY FULL;
ALTER TABLE ONLY public.team_members FORCE ROW LEVEL SECURITY;
ALTER TABLE public.team_members OWNER TO app_owner;

COMMENT ON TABLE public.team_members IS 'A person in one company.';

CREATE FUNCTION app.guard_member_edit(p_old public.team_members, p_new public.team_members) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS $$
begin
  if p_old.user_id = auth.uid()
     and (p_old.role, p_old.role_id, p_old.permissions) is distinct from (p_new.role, p_new.role_id, p_new.permissions) then
    raise exception using errcode = 'TH403', constraint = 'own_role_change',
      message = 'Nobody changes his own role or permissions.';
  end if;
  if p_old.user_id = auth.uid()
     and (p_old.status, p_old.archived_at) is distinct from (p_new.status, p_new.archived_at) then
    raise exception using errcode = 'TH403', constraint = 'own_membership',
      message = 'Nobody suspends, archives or removes himself.';
  end if;
  if p_old.role in ('owner', 'admin') and app.member_role() not in ('owner', 'admin') then
    raise exception using errcode = 'TH403', constraint = 'member_outranks',
      message = 'Only the owner and admins may change an owner or admin.';
  end if;
  if (p_old.role, p_old.role_id) is distinct from (p_new.role, p_new.role_id)
     and not app.has_permission('members:change_role') then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = 'You need the permission members:change_role.';
  end if;
  if p_old.permissions is distinct from p_new.permissions and not app.has_permission('members:set_permissions') then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = 'You need the permission members:set_permissions.';
  end if;
  perform app.check_grantable(p_old.effective_permissions, p_new.effective_permissions);
end $$;
ALTER FUNCTION app.guard_member_edit(p_old public.team_members, p_new public.team_members) OWNER TO app_owner;

CREATE FUNCTION app.guard_property() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  if exists (select from public.jobs j
              where j.company_id = new.company_id and j.property_id = new.id and j.customer_id <> new.customer_id) then
    raise exception using errcode = 'TH422', constraint = 'property_has_jobs',
      message = 'This property has jobs of its present customer and cannot go to another.';
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_property() OWNER TO app_definer;

CREATE FUNCTION app.guard_soft_delete() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_was constant boolean := tg_op = 'UPDATE' and old.deleted_at is not null;
  v_is  constant boolean := new.deleted_at is not null;
  v_permission text;
begin
  if v_was = v_is then
    if current_user = 'authenticated' then
      if tg_op = 'UPDATE' then
        new.deleted_at := old.deleted_at;
        new.deleted_by := old.deleted_by;
      else
        new.deleted_by := null;
      end if;
    end if;
    return new;
  end if;
  v_permission := tg_argv[0] || case when v_is then ':delete' else ':restore' end;
  if current_user = 'authenticated' and not app.has_permission(v_permission) then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = format('You need the permission %s.', v_permission);
  end if;
  if v_is then
    new.deleted_by := coalesce(auth.uid(), new.deleted_by);
    new.permanent_delete_scheduled_at := coalesce(new.permanent_delete_scheduled_at, new.deleted_at + interval '90 days');
  else
    new.deleted_by := null;
    new.archived_at := null;
    new.permanent_delete_scheduled_at := null;
  end if;
  return new;
end $$;
ALTER FUNCTION app.guard_soft_delete() OWNER TO app_owner;

CREATE FUNCTION app.has_permission(p_permission text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (strpos(COALESCE(current_setting('app.permissions'::text, true), ''::text), ((','::text || p_permission) || ','::text)) > 0);
ALTER FUNCTION app.has_permission(p_permission text) OWNER TO app_owner;

COMMENT ON FUNCTION app.has_permission(p_permission text) IS 'Whether the caller holds noun:verb (everything), noun:verb_assigned or noun:verb_own. Wrap it: (select app.has_permission(...)).';

CREATE FUNCTION app.is_within_reach(p_company_id uuid) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ((CURRENT_USER <> ALL (ARRAY['anon'::name, 'authenticated'::name])) OR COALESCE((p_company_id = app.company_id()), false));
ALTER FUNCTION app.is_within_reach(p_company_id uuid) OWNER TO app_owner;

CREATE FUNCTION auth.uid() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (COALESCE(NULLIF(current_setting('app.user_id'::text, true), ''::text), ((NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb ->> 'sub'::text)))::uuid;
ALTER FUNCTION auth.uid() OWNER TO app_owner;

CREATE TABLE public.jobs (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    job_number text DEFAULT ''::text NOT NULL,
    customer_id uuid,
    property_id uuid,
    assigned_to uuid,
    title text NOT NULL,
    description text,
    status text DEFAULT 'quoted'::text NOT NULL,
    priority text DEFAULT 'medium'::text NOT NULL,
    job_type text,
    service_type text,
    scheduled_start timestamp with time zone,
    scheduled_end timestamp with time zone,
    actual_start timestamp with time zone,
    actual_end timestamp with time zone,
    estimated_duration_minutes integer,
    currency text DEFAULT 'USD'::text NOT NULL,
    total_amount bigint DEFAULT 0 NOT NULL,
    paid_amount bigint DEFAULT 0 NOT NULL,
    ai_categories jsonb,
    ai_equipment jsonb,
    ai_service_type text,
    ai_priority_score integer,
    ai_tags jsonb,
    ai_processed_at timestamp with time zone,
    booked_by_user_id uuid DEFAULT auth.uid(),
    booking_method text,
    booking_notes text,
    lead_source text,
    notes text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT jobs_actual_check CHECK ((actual_end >= actual_start)),
    CONSTRAINT jobs_ai_priority_score_check CHECK (((ai_priority_score >= 0) AND (ai_priority_score <= 100))),
    CONSTRAINT jobs_ai_service_type_check CHECK ((ai_service_type = ANY (ARRAY['emergency'::text, 'routine'::text, 'preventive'::text, 'warranty'::text]))),
    CONSTRAINT jobs_booking_method_check CHECK ((length(booking_method) <= 60)),
    CONSTRAINT jobs_booking_notes_check CHECK ((length(booking_notes) <= 4000)),
    CONSTRAINT jobs_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT jobs_description_check CHECK ((length(description) <= 20000)),
    CONSTRAINT jobs_estimated_duration_minutes_check CHECK (((estimated_duration_minutes >= 0) AND (estimated_duration_minutes <= 525600))),
    CONSTRAINT jobs_job_number_check CHECK (((length(job_number) >= 1) AND (length(job_number) <= 40))),
    CONSTRAINT jobs_job_type_check CHECK ((job_type = ANY (ARRAY['service'::text, 'installation'::text, 'repair'::text, 'maintenance'::text, 'inspection'::text, 'consultation'::text]))),
    CONSTRAINT jobs_lead_source_check CHECK ((length(lead_source) <= 120)),
    CONSTRAINT jobs_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT jobs_notes_check CHECK ((length(notes) <= 20000)),
    CONSTRAINT jobs_paid_amount_check CHECK ((paid_amount >= 0)),
    CONSTRAINT jobs_priority_check CHECK ((priority = ANY (ARRAY['low'::text, 'medium'::text, 'high'::text, 'urgent'::text]))),
    CONSTRAINT jobs_schedule_check CHECK ((scheduled_end > scheduled_start)),
    CONSTRAINT jobs_service_type_check CHECK ((length(service_type) <= 120)),
    CONSTRAINT jobs_status_check CHECK ((status = ANY (ARRAY['quoted'::text, 'scheduled'::text, 'in_progress'::text, 'on_hold'::text, 'completed'::text, 'cancelled'::text, 'invoiced'::text, 'paid'::text, 'archived'::text]))),
    CONSTRAINT jobs_title_check CHECK (((length(btrim(title)) >= 1) AND (length(btrim(title)) <= 300))),
    CONSTRAINT jobs_total_amount_check CHECK ((total_amount >= 0))
);
ALTER TABLE ONLY public.jobs REPLICA IDENTITY FULL;
ALTER TABLE ONLY public.jobs FORCE ROW LEVEL SECURITY;
ALTER TABLE public.jobs OWNER TO app_owner;

COMMENT ON TABLE public.jobs IS 'Work done for a customer. Money is in minor units of the currency.';

CREATE FUNCTION app.job_missing(p_job public.jobs) RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    RETURN array_remove(ARRAY[CASE WHEN (((p_job).status <> ALL (ARRAY['cancelled'::text, 'archived'::text])) AND ((p_job).customer_id IS NULL)) THEN 'customer_id'::text ELSE NULL::text END, CASE WHEN (((p_job).status = ANY (ARRAY['scheduled'::text, 'in_progress'::text])) AND ((p_job).scheduled_start IS NULL)) THEN 'scheduled_start'::text ELSE NULL::text END, CASE WHEN (((p_job).status = 'scheduled'::text) AND ((p_job).scheduled_end IS NULL)) THEN 'scheduled_end'::text ELSE NULL::text END, CASE WHEN (((p_job).status = 'in_progress'::text) AND ((p_job).assigned_to IS NULL)) THEN 'assigned_to'::text ELSE NULL::text END, CASE WHEN (((p_job).status = 'completed'::text) AND (COALESCE((p_job).actual_start, (p_job).scheduled_start) IS NULL)) THEN 'scheduled_start'::text ELSE NULL::text END, CASE WHEN (((p_job).status = ANY (ARRAY['invoiced'::text, 'paid'::text])) AND ((p_job).total_amount = 0)) THEN 'total_amount'::text ELSE NULL::text END], NULL::text);
ALTER FUNCTION app.job_missing(p_job public.jobs) OWNER TO app_owner;

CREATE FUNCTION app.job_next_statuses(p_status text) RETURNS text[]
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    RETURN CASE p_status WHEN 'quoted'::text THEN ARRAY['scheduled'::text, 'cancelled'::text, 'archived'::text] WHEN 'scheduled'::text THEN ARRAY['in_progress'::text, 'on_hold'::text, 'cancelled'::text, 'archived'::text] WHEN 'in_progress'::text THEN ARRAY['on_hold'::text, 'completed'::text, 'cancelled'::text, 'archived'::text] WHEN 'on_hold'::text THEN ARRAY['scheduled'::text, 'in_progress'::text, 'cancelled'::text, 'archived'::text] WHEN 'completed'::text THEN ARRAY['invoiced'::text] WHEN 'cancelled'::text THEN ARRAY['quoted'::text, 'scheduled'::text, 'archived'::text] WHEN 'invoiced'::text THEN ARRAY['paid'::text] WHEN 'paid'::text THEN ARRAY['archived'::text] WHEN 'archived'::text THEN ARRAY['scheduled'::text, 'quoted'::text] ELSE ARRAY[]::text[] END;
ALTER FUNCTION app.job_next_statuses(p_status text) OWNER TO app_owner;

CREATE FUNCTION app.load_permissions(p_matrix jsonb) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_changed bigint := 0;
  v_count   bigint;
begin
  delete from app.role_permissions rp
   where not exists (select from jsonb_to_recordset(p_matrix) as w(role text, permission text, scope text)
                      where w.role = rp.role and w.permission = rp.permission);
  get diagnostics v_changed = row_count;
  insert into app.role_permissions as rp (role, permission, scope)
  select w.role, w.permission, w.scope from jsonb_to_recordset(p_matrix) as w(role text, permission text, scope text)
  on conflict (role, permission) do update set scope = excluded.scope where rp.scope <> excluded.scope;
  get diagnostics v_count = row_count;
  return v_changed + v_count;
end $$;
ALTER FUNCTION app.load_permissions(p_matrix jsonb) OWNER TO app_owner;

COMMENT ON FUNCTION app.load_permissions(p_matrix jsonb) IS 'Replaces the matrix by the given rows; members are recomputed when anything changed.';

CREATE FUNCTION app.log_role_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  insert into public.role_change_log (company_id, user_id, changed_by, old_role, new_role, old_role_id, new_role_id,
                                      old_permissions, new_permissions, reason)
  values (new.company_id, new.user_id, auth.uid(), old.role, new.role, old.role_id, new.role_id,
          old.permissions, new.permissions, nullif(current_setting('app.change_reason', true), ''));
  return null;
end $$;
ALTER FUNCTION app.log_role_change() OWNER TO app_definer;

CREATE FUNCTION app.member_added() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  update public.companies c set owner_id = new.user_id where c.id = new.company_id and c.owner_id is null;
  return null;
end $$;
ALTER FUNCTION app.member_added() OWNER TO app_definer;

CREATE FUNCTION app.member_role() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(current_setting('app.member_role'::text, true), ''::text);
ALTER FUNCTION app.member_role() OWNER TO app_owner;

COMMENT ON FUNCTION app.member_role() IS 'What the caller is in the company of this transaction, or NULL.';

CREATE FUNCTION app.next_number(p_company_id uuid, p_name text) RETURNS bigint
    LANGUAGE sql
    SET search_path TO ''
    AS $$
  insert into app.counters as c (company_id, name, value) values (p_company_id, p_name, 1)
  on conflict (company_id, name) do update set value = c.value + 1
  returning c.value;
$$;
ALTER FUNCTION app.next_number(p_company_id uuid, p_name text) OWNER TO app_owner;

CREATE FUNCTION app.number_job() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $_$
declare
  v_zone  text;
  v_given text;
begin
  if coalesce(btrim(new.job_number), '') = '' then
    select c.business_timezone into v_zone from public.companies c where c.id = new.company_id;
    if not found then
      return new; -- The row is refused by its policy or its key, which say why.
    end if;
    new.job_number := format('JOB-%s-%s', to_char(now() at time zone v_zone, 'YYYY'),
      (select case when n.value < 1000 then lpad(n.value::text, 3, '0') else n.value::text end
         from (select app.next_number(new.company_id, 'job') as value) n));
  else
    -- A number that was brought along, from an import, is not given again.
    v_given := substring(new.job_number from '^JOB-\d{4}-(\d{1,12})$');
    if v_given is not null and exists (select from public.companies c where c.id = new.company_id) then
      insert into app.counters as c (company_id, name, value) values (new.company_id, 'job', v_given::bigint)
      on conflict (company_id, name) do update set value = greatest(c.value, excluded.value);
    end if;
  end if;
  return new;
end $_$;
ALTER FUNCTION app.number_job() OWNER TO app_definer;

CREATE FUNCTION app.open_request(p_kind text, p_user_id uuid, p_session_id uuid, p_company_id uuid, p_claims jsonb, p_permission text, p_company_required boolean, OUT role text, OUT company_id uuid, OUT user_id uuid, OUT member_role text, OUT permissions text, OUT claims text) RETURNS record
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_row record;
begin
  permissions := '';
  case p_kind
    when 'anon' then
      role := 'anon';
    when 'service', 'system' then
      role := 'service_role';
      company_id := p_company_id;
      if p_company_id is not null and not exists (select from public.companies c where c.id = p_company_id) then
        raise exception using errcode = 'TH404', constraint = 'company_not_found', message = 'There is no such company.';
      end if;
    when 'user' then
      select u.id, m.company_id as member_company_id, m.role, m.effective_permissions,
             coalesce(p_company_id, s.active_company_id) as wanted_company_id
        into v_row
        from auth.users u
        left join auth.sessions s
          on s.id = p_session_id and s.user_id = u.id and s.revoked_at is null and (s.not_after is null or s.not_after > now())
        left join public.team_members m
          on m.company_id = coalesce(p_company_id, s.active_company_id) and m.user_id = u.id
         and m.status = 'active' and m.archived_at is null
         and exists (select from public.companies c
                      where c.id = m.company_id and c.deleted_at is null and c.archived_at is null)
       where u.id = p_user_id and u.deleted_at is null and (u.banned_until is null or u.banned_until <= now())
         and (p_session_id is null or s.id is not null);
      if not found then
        raise exception using errcode = 'TH401', constraint = 'session_not_found',
          message = 'The session is over. Sign in again.';
      end if;
      if v_row.wanted_company_id is not null and v_row.member_company_id is null then
        raise exception using errcode = 'TH403', constraint = 'company_not_member',
          message = 'You are not an active member of this company.',
          hint = 'Choose another company: my_companies() lists yours.';
      end if;
      role := 'authenticated';
      user_id := v_row.id;
      company_id := v_row.member_company_id;
      member_role := v_row.role;
      permissions := coalesce(v_row.effective_permissions, '');
    else
      raise exception using errcode = '22023', message = 'unknown kind of caller';
  end case;
  if coalesce(p_company_required, false) and company_id is null then
    raise exception using errcode = 'TH403', constraint = 'company_required',
      message = 'No company is chosen.',
      hint = 'Make one active with POST /auth/v1/company, or send the header X-Company-Id.';
  end if;
  if p_permission is not null and role <> 'service_role'
     and strpos(permissions, ',' || p_permission || ',') = 0
     and strpos(permissions, ',' || p_permission || '_assigned,') = 0
     and strpos(permissions, ',' || p_permission || '_own,') = 0 then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = format('You need the permission %s.', p_permission);
  end if;
  -- What a token says of company and role counts for nothing.
  claims := ((coalesce(p_claims, '{}') - 'company_id' - 'member_role')
    || jsonb_build_object('role', role)
    || case when user_id is null then '{}' else jsonb_build_object('sub', user_id) end
    || case when company_id is null then '{}' else jsonb_build_object('company_id', company_id) end
    || case when member_role is null then '{}' else jsonb_build_object('member_role', member_role) end)::text;
end $$;
ALTER FUNCTION app.open_request(p_kind text, p_user_id uuid, p_session_id uuid, p_company_id uuid, p_claims jsonb, p_permission text, p_company_required boolean, OUT role text, OUT company_id uuid, OUT user_id uuid, OUT member_role text, OUT permissions text, OUT claims text) OWNER TO app_definer;

CREATE FUNCTION app.protect(p_table regclass, p_noun text, p_soft_delete boolean DEFAULT false, p_assigned_column text DEFAULT NULL::text, p_own_column text DEFAULT NULL::text, p_tenant_column text DEFAULT 'company_id'::text, p_verbs text[] DEFAULT '{read,create,update,delete}'::text[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_policy    record;
  v_verb      text;
  v_command   text;
  v_condition text;
begin
  if not p_verbs <@ array['read', 'create', 'update', 'delete'] then
    raise exception using errcode = '22023', message = format('unknown verb in %s', p_verbs),
      hint = 'Verbs are read, create, update, delete; restore follows from p_soft_delete.';
  end if;
  perform app.enclose(p_table);
  for v_policy in
    select polname from pg_catalog.pg_policy
     where polrelid = p_table and polname not in ('app_owner_all', 'app_definer_all', 'service_role_all')
  loop
    execute format('drop policy %I on %s', v_policy.polname, p_table);
  end loop;
  execute format('create policy tenant_isolation on %s as restrictive for all to anon, authenticated
                    using (%I = (select app.company_id())) with check (%I = (select app.company_id()))',
                 p_table, p_tenant_column, p_tenant_column);
  execute format('revoke all on %s from public, anon, authenticated, service_role', p_table);
  execute format('grant select, insert, update, delete on %s to service_role', p_table);
  foreach v_verb in array p_verbs loop
    v_command := case v_verb when 'read' then 'select' when 'create' then 'insert' else v_verb end;
    v_condition := app.scope_condition(p_noun, v_verb, p_assigned_column, p_own_column);
    execute format('grant %s on %s to authenticated', v_command, p_table);
    execute format('create policy %I on %s as permissive for %s to authenticated', 'member_' || v_verb, p_table, v_command)
      || case v_verb
           when 'create' then format(' with check (%s)', v_condition)
           when 'update' then format(' using (%s) with check (%s)', v_condition, v_condition)
           else format(' using (%s)', v_condition) end;
  end loop;
  if exists (select from pg_catalog.pg_attribute where attrelid = p_table and attname = 'version' and not attisdropped) then
    execute format('create or replace trigger touch before update on %s for each row execute function app.touch()', p_table);
  end if;
  if p_soft_delete then
    execute format('create or replace trigger guard_soft_delete before insert or update on %s
                      for each row execute function app.guard_soft_delete(%L)', p_table, p_noun);
  end if;
  insert into app.protected_tables as t (table_name, noun, soft_delete, assigned_column, own_column, tenant_column, verbs)
  values (p_table::text, p_noun, p_soft_delete, p_assigned_column, p_own_column, p_tenant_column, p_verbs)
  on conflict (table_name) do update
     set noun = excluded.noun, soft_delete = excluded.soft_delete, assigned_column = excluded.assigned_column,
         own_column = excluded.own_column, tenant_column = excluded.tenant_column, verbs = excluded.verbs;
end $$;
ALTER FUNCTION app.protect(p_table regclass, p_noun text, p_soft_delete boolean, p_assigned_column text, p_own_column text, p_tenant_column text, p_verbs text[]) OWNER TO app_owner;

COMMENT ON FUNCTION app.protect(p_table regclass, p_noun text, p_soft_delete boolean, p_assigned_column text, p_own_column text, p_tenant_column text, p_verbs text[]) IS 'Declares a table of a company: policies by permission, grants, triggers, and its row in app.protected_tables.';

CREATE FUNCTION app.refresh_effective_permissions() RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_changed bigint;
begin
  update public.team_members m
     set effective_permissions = c.computed
    from (select t.company_id, t.id,
                 app.effective_permissions(t.company_id, t.role, t.role_id, t.permissions) as computed
            from public.team_members t) c
   where m.company_id = c.company_id and m.id = c.id and m.effective_permissions is distinct from c.computed;
  get diagnostics v_changed = row_count;
  return v_changed;
end $$;
ALTER FUNCTION app.refresh_effective_permissions() OWNER TO app_owner;

CREATE FUNCTION app.role_permissions_changed() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if exists (select from changed) then
    perform app.refresh_effective_permissions();
  end if;
  return null;
end $$;
ALTER FUNCTION app.role_permissions_changed() OWNER TO app_owner;

CREATE FUNCTION app.scope_condition(p_noun text, p_verb text, p_assigned_column text, p_own_column text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    RETURN ((format('(select app.has_permission(%L))'::text, ((p_noun || ':'::text) || p_verb)) || CASE WHEN (p_assigned_column IS NULL) THEN ''::text ELSE format(' or ((select app.has_permission(%L)) and %I = (select auth.uid()))'::text, (((p_noun || ':'::text) || p_verb) || '_assigned'::text), p_assigned_column) END) || CASE WHEN (p_own_column IS NULL) THEN ''::text ELSE format(' or ((select app.has_permission(%L)) and %I = (select auth.uid()))'::text, (((p_noun || ':'::text) || p_verb) || '_own'::text), p_own_column) END);
ALTER FUNCTION app.scope_condition(p_noun text, p_verb text, p_assigned_column text, p_own_column text) OWNER TO app_owner;

CREATE FUNCTION app.slug_of(p_name text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    RETURN btrim("left"(btrim(regexp_replace(lower(p_name), '[^a-z0-9]+'::text, '-'::text, 'g'::text), '-'::text), 50), '-'::text);
ALTER FUNCTION app.slug_of(p_name text) OWNER TO app_owner;

CREATE FUNCTION app.sync_member_name() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
begin
  update public.team_members set name = new.name, email = new.email where user_id = new.id;
  return null;
end $$;
ALTER FUNCTION app.sync_member_name() OWNER TO app_definer;

CREATE FUNCTION app.sync_user() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
declare
  v_name text := nullif(btrim(coalesce(new.raw_user_meta_data ->> 'name', new.raw_user_meta_data ->> 'full_name')), '');
begin
  insert into public.users as u (id, name, email, avatar, phone, email_verified, is_active, last_login_at)
  values (new.id,
          left(coalesce(v_name, nullif(btrim(new.email), ''), new.phone, 'Guest'), 200),
          coalesce(btrim(new.email), ''),
          left(nullif(new.raw_user_meta_data ->> 'avatar_url', ''), 2048),
          new.phone,
          new.email_confirmed_at is not null,
          new.deleted_at is null,
          new.last_sign_in_at)
  on conflict (id) do update
     set email = excluded.email,
         email_verified = excluded.email_verified,
         is_active = excluded.is_active,
         last_login_at = excluded.last_login_at,
         -- A name that the person changed in his profile stays until he changes the account's.
         name = case when tg_op = 'UPDATE' and v_name is not null
                      and old.raw_user_meta_data is distinct from new.raw_user_meta_data
                     then excluded.name else u.name end;
  return null;
end $$;
ALTER FUNCTION app.sync_user() OWNER TO app_definer;

CREATE FUNCTION app.touch() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  new.updated_at := now();
  new.version := old.version + 1;
  if current_user = 'authenticated' then
    new.created_at := old.created_at;
  end if;
  return new;
end $$;
ALTER FUNCTION app.touch() OWNER TO app_owner;

COMMENT ON FUNCTION app.touch() IS 'Before each update: updated_at, version + 1; a member cannot change created_at.';

CREATE FUNCTION auth.email() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ((NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb ->> 'email'::text);
ALTER FUNCTION auth.email() OWNER TO app_owner;

CREATE FUNCTION auth.get_user_company_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN app.company_id();
ALTER FUNCTION auth.get_user_company_id() OWNER TO app_owner;

CREATE FUNCTION auth.jwt() RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb;
ALTER FUNCTION auth.jwt() OWNER TO app_owner;

CREATE FUNCTION auth.role() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN COALESCE(NULLIF(current_setting('role'::text, true), 'none'::text), ((NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb ->> 'role'::text));
ALTER FUNCTION auth.role() OWNER TO app_owner;

CREATE FUNCTION public.accept_invitation(token text) RETURNS public.team_members
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
  v_user   uuid := app.caller();
  v_row    public.invitations;
  v_member public.team_members;
begin
  select * into v_row from public.invitations i
   where i.token_hash = encode(sha256(convert_to(coalesce(accept_invitation.token, ''), 'UTF8')), 'hex')
   for no key update;
  if not found or v_row.used_at is not null or v_row.expires_at <= now() then
    raise exception using errcode = 'TH404', constraint = 'invitation_not_found',
      message = 'This invitation does not exist, was used or is over.';
  end if;
  if not exists (select from auth.users u where u.id = v_user and u.email_key = v_row.email_key
                    and u.email_confirmed_at is not null) then
    raise exception using errcode = 'TH403', constraint = 'invitation_other_address',
      message = 'This invitation is for another, confirmed e-mail address.';
  end if;
  insert into public.team_members (company_id, user_id, role, role_id, department_id, invited_by, invited_at)
  values (v_row.company_id, v_user, v_row.role, v_row.role_id, v_row.department_id, v_row.invited_by, v_row.created_at)
  on conflict (company_id, user_id) do nothing
  returning * into v_member;
  if not found then
    raise exception using errcode = 'TH409', constraint = 'already_member', message = 'You are a member already.';
  end if;
  update public.invitations i set used_at = now(), accepted_by = v_user
   where i.company_id = v_row.company_id and i.id = v_row.id;
  perform app.activate_if_none(v_row.company_id);
  return v_member;
end $$;
ALTER FUNCTION public.accept_invitation(token text) OWNER TO app_definer;

CREATE FUNCTION public.change_member_role(user_id uuid, role text, reason text DEFAULT NULL::text) RETURNS public.team_members
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
  v_member public.team_members;
begin
  perform set_config('app.change_reason', coalesce(left(change_member_role.reason, 500), ''), true);
  update public.team_members m set role = change_member_role.role
   where m.company_id = app.company_id() and m.user_id = change_member_role.user_id
  returning * into v_member;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'member_not_found',
      message = 'There is no such member whose role you may change.';
  end if;
  perform set_config('app.change_reason', '', true);
  return v_member;
end $$;
ALTER FUNCTION public.change_member_role(user_id uuid, role text, reason text) OWNER TO app_owner;

CREATE TABLE public.companies (
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    external_id text,
    name text NOT NULL,
    slug text NOT NULL,
    owner_id uuid,
    industry text,
    legal_name text,
    doing_business_as text,
    logo text,
    email text,
    phone text,
    support_email text,
    support_phone text,
    website text,
    address text,
    address2 text,
    city text,
    state text,
    zip_code text,
    country text DEFAULT 'USA'::text NOT NULL,
    lat double precision,
    lon double precision,
    license_number text,
    tax_id text,
    company_size text,
    brand_color text,
    business_timezone text DEFAULT 'America/New_York'::text NOT NULL,
    currency text DEFAULT 'USD'::text NOT NULL,
    settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    onboarding_step integer DEFAULT 0 NOT NULL,
    onboarding_progress jsonb DEFAULT '{}'::jsonb NOT NULL,
    onboarding_completed_at timestamp with time zone,
    subscription_tier text DEFAULT 'free'::text NOT NULL,
    subscription_status text DEFAULT 'active'::text NOT NULL,
    max_seats integer DEFAULT 5 NOT NULL,
    trial_ends_at timestamp with time zone,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT companies_address2_check CHECK ((length(address2) <= 300)),
    CONSTRAINT companies_address_check CHECK ((length(address) <= 300)),
    CONSTRAINT companies_brand_color_check CHECK ((brand_color ~ '^#[0-9A-Fa-f]{6}$'::text)),
    CONSTRAINT companies_business_timezone_check CHECK ((length(business_timezone) <= 64)),
    CONSTRAINT companies_city_check CHECK ((length(city) <= 120)),
    CONSTRAINT companies_company_size_check CHECK ((length(company_size) <= 40)),
    CONSTRAINT companies_country_check CHECK ((length(country) <= 60)),
    CONSTRAINT companies_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT companies_doing_business_as_check CHECK ((length(doing_business_as) <= 200)),
    CONSTRAINT companies_email_check CHECK ((length(email) <= 254)),
    CONSTRAINT companies_external_id_check CHECK (((length(external_id) >= 1) AND (length(external_id) <= 255))),
    CONSTRAINT companies_industry_check CHECK (((length(industry) >= 1) AND (length(industry) <= 100))),
    CONSTRAINT companies_lat_check CHECK (((lat >= ('-90'::integer)::double precision) AND (lat <= (90)::double precision))),
    CONSTRAINT companies_legal_name_check CHECK ((length(legal_name) <= 200)),
    CONSTRAINT companies_license_number_check CHECK ((length(license_number) <= 100)),
    CONSTRAINT companies_logo_check CHECK ((length(logo) <= 2048)),
    CONSTRAINT companies_lon_check CHECK (((lon >= ('-180'::integer)::double precision) AND (lon <= (180)::double precision))),
    CONSTRAINT companies_max_seats_check CHECK ((max_seats > 0)),
    CONSTRAINT companies_name_check CHECK (((length(btrim(name)) >= 1) AND (length(btrim(name)) <= 200))),
    CONSTRAINT companies_onboarding_progress_check CHECK ((jsonb_typeof(onboarding_progress) = 'object'::text)),
    CONSTRAINT companies_onboarding_step_check CHECK ((onboarding_step >= 0)),
    CONSTRAINT companies_phone_check CHECK ((length(phone) <= 32)),
    CONSTRAINT companies_settings_check CHECK ((jsonb_typeof(settings) = 'object'::text)),
    CONSTRAINT companies_slug_check CHECK (((slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'::text) AND ((length(slug) >= 2) AND (length(slug) <= 63)))),
    CONSTRAINT companies_state_check CHECK ((length(state) <= 120)),
    CONSTRAINT companies_subscription_status_check CHECK ((subscription_status = ANY (ARRAY['active'::text, 'trialing'::text, 'past_due'::text, 'incomplete'::text, 'cancelled'::text]))),
    CONSTRAINT companies_subscription_tier_check CHECK ((subscription_tier = ANY (ARRAY['free'::text, 'starter'::text, 'pro'::text, 'enterprise'::text]))),
    CONSTRAINT companies_support_email_check CHECK ((length(support_email) <= 254)),
    CONSTRAINT companies_support_phone_check CHECK ((length(support_phone) <= 32)),
    CONSTRAINT companies_tax_id_check CHECK ((length(tax_id) <= 100)),
    CONSTRAINT companies_website_check CHECK ((length(website) <= 2048)),
    CONSTRAINT companies_zip_code_check CHECK ((length(zip_code) <= 20))
);
ALTER TABLE ONLY public.companies FORCE ROW LEVEL SECURITY;
ALTER TABLE public.companies OWNER TO app_owner;

COMMENT ON TABLE public.companies IS 'The tenant: one business.';

CREATE FUNCTION public.create_company_with_owner(name text, slug text DEFAULT NULL::text, industry text DEFAULT NULL::text) RETURNS public.companies
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $_$
#variable_conflict use_column
declare
  v_user    uuid := app.caller();
  v_name    text := btrim(create_company_with_owner.name);
  v_slug    text := lower(btrim(create_company_with_owner.slug));
  v_company public.companies;
begin
  if v_name is null or length(v_name) not between 1 and 200 then
    raise exception using errcode = 'TH422', constraint = 'company_name_invalid',
      message = 'A company needs a name of 1 to 200 characters.';
  end if;
  if v_slug is null then
    v_slug := app.slug_of(v_name);
    if length(v_slug) < 2 or exists (select from public.companies c where c.slug = v_slug) then
      v_slug := btrim(v_slug || '-' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 8), '-');
    end if;
  end if;
  if v_slug !~ '^[a-z0-9]+(-[a-z0-9]+)*$' or length(v_slug) not between 2 and 63 then
    raise exception using errcode = 'TH422', constraint = 'company_slug_invalid',
      message = 'A slug has 2 to 63 lower-case letters and digits, in groups joined by single hyphens.';
  end if;
  begin
    insert into public.companies (name, slug, industry, owner_id, created_by)
    values (v_name, v_slug, nullif(btrim(create_company_with_owner.industry), ''), v_user, v_user)
    returning * into v_company;
  exception when unique_violation then
    raise exception using errcode = 'TH409', constraint = 'company_slug_taken',
      message = format('The slug "%s" is taken.', v_slug);
  end;
  insert into public.team_members (company_id, user_id, role, status) values (v_company.id, v_user, 'owner', 'active');
  perform app.activate_if_none(v_company.id);
  return v_company;
end $_$;
ALTER FUNCTION public.create_company_with_owner(name text, slug text, industry text) OWNER TO app_definer;

CREATE FUNCTION public.create_tenant_policy(schema_name text, table_name text, policy_name text DEFAULT 'tenant_isolation'::text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
declare
  v_table  constant regclass := format('%I.%I', schema_name, table_name)::regclass;
  v_column text;
begin
  select a.attname into v_column from pg_catalog.pg_attribute a
   where a.attrelid = v_table and a.attname in ('company_id', 'tenant_id', 'organization_id') and not a.attisdropped
   order by a.attname limit 1;
  if not found then
    raise exception using errcode = '42703', message = format('%s has no column company_id', v_table),
      hint = 'The column may also be called tenant_id or organization_id.';
  end if;
  perform app.protect(v_table, create_tenant_policy.table_name, p_tenant_column => v_column);
  if policy_name <> 'tenant_isolation' then
    execute format('alter policy tenant_isolation on %s rename to %I', v_table, policy_name);
  end if;
end $$;
ALTER FUNCTION public.create_tenant_policy(schema_name text, table_name text, policy_name text) OWNER TO app_owner;

CREATE FUNCTION public.get_current_tenant_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN app.company_id();
ALTER FUNCTION public.get_current_tenant_id() OWNER TO app_owner;

CREATE FUNCTION public.invite_member(email text, role text, name text DEFAULT NULL::text, role_id uuid DEFAULT NULL::uuid, department_id uuid DEFAULT NULL::uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
  v_user    uuid := app.caller();
  v_company uuid := app.company_id();
  -- 244 random bits.
  v_token   text := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
  v_row     public.invitations;
begin
  if v_company is null then
    raise exception using errcode = 'TH403', constraint = 'company_required', message = 'No company is chosen.';
  end if;
  if not app.has_permission('members:invite') then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = 'You need the permission members:invite.';
  end if;
  perform app.check_grantable('', app.effective_permissions(v_company, invite_member.role, invite_member.role_id, '{}'));
  if exists (select from public.team_members m join auth.users u on u.id = m.user_id
              where m.company_id = v_company and u.email_key = lower(btrim(invite_member.email))) then
    raise exception using errcode = 'TH409', constraint = 'already_member', message = 'This person is a member already.';
  end if;
  -- A new invitation to the same address takes the place of the open one.
  delete from public.invitations i
   where i.company_id = v_company and i.email_key = lower(btrim(invite_member.email)) and i.used_at is null;
  insert into public.invitations (company_id, email, name, role, role_id, department_id, token_hash, invited_by)
  values (v_company, btrim(invite_member.email), invite_member.name, invite_member.role, invite_member.role_id,
          invite_member.department_id, encode(sha256(v_token::bytea), 'hex'), v_user)
  returning * into v_row;
  return (to_jsonb(v_row) - 'token_hash') || jsonb_build_object('token', v_token);
end $$;
ALTER FUNCTION public.invite_member(email text, role text, name text, role_id uuid, department_id uuid) OWNER TO app_definer;

CREATE FUNCTION public.my_companies() RETURNS TABLE(id uuid, name text, slug text, industry text, logo text, member_role text, status text, is_active boolean, joined_at timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS $$
  select c.id, c.name, c.slug, c.industry, c.logo, m.role, m.status,
         c.id is not distinct from app.company_id(), m.joined_at
    from public.team_members m
    join public.companies c on c.id = m.company_id
   where m.user_id = auth.uid() and m.archived_at is null and c.deleted_at is null and c.archived_at is null
   order by c.name, c.id;
$$;
ALTER FUNCTION public.my_companies() OWNER TO app_definer;

COMMENT ON FUNCTION public.my_companies() IS 'The companies of the caller; is_active marks the one of this request.';

CREATE FUNCTION public.set_config(setting_name text, setting_value text) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  if set_config.setting_name is distinct from 'app.current_tenant_id' then
    raise exception using errcode = 'TH403', constraint = 'setting_not_allowed',
      message = 'Only app.current_tenant_id can be set this way.';
  end if;
  if current_user <> 'service_role' then
    raise exception using errcode = 'TH403', constraint = 'setting_not_allowed',
      message = 'Only a service program can set the company this way.', hint = 'Send the header X-Company-Id.';
  end if;
  -- A value that is no id is refused here and not by every later statement.
  return pg_catalog.set_config('app.current_tenant_id', (nullif(set_config.setting_value, '')::uuid)::text, true);
end $$;
ALTER FUNCTION public.set_config(setting_name text, setting_value text) OWNER TO app_owner;

CREATE FUNCTION public.transfer_company_ownership(new_owner_id uuid, reason text DEFAULT NULL::text) RETURNS public.companies
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
#variable_conflict use_column
declare
  v_user    uuid := app.caller();
  v_company public.companies;
begin
  select * into v_company from public.companies c where c.id = app.company_id() for no key update;
  if v_company.owner_id is distinct from v_user then
    raise exception using errcode = 'TH403', constraint = 'owner_required',
      message = 'Only the owner can hand the company over.';
  end if;
  if transfer_company_ownership.new_owner_id is null or transfer_company_ownership.new_owner_id = v_user
     or not exists (select from public.team_members m
                     where m.company_id = v_company.id and m.user_id = transfer_company_ownership.new_owner_id
                       and m.status = 'active' and m.archived_at is null) then
    raise exception using errcode = 'TH422', constraint = 'new_owner_invalid',
      message = 'The new owner must be another active member of the company.';
  end if;
  perform set_config('app.change_reason', coalesce(left(transfer_company_ownership.reason, 500), ''), true);
  -- The old owner steps down first: there is never a second one.
  update public.team_members m set role = 'admin' where m.company_id = v_company.id and m.user_id = v_user;
  update public.team_members m set role = 'owner'
   where m.company_id = v_company.id and m.user_id = transfer_company_ownership.new_owner_id;
  update public.companies c set owner_id = transfer_company_ownership.new_owner_id where c.id = v_company.id
    returning * into v_company;
  insert into public.ownership_transfers (company_id, from_user_id, to_user_id, reason, user_agent)
  values (v_company.id, v_user, v_company.owner_id, left(transfer_company_ownership.reason, 500),
          left(nullif(current_setting('request.headers', true), '')::jsonb ->> 'user-agent', 500));
  perform set_config('app.change_reason', '', true);
  return v_company;
end $$;
ALTER FUNCTION public.transfer_company_ownership(new_owner_id uuid, reason text) OWNER TO app_definer;

CREATE FUNCTION public.update_updated_at_column() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS $$
begin
  new.updated_at := now();
  return new;
end $$;
ALTER FUNCTION public.update_updated_at_column() OWNER TO app_owner;

CREATE TABLE app.applied_code (
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY app.applied_code FORCE ROW LEVEL SECURITY;
ALTER TABLE app.applied_code OWNER TO app_owner;

CREATE TABLE app.backfills (
    version text NOT NULL,
    table_name text NOT NULL,
    statement text NOT NULL,
    last_key text[],
    rows_done bigint DEFAULT 0 NOT NULL,
    batches bigint DEFAULT 0 NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone
);
ALTER TABLE ONLY app.backfills FORCE ROW LEVEL SECURITY;
ALTER TABLE app.backfills OWNER TO app_owner;

CREATE TABLE app.counters (
    company_id uuid NOT NULL,
    name text NOT NULL,
    value bigint DEFAULT 0 NOT NULL,
    CONSTRAINT counters_name_check CHECK (((length(name) >= 1) AND (length(name) <= 63))),
    CONSTRAINT counters_value_check CHECK ((value >= 0))
);
ALTER TABLE ONLY app.counters FORCE ROW LEVEL SECURITY;
ALTER TABLE app.counters OWNER TO app_owner;

COMMENT ON TABLE app.counters IS 'The last number given, per company and kind. Taken last in a transaction: the row stays locked until commit.';

CREATE TABLE app.migrations (
    version text NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    duration_ms bigint NOT NULL
);
ALTER TABLE ONLY app.migrations FORCE ROW LEVEL SECURITY;
ALTER TABLE app.migrations OWNER TO app_owner;

CREATE TABLE app.protected_tables (
    table_name text NOT NULL,
    noun text NOT NULL,
    soft_delete boolean DEFAULT false NOT NULL,
    assigned_column text,
    own_column text,
    tenant_column text,
    verbs text[] NOT NULL
);
ALTER TABLE ONLY app.protected_tables FORCE ROW LEVEL SECURITY;
ALTER TABLE app.protected_tables OWNER TO app_owner;

COMMENT ON TABLE app.protected_tables IS 'One row per table that app.protect declared; tenant_column is null for tables of no company.';

CREATE TABLE app.role_permissions (
    role text NOT NULL,
    permission text NOT NULL,
    scope text NOT NULL,
    CONSTRAINT role_permissions_permission_check CHECK (((permission ~ '^[a-z][a-z_]{0,62}:[a-z][a-z_]{0,62}$'::text) AND (permission !~ '_(assigned|own)$'::text))),
    CONSTRAINT role_permissions_role_check CHECK ((role ~ '^[a-z][a-z_]{0,62}$'::text)),
    CONSTRAINT role_permissions_scope_check CHECK ((scope = ANY (ARRAY['all'::text, 'assigned'::text, 'own'::text])))
);
ALTER TABLE ONLY app.role_permissions FORCE ROW LEVEL SECURITY;
ALTER TABLE app.role_permissions OWNER TO app_owner;

COMMENT ON TABLE app.role_permissions IS 'What each role may do, loaded from db/permissions.toml at every migrate.';

CREATE TABLE app.schema_fingerprints (
    taken_at timestamp with time zone DEFAULT now() NOT NULL,
    objects jsonb NOT NULL
);
ALTER TABLE ONLY app.schema_fingerprints FORCE ROW LEVEL SECURITY;
ALTER TABLE app.schema_fingerprints OWNER TO app_owner;

CREATE TABLE auth.identities (
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    user_id uuid NOT NULL,
    provider text NOT NULL,
    provider_id text NOT NULL,
    identity_data jsonb DEFAULT '{}'::jsonb NOT NULL,
    email text GENERATED ALWAYS AS (lower((identity_data ->> 'email'::text))) STORED,
    last_sign_in_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT identities_identity_data_check CHECK ((jsonb_typeof(identity_data) = 'object'::text)),
    CONSTRAINT identities_provider_check CHECK (((length(provider) >= 1) AND (length(provider) <= 100))),
    CONSTRAINT identities_provider_id_check CHECK (((length(provider_id) >= 1) AND (length(provider_id) <= 512)))
);
ALTER TABLE ONLY auth.identities FORCE ROW LEVEL SECURITY;
ALTER TABLE auth.identities OWNER TO app_owner;

CREATE TABLE auth.sessions (
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    user_id uuid NOT NULL,
    active_company_id uuid,
    aal text DEFAULT 'aal1'::text NOT NULL,
    amr jsonb DEFAULT '[]'::jsonb NOT NULL,
    refresh_counter bigint DEFAULT 0 NOT NULL,
    refreshed_at timestamp with time zone,
    not_after timestamp with time zone,
    revoked_at timestamp with time zone,
    user_agent text,
    ip inet,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT sessions_aal_check CHECK ((aal = ANY (ARRAY['aal1'::text, 'aal2'::text, 'aal3'::text]))),
    CONSTRAINT sessions_amr_check CHECK ((jsonb_typeof(amr) = 'array'::text)),
    CONSTRAINT sessions_refresh_counter_check CHECK ((refresh_counter >= 0)),
    CONSTRAINT sessions_user_agent_check CHECK ((length(user_agent) <= 1000))
);
ALTER TABLE ONLY auth.sessions FORCE ROW LEVEL SECURITY;
ALTER TABLE auth.sessions OWNER TO app_owner;

CREATE TABLE auth.users (
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    aud text DEFAULT 'authenticated'::text NOT NULL,
    role text DEFAULT 'authenticated'::text NOT NULL,
    email text,
    email_key text GENERATED ALWAYS AS (lower(btrim(email))) STORED,
    encrypted_password text,
    email_confirmed_at timestamp with time zone,
    phone text,
    phone_confirmed_at timestamp with time zone,
    confirmed_at timestamp with time zone GENERATED ALWAYS AS (LEAST(email_confirmed_at, phone_confirmed_at)) STORED,
    invited_at timestamp with time zone,
    confirmation_sent_at timestamp with time zone,
    recovery_sent_at timestamp with time zone,
    email_change text,
    email_change_sent_at timestamp with time zone,
    phone_change text,
    phone_change_sent_at timestamp with time zone,
    reauthentication_sent_at timestamp with time zone,
    last_sign_in_at timestamp with time zone,
    raw_app_meta_data jsonb DEFAULT '{"provider": "email", "providers": ["email"]}'::jsonb NOT NULL,
    raw_user_meta_data jsonb DEFAULT '{}'::jsonb NOT NULL,
    is_sso_user boolean DEFAULT false NOT NULL,
    is_anonymous boolean DEFAULT false NOT NULL,
    banned_until timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT users_email_check CHECK ((((length(email) >= 3) AND (length(email) <= 254)) AND (email ~~ '%_@_%'::text))),
    CONSTRAINT users_phone_check CHECK (((length(phone) >= 3) AND (length(phone) <= 32))),
    CONSTRAINT users_raw_app_meta_data_check CHECK ((jsonb_typeof(raw_app_meta_data) = 'object'::text)),
    CONSTRAINT users_raw_user_meta_data_check CHECK ((jsonb_typeof(raw_user_meta_data) = 'object'::text)),
    CONSTRAINT users_role_check CHECK ((role = ANY (ARRAY['authenticated'::text, 'service_role'::text])))
);
ALTER TABLE ONLY auth.users FORCE ROW LEVEL SECURITY;
ALTER TABLE auth.users OWNER TO app_owner;

COMMENT ON TABLE auth.users IS 'Accounts. Reached by the auth service only.';

CREATE VIEW home_services.work_orders WITH (security_invoker='true') AS
 SELECT jobs.id,
    jobs.company_id AS tenant_id,
    jobs.customer_id,
    jobs.assigned_to AS technician_id,
    jobs.title,
    jobs.service_type,
    jobs.status,
    jobs.scheduled_start AS scheduled_at,
    jobs.actual_end AS completed_at,
    jobs.notes,
    jobs.metadata,
    jobs.created_at,
    jobs.updated_at
   FROM public.jobs
  WHERE (jobs.deleted_at IS NULL);
ALTER TABLE home_services.work_orders OWNER TO app_owner;

CREATE TABLE public.custom_roles (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    name text NOT NULL,
    description text,
    permissions jsonb DEFAULT '{}'::jsonb NOT NULL,
    color text,
    is_system boolean DEFAULT false NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT custom_roles_color_check CHECK ((length(color) <= 32)),
    CONSTRAINT custom_roles_description_check CHECK ((length(description) <= 2000)),
    CONSTRAINT custom_roles_name_check CHECK (((length(btrim(name)) >= 1) AND (length(btrim(name)) <= 120))),
    CONSTRAINT custom_roles_permissions_check CHECK ((jsonb_typeof(permissions) = 'object'::text))
);
ALTER TABLE ONLY public.custom_roles FORCE ROW LEVEL SECURITY;
ALTER TABLE public.custom_roles OWNER TO app_owner;

COMMENT ON COLUMN public.custom_roles.permissions IS 'Permission to true or false, laid over the member''s role.';

CREATE TABLE public.customers (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    user_id uuid,
    type text DEFAULT 'residential'::text NOT NULL,
    first_name text DEFAULT ''::text NOT NULL,
    last_name text DEFAULT ''::text NOT NULL,
    company_name text,
    display_name text DEFAULT ''::text NOT NULL,
    email text,
    email_key text,
    phone text,
    secondary_phone text,
    address text,
    address2 text,
    city text,
    state text,
    zip_code text,
    country text DEFAULT 'USA'::text,
    lat double precision,
    lon double precision,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    source text,
    referred_by uuid,
    communication_preferences jsonb DEFAULT '{}'::jsonb NOT NULL,
    preferred_contact_method text DEFAULT 'email'::text,
    preferred_technician uuid,
    billing_email text,
    payment_terms text DEFAULT 'due_on_receipt'::text,
    currency text DEFAULT 'USD'::text NOT NULL,
    credit_limit bigint DEFAULT 0 NOT NULL,
    tax_exempt boolean DEFAULT false NOT NULL,
    tax_exempt_number text,
    total_revenue bigint DEFAULT 0 NOT NULL,
    total_jobs bigint DEFAULT 0 NOT NULL,
    total_invoices bigint DEFAULT 0 NOT NULL,
    average_job_value bigint DEFAULT 0 NOT NULL,
    outstanding_balance bigint DEFAULT 0 NOT NULL,
    last_job_date timestamp with time zone,
    last_invoice_date timestamp with time zone,
    last_payment_date timestamp with time zone,
    status text DEFAULT 'active'::text NOT NULL,
    notes text,
    internal_notes text,
    portal_enabled boolean DEFAULT false NOT NULL,
    portal_invited_at timestamp with time zone,
    portal_last_login_at timestamp with time zone,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT customers_address2_check CHECK ((length(address2) <= 300)),
    CONSTRAINT customers_address_check CHECK ((length(address) <= 300)),
    CONSTRAINT customers_billing_email_check CHECK ((length(billing_email) <= 254)),
    CONSTRAINT customers_city_check CHECK ((length(city) <= 120)),
    CONSTRAINT customers_communication_preferences_check CHECK ((jsonb_typeof(communication_preferences) = 'object'::text)),
    CONSTRAINT customers_company_name_check CHECK ((length(company_name) <= 200)),
    CONSTRAINT customers_country_check CHECK ((length(country) <= 60)),
    CONSTRAINT customers_credit_limit_check CHECK ((credit_limit >= 0)),
    CONSTRAINT customers_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT customers_display_name_check CHECK (((length(display_name) >= 1) AND (length(display_name) <= 300))),
    CONSTRAINT customers_email_check CHECK ((((length(email) >= 3) AND (length(email) <= 254)) AND (email ~~ '%_@_%'::text))),
    CONSTRAINT customers_first_name_check CHECK ((length(first_name) <= 120)),
    CONSTRAINT customers_internal_notes_check CHECK ((length(internal_notes) <= 20000)),
    CONSTRAINT customers_last_name_check CHECK ((length(last_name) <= 120)),
    CONSTRAINT customers_lat_check CHECK (((lat >= ('-90'::integer)::double precision) AND (lat <= (90)::double precision))),
    CONSTRAINT customers_lon_check CHECK (((lon >= ('-180'::integer)::double precision) AND (lon <= (180)::double precision))),
    CONSTRAINT customers_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT customers_notes_check CHECK ((length(notes) <= 20000)),
    CONSTRAINT customers_payment_terms_check CHECK ((payment_terms = ANY (ARRAY['due_on_receipt'::text, 'net_15'::text, 'net_30'::text, 'net_60'::text]))),
    CONSTRAINT customers_phone_check CHECK ((length(phone) <= 32)),
    CONSTRAINT customers_preferred_contact_method_check CHECK ((preferred_contact_method = ANY (ARRAY['email'::text, 'phone'::text, 'sms'::text, 'any'::text]))),
    CONSTRAINT customers_secondary_phone_check CHECK ((length(secondary_phone) <= 32)),
    CONSTRAINT customers_source_check CHECK ((source = ANY (ARRAY['referral'::text, 'google'::text, 'facebook'::text, 'direct'::text, 'other'::text]))),
    CONSTRAINT customers_state_check CHECK ((length(state) <= 120)),
    CONSTRAINT customers_status_check CHECK ((status = ANY (ARRAY['active'::text, 'inactive'::text, 'archived'::text, 'blocked'::text]))),
    CONSTRAINT customers_tags_check CHECK ((cardinality(tags) <= 100)),
    CONSTRAINT customers_tax_exempt_number_check CHECK ((length(tax_exempt_number) <= 100)),
    CONSTRAINT customers_total_invoices_check CHECK ((total_invoices >= 0)),
    CONSTRAINT customers_total_jobs_check CHECK ((total_jobs >= 0)),
    CONSTRAINT customers_type_check CHECK ((type = ANY (ARRAY['residential'::text, 'commercial'::text, 'industrial'::text]))),
    CONSTRAINT customers_zip_code_check CHECK ((length(zip_code) <= 20))
);
ALTER TABLE ONLY public.customers FORCE ROW LEVEL SECURITY;
ALTER TABLE public.customers OWNER TO app_owner;

COMMENT ON TABLE public.customers IS 'People and businesses that are served. Money is in minor units of the currency.';

CREATE TABLE public.departments (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    name text NOT NULL,
    description text,
    color text,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT departments_color_check CHECK ((length(color) <= 32)),
    CONSTRAINT departments_description_check CHECK ((length(description) <= 2000)),
    CONSTRAINT departments_name_check CHECK (((length(btrim(name)) >= 1) AND (length(btrim(name)) <= 120)))
);
ALTER TABLE ONLY public.departments FORCE ROW LEVEL SECURITY;
ALTER TABLE public.departments OWNER TO app_owner;

CREATE TABLE public.invitations (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    email text NOT NULL,
    email_key text GENERATED ALWAYS AS (lower(btrim(email))) STORED,
    name text,
    role text NOT NULL,
    role_id uuid,
    department_id uuid,
    token_hash text NOT NULL,
    invited_by uuid,
    expires_at timestamp with time zone DEFAULT (now() + '7 days'::interval) NOT NULL,
    used_at timestamp with time zone,
    accepted_by uuid,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT invitations_email_check CHECK ((((length(email) >= 3) AND (length(email) <= 254)) AND (email ~~ '%_@_%'::text))),
    CONSTRAINT invitations_name_check CHECK ((length(name) <= 200)),
    CONSTRAINT invitations_role_check CHECK ((role = ANY (ARRAY['admin'::text, 'manager'::text, 'dispatcher'::text, 'technician'::text, 'csr'::text, 'member'::text, 'viewer'::text]))),
    CONSTRAINT invitations_token_hash_check CHECK ((token_hash ~ '^[0-9a-f]{64}$'::text))
);
ALTER TABLE ONLY public.invitations FORCE ROW LEVEL SECURITY;
ALTER TABLE public.invitations OWNER TO app_owner;

CREATE VIEW public.organization_memberships WITH (security_invoker='true') AS
 SELECT team_members.id,
    team_members.company_id AS organization_id,
    team_members.user_id,
    team_members.role,
    team_members.joined_at
   FROM public.team_members;
ALTER TABLE public.organization_memberships OWNER TO app_owner;

CREATE VIEW public.organizations WITH (security_invoker='true') AS
 SELECT companies.id,
    companies.external_id AS clerk_org_id,
    companies.name,
    companies.slug,
    companies.subscription_tier,
    companies.subscription_status,
    companies.max_seats,
    companies.settings,
    companies.created_at,
    companies.updated_at
   FROM public.companies;
ALTER TABLE public.organizations OWNER TO app_owner;

CREATE TABLE public.ownership_transfers (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    from_user_id uuid NOT NULL,
    to_user_id uuid NOT NULL,
    reason text,
    ip inet,
    user_agent text,
    password_verified boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT ownership_transfers_reason_check CHECK ((length(reason) <= 500)),
    CONSTRAINT ownership_transfers_user_agent_check CHECK ((length(user_agent) <= 500))
);
ALTER TABLE ONLY public.ownership_transfers FORCE ROW LEVEL SECURITY;
ALTER TABLE public.ownership_transfers OWNER TO app_owner;

CREATE TABLE public.users (
    id uuid NOT NULL,
    external_id text,
    name text NOT NULL,
    email text NOT NULL,
    avatar text,
    bio text,
    phone text,
    preferences jsonb DEFAULT '{}'::jsonb NOT NULL,
    status text DEFAULT 'available'::text NOT NULL,
    email_verified boolean DEFAULT false NOT NULL,
    is_active boolean DEFAULT true NOT NULL,
    last_login_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT users_avatar_check CHECK ((length(avatar) <= 2048)),
    CONSTRAINT users_bio_check CHECK ((length(bio) <= 2000)),
    CONSTRAINT users_email_check CHECK ((length(email) <= 254)),
    CONSTRAINT users_external_id_check CHECK (((length(external_id) >= 1) AND (length(external_id) <= 255))),
    CONSTRAINT users_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT users_phone_check CHECK ((length(phone) <= 32)),
    CONSTRAINT users_preferences_check CHECK ((jsonb_typeof(preferences) = 'object'::text)),
    CONSTRAINT users_status_check CHECK ((status = ANY (ARRAY['online'::text, 'available'::text, 'busy'::text])))
);
ALTER TABLE ONLY public.users FORCE ROW LEVEL SECURITY;
ALTER TABLE public.users OWNER TO app_owner;

COMMENT ON TABLE public.users IS 'The public side of an account, kept in step with auth.users. Belongs to no company.';

CREATE VIEW public.profiles WITH (security_invoker='true') AS
 SELECT users.id,
    users.external_id AS clerk_user_id,
    users.email,
    users.name AS full_name,
    users.avatar AS avatar_url,
    app.company_id() AS current_organization_id,
    users.preferences,
    users.last_login_at AS last_seen_at,
    users.created_at,
    users.updated_at
   FROM public.users;
ALTER TABLE public.profiles OWNER TO app_owner;

CREATE TABLE public.properties (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    customer_id uuid,
    name text NOT NULL,
    address text NOT NULL,
    address2 text,
    city text NOT NULL,
    state text NOT NULL,
    zip_code text NOT NULL,
    country text DEFAULT 'USA'::text NOT NULL,
    lat double precision,
    lon double precision,
    property_type text,
    square_footage bigint,
    year_built integer,
    notes text,
    directions text,
    parking_instructions text,
    service_entrance_notes text,
    best_access_time text,
    requires_appointment boolean DEFAULT false NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_by uuid DEFAULT auth.uid(),
    archived_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by uuid,
    permanent_delete_scheduled_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT properties_address2_check CHECK ((length(address2) <= 300)),
    CONSTRAINT properties_address_check CHECK ((length(address) <= 300)),
    CONSTRAINT properties_best_access_time_check CHECK ((length(best_access_time) <= 200)),
    CONSTRAINT properties_city_check CHECK ((length(city) <= 120)),
    CONSTRAINT properties_country_check CHECK ((length(country) <= 60)),
    CONSTRAINT properties_directions_check CHECK ((length(directions) <= 4000)),
    CONSTRAINT properties_lat_check CHECK (((lat >= ('-90'::integer)::double precision) AND (lat <= (90)::double precision))),
    CONSTRAINT properties_lon_check CHECK (((lon >= ('-180'::integer)::double precision) AND (lon <= (180)::double precision))),
    CONSTRAINT properties_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT properties_name_check CHECK (((length(btrim(name)) >= 1) AND (length(btrim(name)) <= 200))),
    CONSTRAINT properties_notes_check CHECK ((length(notes) <= 20000)),
    CONSTRAINT properties_parking_instructions_check CHECK ((length(parking_instructions) <= 4000)),
    CONSTRAINT properties_property_type_check CHECK ((property_type = ANY (ARRAY['residential'::text, 'commercial'::text, 'industrial'::text]))),
    CONSTRAINT properties_service_entrance_notes_check CHECK ((length(service_entrance_notes) <= 4000)),
    CONSTRAINT properties_square_footage_check CHECK ((square_footage >= 0)),
    CONSTRAINT properties_state_check CHECK ((length(state) <= 120)),
    CONSTRAINT properties_year_built_check CHECK (((year_built >= 1000) AND (year_built <= 2200))),
    CONSTRAINT properties_zip_code_check CHECK ((length(zip_code) <= 20))
);
ALTER TABLE ONLY public.properties FORCE ROW LEVEL SECURITY;
ALTER TABLE public.properties OWNER TO app_owner;

COMMENT ON TABLE public.properties IS 'Places where work is done.';

CREATE TABLE public.role_change_log (
    company_id uuid DEFAULT app.company_id() NOT NULL,
    id uuid DEFAULT app.uuid_v7() NOT NULL,
    user_id uuid NOT NULL,
    changed_by uuid,
    old_role text,
    new_role text,
    old_role_id uuid,
    new_role_id uuid,
    old_permissions jsonb,
    new_permissions jsonb,
    reason text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT role_change_log_reason_check CHECK ((length(reason) <= 500))
);
ALTER TABLE ONLY public.role_change_log FORCE ROW LEVEL SECURITY;
ALTER TABLE public.role_change_log OWNER TO app_owner;

CREATE VIEW shared.customers WITH (security_invoker='true') AS
 SELECT customers.id,
    customers.company_id AS tenant_id,
    customers.email,
    customers.first_name,
    customers.last_name,
    customers.phone,
    jsonb_strip_nulls(jsonb_build_object('line1', customers.address, 'line2', customers.address2, 'city', customers.city, 'state', customers.state, 'zip_code', customers.zip_code, 'country', customers.country)) AS address,
    customers.communication_preferences AS preferences,
    customers.tags,
    customers.created_at,
    customers.updated_at
   FROM public.customers
  WHERE (customers.deleted_at IS NULL);
ALTER TABLE shared.customers OWNER TO app_owner;

CREATE VIEW shared.tenants WITH (security_invoker='true') AS
 SELECT companies.id,
    companies.name,
    companies.industry,
    companies.slug AS subdomain,
    companies.settings,
    companies.created_at,
    companies.updated_at
   FROM public.companies;
ALTER TABLE shared.tenants OWNER TO app_owner;

CREATE VIEW shared.users WITH (security_invoker='true') AS
 SELECT team_members.user_id AS id,
    team_members.company_id AS tenant_id,
    team_members.email,
    team_members.role,
    split_part(team_members.name, ' '::text, 1) AS first_name,
    NULLIF(btrim(substr(team_members.name, (length(split_part(team_members.name, ' '::text, 1)) + 1))), ''::text) AS last_name,
    team_members.phone,
    NULL::text AS avatar_url,
    '{}'::jsonb AS settings,
    team_members.last_active_at AS last_login_at,
    team_members.created_at,
    team_members.updated_at
   FROM public.team_members;
ALTER TABLE shared.users OWNER TO app_owner;

ALTER TABLE ONLY app.applied_code
    ADD CONSTRAINT applied_code_pkey PRIMARY KEY (checksum);

ALTER TABLE ONLY app.backfills
    ADD CONSTRAINT backfills_pkey PRIMARY KEY (version);

ALTER TABLE ONLY app.counters
    ADD CONSTRAINT counters_pkey PRIMARY KEY (company_id, name);

ALTER TABLE ONLY app.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (version);

ALTER TABLE ONLY app.protected_tables
    ADD CONSTRAINT protected_tables_pkey PRIMARY KEY (table_name);

ALTER TABLE ONLY app.role_permissions
    ADD CONSTRAINT role_permissions_pkey PRIMARY KEY (role, permission);

ALTER TABLE ONLY app.schema_fingerprints
    ADD CONSTRAINT schema_fingerprints_pkey PRIMARY KEY (taken_at);

ALTER TABLE ONLY auth.identities
    ADD CONSTRAINT identities_pkey PRIMARY KEY (id);

ALTER TABLE ONLY auth.identities
    ADD CONSTRAINT identities_provider_provider_id_key UNIQUE (provider, provider_id);

ALTER TABLE ONLY auth.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY auth.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.companies
    ADD CONSTRAINT companies_external_id_key UNIQUE (external_id);

ALTER TABLE ONLY public.companies
    ADD CONSTRAINT companies_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.companies
    ADD CONSTRAINT companies_slug_key UNIQUE (slug);

ALTER TABLE ONLY public.custom_roles
    ADD CONSTRAINT custom_roles_company_id_name_key UNIQUE (company_id, name);

ALTER TABLE ONLY public.custom_roles
    ADD CONSTRAINT custom_roles_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_company_id_email_key_key UNIQUE (company_id, email_key);

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.departments
    ADD CONSTRAINT departments_company_id_name_key UNIQUE (company_id, name);

ALTER TABLE ONLY public.departments
    ADD CONSTRAINT departments_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_token_hash_key UNIQUE (token_hash);

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_company_id_job_number_key UNIQUE (company_id, job_number);

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.ownership_transfers
    ADD CONSTRAINT ownership_transfers_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.properties
    ADD CONSTRAINT properties_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.role_change_log
    ADD CONSTRAINT role_change_log_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_company_id_user_id_key UNIQUE (company_id, user_id);

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_pkey PRIMARY KEY (company_id, id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_external_id_key UNIQUE (external_id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

CREATE INDEX identities_user_id_idx ON auth.identities USING btree (user_id);

CREATE INDEX sessions_active_company_id_idx ON auth.sessions USING btree (active_company_id);

CREATE INDEX sessions_not_after_idx ON auth.sessions USING btree (not_after);

CREATE INDEX sessions_user_id_idx ON auth.sessions USING btree (user_id, created_at DESC);

CREATE INDEX users_created_at_idx ON auth.users USING btree (created_at DESC, id);

CREATE UNIQUE INDEX users_email_key ON auth.users USING btree (email_key) WHERE ((deleted_at IS NULL) AND (NOT is_sso_user));

CREATE UNIQUE INDEX users_phone_key ON auth.users USING btree (phone) WHERE ((deleted_at IS NULL) AND (phone IS NOT NULL));

CREATE INDEX companies_created_at_idx ON public.companies USING btree (created_at DESC, id);

CREATE INDEX companies_owner_id_idx ON public.companies USING btree (owner_id);

CREATE INDEX custom_roles_created_at_idx ON public.custom_roles USING btree (company_id, created_at DESC, id);

CREATE INDEX custom_roles_id_idx ON public.custom_roles USING btree (id);

CREATE INDEX customers_created_at_idx ON public.customers USING btree (company_id, created_at DESC, id);

CREATE INDEX customers_display_name_idx ON public.customers USING btree (company_id, display_name);

CREATE INDEX customers_id_idx ON public.customers USING btree (id);

CREATE INDEX customers_phone_idx ON public.customers USING btree (company_id, phone);

CREATE INDEX customers_preferred_technician_idx ON public.customers USING btree (company_id, preferred_technician);

CREATE INDEX customers_referred_by_idx ON public.customers USING btree (company_id, referred_by);

CREATE INDEX customers_secondary_phone_idx ON public.customers USING btree (company_id, secondary_phone);

CREATE INDEX customers_status_idx ON public.customers USING btree (company_id, status, created_at DESC);

CREATE INDEX customers_user_id_idx ON public.customers USING btree (user_id);

CREATE INDEX departments_created_at_idx ON public.departments USING btree (company_id, created_at DESC, id);

CREATE INDEX departments_id_idx ON public.departments USING btree (id);

CREATE INDEX invitations_created_at_idx ON public.invitations USING btree (company_id, created_at DESC, id);

CREATE INDEX invitations_department_id_idx ON public.invitations USING btree (company_id, department_id);

CREATE INDEX invitations_id_idx ON public.invitations USING btree (id);

CREATE UNIQUE INDEX invitations_open_email_key ON public.invitations USING btree (company_id, email_key) WHERE (used_at IS NULL);

CREATE INDEX invitations_role_id_idx ON public.invitations USING btree (company_id, role_id);

CREATE INDEX jobs_assigned_to_idx ON public.jobs USING btree (company_id, assigned_to, scheduled_start);

CREATE INDEX jobs_created_at_idx ON public.jobs USING btree (company_id, created_at DESC, id);

CREATE INDEX jobs_customer_id_idx ON public.jobs USING btree (company_id, customer_id);

CREATE INDEX jobs_id_idx ON public.jobs USING btree (id);

CREATE INDEX jobs_property_id_idx ON public.jobs USING btree (company_id, property_id);

CREATE INDEX jobs_scheduled_start_idx ON public.jobs USING btree (company_id, scheduled_start);

CREATE INDEX jobs_status_idx ON public.jobs USING btree (company_id, status, created_at DESC);

CREATE INDEX ownership_transfers_created_at_idx ON public.ownership_transfers USING btree (company_id, created_at DESC, id);

CREATE INDEX properties_created_at_idx ON public.properties USING btree (company_id, created_at DESC, id);

CREATE INDEX properties_customer_id_idx ON public.properties USING btree (company_id, customer_id);

CREATE INDEX properties_id_idx ON public.properties USING btree (id);

CREATE INDEX role_change_log_created_at_idx ON public.role_change_log USING btree (company_id, created_at DESC, id);

CREATE INDEX role_change_log_user_id_idx ON public.role_change_log USING btree (company_id, user_id, created_at DESC);

CREATE INDEX team_members_created_at_idx ON public.team_members USING btree (company_id, created_at DESC, id);

CREATE INDEX team_members_department_id_idx ON public.team_members USING btree (company_id, department_id);

CREATE INDEX team_members_id_idx ON public.team_members USING btree (id);

CREATE UNIQUE INDEX team_members_one_owner_key ON public.team_members USING btree (company_id) WHERE (role = 'owner'::text);

CREATE INDEX team_members_role_id_idx ON public.team_members USING btree (company_id, role_id);

CREATE INDEX team_members_user_id_idx ON public.team_members USING btree (user_id);

CREATE INDEX users_email_idx ON public.users USING btree (email);

CREATE TRIGGER refresh_deleted AFTER DELETE ON app.role_permissions REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION app.role_permissions_changed();

CREATE TRIGGER refresh_inserted AFTER INSERT ON app.role_permissions REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION app.role_permissions_changed();

CREATE TRIGGER refresh_updated AFTER UPDATE ON app.role_permissions REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION app.role_permissions_changed();

CREATE TRIGGER sync_user AFTER INSERT OR UPDATE OF email, phone, raw_user_meta_data, email_confirmed_at, last_sign_in_at, deleted_at ON auth.users FOR EACH ROW EXECUTE FUNCTION app.sync_user();

CREATE TRIGGER touch BEFORE UPDATE ON auth.identities FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER touch BEFORE UPDATE ON auth.sessions FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER touch BEFORE UPDATE ON auth.users FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.companies FOR EACH ROW EXECUTE FUNCTION app.guard_company();

CREATE TRIGGER guard BEFORE INSERT OR DELETE OR UPDATE ON public.custom_roles FOR EACH ROW EXECUTE FUNCTION app.guard_custom_role();

CREATE TRIGGER guard BEFORE INSERT OR DELETE OR UPDATE ON public.customers FOR EACH ROW EXECUTE FUNCTION app.guard_customer();

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON public.jobs FOR EACH ROW EXECUTE FUNCTION app.guard_job();

CREATE TRIGGER guard BEFORE UPDATE ON public.properties FOR EACH ROW WHEN (((new.customer_id IS NOT NULL) AND (new.customer_id IS DISTINCT FROM old.customer_id) AND app.is_within_reach(new.company_id))) EXECUTE FUNCTION app.guard_property();

CREATE TRIGGER guard BEFORE INSERT OR DELETE OR UPDATE ON public.team_members FOR EACH ROW EXECUTE FUNCTION app.guard_member();

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.customers FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('customers');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.jobs FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('jobs');

CREATE TRIGGER guard_soft_delete BEFORE INSERT OR UPDATE ON public.properties FOR EACH ROW EXECUTE FUNCTION app.guard_soft_delete('properties');

CREATE TRIGGER log_role_change AFTER UPDATE ON public.team_members FOR EACH ROW WHEN ((((old.role IS DISTINCT FROM new.role) OR (old.role_id IS DISTINCT FROM new.role_id)) OR (old.permissions IS DISTINCT FROM new.permissions))) EXECUTE FUNCTION app.log_role_change();

CREATE TRIGGER member_added AFTER INSERT ON public.team_members FOR EACH ROW WHEN ((new.role = 'owner'::text)) EXECUTE FUNCTION app.member_added();

CREATE TRIGGER references_valid BEFORE INSERT OR UPDATE ON public.jobs FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.check_job_references();

CREATE TRIGGER refresh AFTER UPDATE OF permissions ON public.custom_roles FOR EACH ROW EXECUTE FUNCTION app.custom_role_changed();

CREATE TRIGGER sequence_number BEFORE INSERT ON public.jobs FOR EACH ROW WHEN (app.is_within_reach(new.company_id)) EXECUTE FUNCTION app.number_job();

CREATE TRIGGER sync_member_name AFTER UPDATE ON public.users FOR EACH ROW WHEN (((old.name IS DISTINCT FROM new.name) OR (old.email IS DISTINCT FROM new.email))) EXECUTE FUNCTION app.sync_member_name();

CREATE TRIGGER touch BEFORE UPDATE ON public.companies FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.custom_roles FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.customers FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.departments FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.invitations FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.jobs FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.properties FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.team_members FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER touch BEFORE UPDATE ON public.users FOR EACH ROW EXECUTE FUNCTION app.touch();

ALTER TABLE ONLY app.counters
    ADD CONSTRAINT counters_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY auth.identities
    ADD CONSTRAINT identities_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY auth.sessions
    ADD CONSTRAINT sessions_active_company_id_fkey FOREIGN KEY (active_company_id) REFERENCES public.companies(id) ON DELETE SET NULL;

ALTER TABLE ONLY auth.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.companies
    ADD CONSTRAINT companies_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public.users(id);

ALTER TABLE ONLY public.custom_roles
    ADD CONSTRAINT custom_roles_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_preferred_technician_fkey FOREIGN KEY (company_id, preferred_technician) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (preferred_technician);

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_referred_by_fkey FOREIGN KEY (company_id, referred_by) REFERENCES public.customers(company_id, id) ON DELETE SET NULL (referred_by);

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.departments
    ADD CONSTRAINT departments_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_department_id_fkey FOREIGN KEY (company_id, department_id) REFERENCES public.departments(company_id, id) ON DELETE SET NULL (department_id);

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_role_id_fkey FOREIGN KEY (company_id, role_id) REFERENCES public.custom_roles(company_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_assigned_to_fkey FOREIGN KEY (company_id, assigned_to) REFERENCES public.team_members(company_id, user_id) ON DELETE SET NULL (assigned_to);

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id) ON DELETE SET NULL (customer_id);

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_property_id_fkey FOREIGN KEY (company_id, property_id) REFERENCES public.properties(company_id, id) ON DELETE SET NULL (property_id);

ALTER TABLE ONLY public.properties
    ADD CONSTRAINT properties_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.properties
    ADD CONSTRAINT properties_customer_id_fkey FOREIGN KEY (company_id, customer_id) REFERENCES public.customers(company_id, id) ON DELETE SET NULL (customer_id);

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_department_id_fkey FOREIGN KEY (company_id, department_id) REFERENCES public.departments(company_id, id);

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_role_id_fkey FOREIGN KEY (company_id, role_id) REFERENCES public.custom_roles(company_id, id);

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_id_fkey FOREIGN KEY (id) REFERENCES auth.users(id) ON DELETE CASCADE;

CREATE POLICY app_definer_all ON app.applied_code TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON app.backfills TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON app.counters TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON app.migrations TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON app.protected_tables TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON app.role_permissions TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON app.schema_fingerprints TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON app.applied_code TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON app.backfills TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON app.counters TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON app.migrations TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON app.protected_tables TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON app.role_permissions TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON app.schema_fingerprints TO app_owner USING (true) WITH CHECK (true);

ALTER TABLE app.applied_code ENABLE ROW LEVEL SECURITY;

ALTER TABLE app.backfills ENABLE ROW LEVEL SECURITY;

ALTER TABLE app.counters ENABLE ROW LEVEL SECURITY;

CREATE POLICY declared_read ON app.protected_tables FOR SELECT TO anon, authenticated USING (true);

ALTER TABLE app.migrations ENABLE ROW LEVEL SECURITY;

ALTER TABLE app.protected_tables ENABLE ROW LEVEL SECURITY;

ALTER TABLE app.role_permissions ENABLE ROW LEVEL SECURITY;

ALTER TABLE app.schema_fingerprints ENABLE ROW LEVEL SECURITY;

CREATE POLICY service_role_all ON app.applied_code TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON app.backfills TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON app.counters TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON app.migrations TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON app.protected_tables TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON app.role_permissions TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON app.schema_fingerprints TO service_role USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON auth.identities TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON auth.sessions TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON auth.users TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON auth.identities TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON auth.sessions TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON auth.users TO app_owner USING (true) WITH CHECK (true);

ALTER TABLE auth.identities ENABLE ROW LEVEL SECURITY;

CREATE POLICY service_role_all ON auth.identities TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON auth.sessions TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON auth.users TO service_role USING (true) WITH CHECK (true);

ALTER TABLE auth.sessions ENABLE ROW LEVEL SECURITY;

ALTER TABLE auth.users ENABLE ROW LEVEL SECURITY;

CREATE POLICY app_definer_all ON public.companies TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.custom_roles TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.customers TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.departments TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.invitations TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.jobs TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.ownership_transfers TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.properties TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.role_change_log TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.team_members TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_definer_all ON public.users TO app_definer USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.companies TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.custom_roles TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.customers TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.departments TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.invitations TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.jobs TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.ownership_transfers TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.properties TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.role_change_log TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.team_members TO app_owner USING (true) WITH CHECK (true);

CREATE POLICY app_owner_all ON public.users TO app_owner USING (true) WITH CHECK (true);

ALTER TABLE public.companies ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.custom_roles ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.customers ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.departments ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.invitations ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.jobs ENABLE ROW LEVEL SECURITY;

CREATE POLICY member_create ON public.custom_roles FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('roles:create'::text) AS has_permission));

CREATE POLICY member_create ON public.customers FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('customers:create'::text) AS has_permission));

CREATE POLICY member_create ON public.departments FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('departments:create'::text) AS has_permission));

CREATE POLICY member_create ON public.jobs FOR INSERT TO authenticated WITH CHECK ((( SELECT app.has_permission('jobs:create'::text) AS has_permission) OR (( SELECT app.has_permission('jobs:create_assigned'::text) AS has_permission) AND (assigned_to = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_create ON public.properties FOR INSERT TO authenticated WITH CHECK (( SELECT app.has_permission('properties:create'::text) AS has_permission));

CREATE POLICY member_delete ON public.custom_roles FOR DELETE TO authenticated USING (( SELECT app.has_permission('roles:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.customers FOR DELETE TO authenticated USING (( SELECT app.has_permission('customers:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.departments FOR DELETE TO authenticated USING (( SELECT app.has_permission('departments:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.invitations FOR DELETE TO authenticated USING (( SELECT app.has_permission('invitations:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.jobs FOR DELETE TO authenticated USING ((( SELECT app.has_permission('jobs:delete'::text) AS has_permission) OR (( SELECT app.has_permission('jobs:delete_assigned'::text) AS has_permission) AND (assigned_to = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_delete ON public.properties FOR DELETE TO authenticated USING (( SELECT app.has_permission('properties:delete'::text) AS has_permission));

CREATE POLICY member_delete ON public.team_members FOR DELETE TO authenticated USING (( SELECT app.has_permission('members:delete'::text) AS has_permission));

CREATE POLICY member_read ON public.companies FOR SELECT TO authenticated USING (( SELECT app.has_permission('companies:read'::text) AS has_permission));

CREATE POLICY member_read ON public.custom_roles FOR SELECT TO authenticated USING (( SELECT app.has_permission('roles:read'::text) AS has_permission));

CREATE POLICY member_read ON public.customers FOR SELECT TO authenticated USING (( SELECT app.has_permission('customers:read'::text) AS has_permission));

CREATE POLICY member_read ON public.departments FOR SELECT TO authenticated USING (( SELECT app.has_permission('departments:read'::text) AS has_permission));

CREATE POLICY member_read ON public.invitations FOR SELECT TO authenticated USING (( SELECT app.has_permission('invitations:read'::text) AS has_permission));

CREATE POLICY member_read ON public.jobs FOR SELECT TO authenticated USING ((( SELECT app.has_permission('jobs:read'::text) AS has_permission) OR (( SELECT app.has_permission('jobs:read_assigned'::text) AS has_permission) AND (assigned_to = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_read ON public.ownership_transfers FOR SELECT TO authenticated USING (( SELECT app.has_permission('ownership_transfers:read'::text) AS has_permission));

CREATE POLICY member_read ON public.properties FOR SELECT TO authenticated USING (( SELECT app.has_permission('properties:read'::text) AS has_permission));

CREATE POLICY member_read ON public.role_change_log FOR SELECT TO authenticated USING (( SELECT app.has_permission('role_changes:read'::text) AS has_permission));

CREATE POLICY member_read ON public.team_members FOR SELECT TO authenticated USING (( SELECT app.has_permission('members:read'::text) AS has_permission));

CREATE POLICY member_update ON public.companies FOR UPDATE TO authenticated USING (( SELECT app.has_permission('companies:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('companies:update'::text) AS has_permission));

CREATE POLICY member_update ON public.custom_roles FOR UPDATE TO authenticated USING (( SELECT app.has_permission('roles:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('roles:update'::text) AS has_permission));

CREATE POLICY member_update ON public.customers FOR UPDATE TO authenticated USING (( SELECT app.has_permission('customers:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('customers:update'::text) AS has_permission));

CREATE POLICY member_update ON public.departments FOR UPDATE TO authenticated USING (( SELECT app.has_permission('departments:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('departments:update'::text) AS has_permission));

CREATE POLICY member_update ON public.jobs FOR UPDATE TO authenticated USING ((( SELECT app.has_permission('jobs:update'::text) AS has_permission) OR (( SELECT app.has_permission('jobs:update_assigned'::text) AS has_permission) AND (assigned_to = ( SELECT auth.uid() AS uid))))) WITH CHECK ((( SELECT app.has_permission('jobs:update'::text) AS has_permission) OR (( SELECT app.has_permission('jobs:update_assigned'::text) AS has_permission) AND (assigned_to = ( SELECT auth.uid() AS uid)))));

CREATE POLICY member_update ON public.properties FOR UPDATE TO authenticated USING (( SELECT app.has_permission('properties:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('properties:update'::text) AS has_permission));

CREATE POLICY member_update ON public.team_members FOR UPDATE TO authenticated USING (( SELECT app.has_permission('members:update'::text) AS has_permission)) WITH CHECK (( SELECT app.has_permission('members:update'::text) AS has_permission));

CREATE POLICY own_row_read ON public.users FOR SELECT TO authenticated USING ((id = ( SELECT auth.uid() AS uid)));

CREATE POLICY own_row_update ON public.users FOR UPDATE TO authenticated USING ((id = ( SELECT auth.uid() AS uid))) WITH CHECK ((id = ( SELECT auth.uid() AS uid)));

ALTER TABLE public.ownership_transfers ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.properties ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.role_change_log ENABLE ROW LEVEL SECURITY;

CREATE POLICY service_role_all ON public.companies TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.custom_roles TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.customers TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.departments TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.invitations TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.jobs TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.ownership_transfers TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.properties TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.role_change_log TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.team_members TO service_role USING (true) WITH CHECK (true);

CREATE POLICY service_role_all ON public.users TO service_role USING (true) WITH CHECK (true);

ALTER TABLE public.team_members ENABLE ROW LEVEL SECURITY;

CREATE POLICY tenant_isolation ON public.companies AS RESTRICTIVE TO anon, authenticated USING ((id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.custom_roles AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.customers AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.departments AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.invitations AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.jobs AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.ownership_transfers AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.properties AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.role_change_log AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

CREATE POLICY tenant_isolation ON public.team_members AS RESTRICTIVE TO anon, authenticated USING ((company_id = ( SELECT app.company_id() AS company_id))) WITH CHECK ((company_id = ( SELECT app.company_id() AS company_id)));

ALTER TABLE public.users ENABLE ROW LEVEL SECURITY;

GRANT USAGE ON SCHEMA app TO anon;
GRANT USAGE ON SCHEMA app TO authenticated;
GRANT USAGE ON SCHEMA app TO service_role;
GRANT ALL ON SCHEMA app TO app_definer;
GRANT USAGE ON SCHEMA app TO server_login;

GRANT USAGE ON SCHEMA auth TO anon;
GRANT USAGE ON SCHEMA auth TO authenticated;
GRANT USAGE ON SCHEMA auth TO service_role;
GRANT ALL ON SCHEMA auth TO app_definer;

GRANT USAGE ON SCHEMA extensions TO anon;
GRANT USAGE ON SCHEMA extensions TO authenticated;
GRANT USAGE ON SCHEMA extensions TO service_role;
GRANT USAGE ON SCHEMA extensions TO app_definer;

GRANT USAGE ON SCHEMA home_services TO authenticated;
GRANT USAGE ON SCHEMA home_services TO service_role;

GRANT USAGE ON SCHEMA public TO anon;
GRANT USAGE ON SCHEMA public TO authenticated;
GRANT USAGE ON SCHEMA public TO service_role;
GRANT ALL ON SCHEMA public TO app_definer;

GRANT USAGE ON SCHEMA shared TO authenticated;
GRANT USAGE ON SCHEMA shared TO service_role;

REVOKE ALL ON FUNCTION app.activate_if_none(p_company_id uuid) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.caller() FROM PUBLIC;
GRANT ALL ON FUNCTION app.caller() TO authenticated;
GRANT ALL ON FUNCTION app.caller() TO service_role;
GRANT ALL ON FUNCTION app.caller() TO app_definer;

REVOKE ALL ON FUNCTION app.check_grantable(p_before text, p_after text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.check_grantable(p_before text, p_after text) TO authenticated;
GRANT ALL ON FUNCTION app.check_grantable(p_before text, p_after text) TO service_role;
GRANT ALL ON FUNCTION app.check_grantable(p_before text, p_after text) TO app_definer;

REVOKE ALL ON FUNCTION app.check_job_references() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.check_permission_map(p_map jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION app.check_permission_map(p_map jsonb) TO authenticated;
GRANT ALL ON FUNCTION app.check_permission_map(p_map jsonb) TO service_role;

REVOKE ALL ON FUNCTION app.company_id() FROM PUBLIC;
GRANT ALL ON FUNCTION app.company_id() TO anon;
GRANT ALL ON FUNCTION app.company_id() TO authenticated;
GRANT ALL ON FUNCTION app.company_id() TO service_role;
GRANT ALL ON FUNCTION app.company_id() TO app_definer;

REVOKE ALL ON FUNCTION app.custom_role_changed() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.effective_permissions(p_company_id uuid, p_role text, p_role_id uuid, p_overrides jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION app.effective_permissions(p_company_id uuid, p_role text, p_role_id uuid, p_overrides jsonb) TO authenticated;
GRANT ALL ON FUNCTION app.effective_permissions(p_company_id uuid, p_role text, p_role_id uuid, p_overrides jsonb) TO service_role;

REVOKE ALL ON FUNCTION app.enclose(p_table regclass) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_company() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_custom_role() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_customer() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_job() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_member() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.uuid_v7() FROM PUBLIC;
GRANT ALL ON FUNCTION app.uuid_v7() TO anon;
GRANT ALL ON FUNCTION app.uuid_v7() TO authenticated;
GRANT ALL ON FUNCTION app.uuid_v7() TO service_role;
GRANT ALL ON FUNCTION app.uuid_v7() TO app_definer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.team_members TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.team_members TO service_role;
GRANT SELECT,DELETE ON TABLE public.team_members TO authenticated;

GRANT UPDATE(role) ON TABLE public.team_members TO authenticated;

GRANT UPDATE(role_id) ON TABLE public.team_members TO authenticated;

GRANT UPDATE(department_id) ON TABLE public.team_members TO authenticated;

GRANT UPDATE(status) ON TABLE public.team_members TO authenticated;

GRANT UPDATE(permissions) ON TABLE public.team_members TO authenticated;

GRANT UPDATE(job_title) ON TABLE public.team_members TO authenticated;

GRANT UPDATE(phone) ON TABLE public.team_members TO authenticated;

GRANT UPDATE(archived_at) ON TABLE public.team_members TO authenticated;

REVOKE ALL ON FUNCTION app.guard_member_edit(p_old public.team_members, p_new public.team_members) FROM PUBLIC;
GRANT ALL ON FUNCTION app.guard_member_edit(p_old public.team_members, p_new public.team_members) TO authenticated;

REVOKE ALL ON FUNCTION app.guard_property() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.guard_soft_delete() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.has_permission(p_permission text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.has_permission(p_permission text) TO anon;
GRANT ALL ON FUNCTION app.has_permission(p_permission text) TO authenticated;
GRANT ALL ON FUNCTION app.has_permission(p_permission text) TO service_role;
GRANT ALL ON FUNCTION app.has_permission(p_permission text) TO app_definer;

REVOKE ALL ON FUNCTION app.is_within_reach(p_company_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.is_within_reach(p_company_id uuid) TO anon;
GRANT ALL ON FUNCTION app.is_within_reach(p_company_id uuid) TO authenticated;
GRANT ALL ON FUNCTION app.is_within_reach(p_company_id uuid) TO service_role;
GRANT ALL ON FUNCTION app.is_within_reach(p_company_id uuid) TO app_definer;

REVOKE ALL ON FUNCTION auth.uid() FROM PUBLIC;
GRANT ALL ON FUNCTION auth.uid() TO anon;
GRANT ALL ON FUNCTION auth.uid() TO authenticated;
GRANT ALL ON FUNCTION auth.uid() TO service_role;
GRANT ALL ON FUNCTION auth.uid() TO app_definer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.jobs TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.jobs TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.jobs TO authenticated;

REVOKE ALL ON FUNCTION app.job_missing(p_job public.jobs) FROM PUBLIC;
GRANT ALL ON FUNCTION app.job_missing(p_job public.jobs) TO authenticated;
GRANT ALL ON FUNCTION app.job_missing(p_job public.jobs) TO service_role;
GRANT ALL ON FUNCTION app.job_missing(p_job public.jobs) TO app_definer;

REVOKE ALL ON FUNCTION app.job_next_statuses(p_status text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.job_next_statuses(p_status text) TO authenticated;
GRANT ALL ON FUNCTION app.job_next_statuses(p_status text) TO service_role;
GRANT ALL ON FUNCTION app.job_next_statuses(p_status text) TO app_definer;

REVOKE ALL ON FUNCTION app.load_permissions(p_matrix jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.log_role_change() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.member_added() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.member_role() FROM PUBLIC;
GRANT ALL ON FUNCTION app.member_role() TO anon;
GRANT ALL ON FUNCTION app.member_role() TO authenticated;
GRANT ALL ON FUNCTION app.member_role() TO service_role;
GRANT ALL ON FUNCTION app.member_role() TO app_definer;

REVOKE ALL ON FUNCTION app.next_number(p_company_id uuid, p_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.next_number(p_company_id uuid, p_name text) TO app_definer;

REVOKE ALL ON FUNCTION app.number_job() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.open_request(p_kind text, p_user_id uuid, p_session_id uuid, p_company_id uuid, p_claims jsonb, p_permission text, p_company_required boolean, OUT role text, OUT company_id uuid, OUT user_id uuid, OUT member_role text, OUT permissions text, OUT claims text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.open_request(p_kind text, p_user_id uuid, p_session_id uuid, p_company_id uuid, p_claims jsonb, p_permission text, p_company_required boolean, OUT role text, OUT company_id uuid, OUT user_id uuid, OUT member_role text, OUT permissions text, OUT claims text) TO server_login;

REVOKE ALL ON FUNCTION app.protect(p_table regclass, p_noun text, p_soft_delete boolean, p_assigned_column text, p_own_column text, p_tenant_column text, p_verbs text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.refresh_effective_permissions() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.role_permissions_changed() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.scope_condition(p_noun text, p_verb text, p_assigned_column text, p_own_column text) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.slug_of(p_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.slug_of(p_name text) TO app_definer;

REVOKE ALL ON FUNCTION app.sync_member_name() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.sync_user() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.touch() FROM PUBLIC;

REVOKE ALL ON FUNCTION auth.email() FROM PUBLIC;
GRANT ALL ON FUNCTION auth.email() TO anon;
GRANT ALL ON FUNCTION auth.email() TO authenticated;
GRANT ALL ON FUNCTION auth.email() TO service_role;
GRANT ALL ON FUNCTION auth.email() TO app_definer;

REVOKE ALL ON FUNCTION auth.get_user_company_id() FROM PUBLIC;
GRANT ALL ON FUNCTION auth.get_user_company_id() TO anon;
GRANT ALL ON FUNCTION auth.get_user_company_id() TO authenticated;
GRANT ALL ON FUNCTION auth.get_user_company_id() TO service_role;
GRANT ALL ON FUNCTION auth.get_user_company_id() TO app_definer;

REVOKE ALL ON FUNCTION auth.jwt() FROM PUBLIC;
GRANT ALL ON FUNCTION auth.jwt() TO anon;
GRANT ALL ON FUNCTION auth.jwt() TO authenticated;
GRANT ALL ON FUNCTION auth.jwt() TO service_role;
GRANT ALL ON FUNCTION auth.jwt() TO app_definer;

REVOKE ALL ON FUNCTION auth.role() FROM PUBLIC;
GRANT ALL ON FUNCTION auth.role() TO anon;
GRANT ALL ON FUNCTION auth.role() TO authenticated;
GRANT ALL ON FUNCTION auth.role() TO service_role;
GRANT ALL ON FUNCTION auth.role() TO app_definer;

REVOKE ALL ON FUNCTION public.accept_invitation(token text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.accept_invitation(token text) TO authenticated;

REVOKE ALL ON FUNCTION public.change_member_role(user_id uuid, role text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.change_member_role(user_id uuid, role text, reason text) TO authenticated;
GRANT ALL ON FUNCTION public.change_member_role(user_id uuid, role text, reason text) TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.companies TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.companies TO service_role;
GRANT SELECT ON TABLE public.companies TO authenticated;

GRANT UPDATE(name) ON TABLE public.companies TO authenticated;

GRANT UPDATE(slug) ON TABLE public.companies TO authenticated;

GRANT UPDATE(industry) ON TABLE public.companies TO authenticated;

GRANT UPDATE(legal_name) ON TABLE public.companies TO authenticated;

GRANT UPDATE(doing_business_as) ON TABLE public.companies TO authenticated;

GRANT UPDATE(logo) ON TABLE public.companies TO authenticated;

GRANT UPDATE(email) ON TABLE public.companies TO authenticated;

GRANT UPDATE(phone) ON TABLE public.companies TO authenticated;

GRANT UPDATE(support_email) ON TABLE public.companies TO authenticated;

GRANT UPDATE(support_phone) ON TABLE public.companies TO authenticated;

GRANT UPDATE(website) ON TABLE public.companies TO authenticated;

GRANT UPDATE(address) ON TABLE public.companies TO authenticated;

GRANT UPDATE(address2) ON TABLE public.companies TO authenticated;

GRANT UPDATE(city) ON TABLE public.companies TO authenticated;

GRANT UPDATE(state) ON TABLE public.companies TO authenticated;

GRANT UPDATE(zip_code) ON TABLE public.companies TO authenticated;

GRANT UPDATE(country) ON TABLE public.companies TO authenticated;

GRANT UPDATE(lat) ON TABLE public.companies TO authenticated;

GRANT UPDATE(lon) ON TABLE public.companies TO authenticated;

GRANT UPDATE(license_number) ON TABLE public.companies TO authenticated;

GRANT UPDATE(tax_id) ON TABLE public.companies TO authenticated;

GRANT UPDATE(company_size) ON TABLE public.companies TO authenticated;

GRANT UPDATE(brand_color) ON TABLE public.companies TO authenticated;

GRANT UPDATE(business_timezone) ON TABLE public.companies TO authenticated;

GRANT UPDATE(currency) ON TABLE public.companies TO authenticated;

GRANT UPDATE(settings) ON TABLE public.companies TO authenticated;

GRANT UPDATE(onboarding_step) ON TABLE public.companies TO authenticated;

GRANT UPDATE(onboarding_progress) ON TABLE public.companies TO authenticated;

GRANT UPDATE(onboarding_completed_at) ON TABLE public.companies TO authenticated;

REVOKE ALL ON FUNCTION public.create_company_with_owner(name text, slug text, industry text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.create_company_with_owner(name text, slug text, industry text) TO authenticated;

REVOKE ALL ON FUNCTION public.create_tenant_policy(schema_name text, table_name text, policy_name text) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.get_current_tenant_id() FROM PUBLIC;
GRANT ALL ON FUNCTION public.get_current_tenant_id() TO anon;
GRANT ALL ON FUNCTION public.get_current_tenant_id() TO authenticated;
GRANT ALL ON FUNCTION public.get_current_tenant_id() TO service_role;
GRANT ALL ON FUNCTION public.get_current_tenant_id() TO app_definer;

REVOKE ALL ON FUNCTION public.invite_member(email text, role text, name text, role_id uuid, department_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.invite_member(email text, role text, name text, role_id uuid, department_id uuid) TO authenticated;

REVOKE ALL ON FUNCTION public.my_companies() FROM PUBLIC;
GRANT ALL ON FUNCTION public.my_companies() TO authenticated;

REVOKE ALL ON FUNCTION public.set_config(setting_name text, setting_value text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.set_config(setting_name text, setting_value text) TO authenticated;
GRANT ALL ON FUNCTION public.set_config(setting_name text, setting_value text) TO service_role;

REVOKE ALL ON FUNCTION public.transfer_company_ownership(new_owner_id uuid, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.transfer_company_ownership(new_owner_id uuid, reason text) TO authenticated;

REVOKE ALL ON FUNCTION public.update_updated_at_column() FROM PUBLIC;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.applied_code TO app_definer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.backfills TO app_definer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.counters TO app_definer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.migrations TO app_definer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.protected_tables TO app_definer;
GRANT SELECT ON TABLE app.protected_tables TO anon;
GRANT SELECT ON TABLE app.protected_tables TO authenticated;
GRANT SELECT ON TABLE app.protected_tables TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.role_permissions TO app_definer;
GRANT SELECT ON TABLE app.role_permissions TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.schema_fingerprints TO app_definer;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.identities TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.identities TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.sessions TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.sessions TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.users TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.users TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE home_services.work_orders TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE home_services.work_orders TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.custom_roles TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.custom_roles TO service_role;
GRANT SELECT,DELETE ON TABLE public.custom_roles TO authenticated;

GRANT INSERT(company_id) ON TABLE public.custom_roles TO authenticated;

GRANT INSERT(id) ON TABLE public.custom_roles TO authenticated;

GRANT INSERT(name),UPDATE(name) ON TABLE public.custom_roles TO authenticated;

GRANT INSERT(description),UPDATE(description) ON TABLE public.custom_roles TO authenticated;

GRANT INSERT(permissions),UPDATE(permissions) ON TABLE public.custom_roles TO authenticated;

GRANT INSERT(color),UPDATE(color) ON TABLE public.custom_roles TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.customers TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.customers TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.customers TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.departments TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.departments TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.departments TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invitations TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.invitations TO service_role;
GRANT SELECT,DELETE ON TABLE public.invitations TO authenticated;

GRANT SELECT,DELETE,UPDATE ON TABLE public.organization_memberships TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.organization_memberships TO service_role;

GRANT SELECT,UPDATE ON TABLE public.organizations TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.organizations TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.ownership_transfers TO app_definer;
GRANT SELECT ON TABLE public.ownership_transfers TO service_role;
GRANT SELECT ON TABLE public.ownership_transfers TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.users TO app_definer;
GRANT SELECT ON TABLE public.users TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.users TO service_role;

GRANT UPDATE(name) ON TABLE public.users TO authenticated;

GRANT UPDATE(avatar) ON TABLE public.users TO authenticated;

GRANT UPDATE(bio) ON TABLE public.users TO authenticated;

GRANT UPDATE(phone) ON TABLE public.users TO authenticated;

GRANT UPDATE(preferences) ON TABLE public.users TO authenticated;

GRANT UPDATE(status) ON TABLE public.users TO authenticated;

GRANT SELECT,UPDATE ON TABLE public.profiles TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.profiles TO service_role;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.properties TO app_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.properties TO service_role;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.properties TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.role_change_log TO app_definer;
GRANT SELECT ON TABLE public.role_change_log TO service_role;
GRANT SELECT ON TABLE public.role_change_log TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE shared.customers TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE shared.customers TO service_role;

GRANT SELECT,UPDATE ON TABLE shared.tenants TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE shared.tenants TO service_role;

GRANT SELECT ON TABLE shared.users TO authenticated;
GRANT SELECT ON TABLE shared.users TO service_role;

ALTER DEFAULT PRIVILEGES FOR ROLE app_definer REVOKE ALL ON FUNCTIONS  FROM PUBLIC;

ALTER DEFAULT PRIVILEGES FOR ROLE app_owner REVOKE ALL ON FUNCTIONS  FROM PUBLIC;

ALTER DEFAULT PRIVILEGES FOR ROLE migrator REVOKE ALL ON FUNCTIONS  FROM PUBLIC;

