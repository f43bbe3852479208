-- app.protect declares a table in one call: who reaches which of its rows.
-- Invariant: the policies of a declared table are exactly those written here; any other is dropped at the
-- next migrate. Tenants are walled in by a RESTRICTIVE policy, so that no permissive one can leak.

-- Somebody's rows are those that name him, those whose crew does, and those that belong to a row he may read: whoever works on a job
-- works with its notes. That row is looked up by its key with his own rights, and only for those who hold no more.
drop function if exists app.scope_condition(text, text, text, text);
create or replace function app.scope_condition(
  p_table text, p_noun text, p_verb text, p_assigned_column text, p_own_column text, p_crew_column text, p_parent_table text, p_parent_column text
) returns text
  language sql stable
  set search_path = ''
as $$
  select format('(select app.has_permission(%L))', p_noun || ':' || p_verb)
    || coalesce(' or ((select app.has_permission(' || quote_literal(p_noun || ':' || p_verb || '_assigned') || ')) and (' || nullif(concat_ws(' or ',
         case when p_assigned_column is not null then format('%I = (select auth.uid())', p_assigned_column) end,
         case when p_crew_column is not null then format('(select auth.uid()) = any (%I)', p_crew_column) end,
         case when p_parent_table is not null then
           format('exists (select from %1$s parent where parent.company_id = %2$s.company_id and parent.id = %2$s.%3$I)',
                  p_parent_table, p_table, p_parent_column) end), '') || '))', '')
    || case when p_own_column is null then '' else
         format(' or ((select app.has_permission(%L)) and %I = (select auth.uid()))', p_noun || ':' || p_verb || '_own', p_own_column) end
$$;
revoke all on function app.scope_condition(text, text, text, text, text, text, text, text) from public;

drop function if exists app.protect(regclass, text, boolean, text, text, text, text[]);
create or replace function app.protect(
  p_table           regclass,
  p_noun            text,
  p_soft_delete     boolean default false,
  p_assigned_column text    default null,
  p_own_column      text    default null,
  p_tenant_column   text    default 'company_id',
  p_verbs           text[]  default '{read,create,update,delete}',
  p_crew_column     text    default null,
  p_parent_table    regclass default null,
  p_parent_column   text    default null
) returns void
  language plpgsql
  set search_path = ''
as $$
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

  execute format('create policy tenant_isolation on %s as restrictive for all to anon, authenticated, guest
                    using (%I = (select app.company_id())) with check (%I = (select app.company_id()))',
                 p_table, p_tenant_column, p_tenant_column);
  execute format('revoke all on %s from public, anon, authenticated, guest, service_role', p_table);
  execute format('grant select, insert, update, delete on %s to service_role', p_table);

  foreach v_verb in array p_verbs loop
    v_command := case v_verb when 'read' then 'select' when 'create' then 'insert' else v_verb end;
    v_condition := app.scope_condition(p_table::text, p_noun, v_verb, p_assigned_column, p_own_column, p_crew_column,
                                       p_parent_table::text, p_parent_column);
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
                      for each row execute function app.guard_soft_delete(%L, %L)', p_table, p_noun, coalesce(p_own_column, ''));
    execute format('create or replace trigger guard_deletion before delete on %s for each row execute function app.guard_deletion()', p_table);
  end if;

  insert into app.protected_tables as t (table_name, noun, soft_delete, assigned_column, own_column, tenant_column, verbs,
                                         crew_column, parent_table, parent_column)
  values (p_table::text, p_noun, p_soft_delete, p_assigned_column, p_own_column, p_tenant_column, p_verbs, p_crew_column, p_parent_table::text, p_parent_column)
  on conflict (table_name) do update
     set noun = excluded.noun, soft_delete = excluded.soft_delete, assigned_column = excluded.assigned_column,
         own_column = excluded.own_column, tenant_column = excluded.tenant_column, verbs = excluded.verbs, crew_column = excluded.crew_column,
         parent_table = excluded.parent_table, parent_column = excluded.parent_column;
  -- Of the first installation these files make the audit later, and then for every table.
  if to_regprocedure('app.audit_table(regclass, text)') is not null then
    perform app.audit_table(p_table, p_tenant_column);
  end if;
  -- The same of events.
  if to_regprocedure('app.tell_of_table(regclass)') is not null and to_regprocedure('app.note_event()') is not null then
    perform app.tell_of_table(p_table);
  end if;
  -- The same of the wall around a debt; where its migration went back, what it calls is gone, too.
  if to_regprocedure('app.refuse_unpaid()') is not null then
    perform app.wall_unpaid(p_table, p_tenant_column);
  end if;
end $$;
comment on function app.protect(regclass, text, boolean, text, text, text, text[], text, regclass, text) is
  'Declares a table of a company: policies by permission, grants, triggers, and its row in app.protected_tables.';
revoke all on function app.protect(regclass, text, boolean, text, text, text, text[], text, regclass, text) from public;

-- For the WHEN of triggers that look at other rows with more rights than the caller has. They fire before the policies look at the
-- new row: without this a member could learn from their answers what another company has. Evaluated as whoever writes, so that a
-- definer function's own writes are always looked at.
create or replace function app.is_within_reach(p_company_id uuid) returns boolean
  language sql stable parallel safe
  return current_user not in ('anon', 'authenticated') or coalesce(p_company_id = app.company_id(), false);
revoke all on function app.is_within_reach(uuid) from public;
grant execute on function app.is_within_reach(uuid) to anon, authenticated, service_role, app_definer;

-- deleted_at cannot stand in a policy (the soft delete would itself be refused), so that who may delete
-- and who may bring back is asked here. When a row was deleted and when it goes is never the caller's to say:
-- whoever could choose the date could take the row away for good at once.
create or replace function app.guard_soft_delete() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_was     constant boolean := tg_op = 'UPDATE' and old.deleted_at is not null;
  v_is      constant boolean := new.deleted_at is not null;
  v_is_told constant boolean := current_user in ('authenticated', 'service_role');
  v_permission text;
begin
  if v_was and v_is then
    if v_is_told then
      new.deleted_at := old.deleted_at;
      new.deleted_by := old.deleted_by;
      new.permanent_delete_scheduled_at := old.permanent_delete_scheduled_at;
    end if;
    return new;
  elsif not v_was and not v_is then
    if v_is_told then
      new.deleted_by := null;
    end if;
    return new;
  end if;
  v_permission := tg_argv[0] || case when v_is then ':delete' else ':restore' end;
  -- The scopes that policies know, for the one change that no policy tells from others. Whoever may change assigned rows alone
  -- has reached an assigned one; a row is somebody's own when it names him, and a new row is nobody's yet.
  if current_user = 'authenticated' and not app.has_permission(v_permission)
     and not (tg_op = 'UPDATE' and app.has_permission(v_permission || '_own')
              and coalesce(to_jsonb(old) ->> tg_argv[1] = auth.uid()::text, false))
     and not (tg_op = 'UPDATE' and app.has_permission(v_permission || '_assigned')
              and not app.has_permission(tg_argv[0] || ':update') and not app.has_permission(tg_argv[0] || ':update_own')) then
    raise exception using errcode = 'TH403', constraint = 'permission_denied',
      message = format('You need the permission %s.', v_permission);
  end if;
  if not v_is then
    new.deleted_by := null;
    new.archived_at := null;
    new.permanent_delete_scheduled_at := null;
    return new;
  end if;
  new.deleted_by := coalesce(auth.uid(), new.deleted_by);
  if v_is_told then
    new.deleted_at := now();
    -- Whatever stands there is the date of the archive.
    new.permanent_delete_scheduled_at := null;
  end if;
  new.permanent_delete_scheduled_at :=
    coalesce(new.permanent_delete_scheduled_at, new.deleted_at + app.deleted_rows_kept(new.company_id));
  return new;
end $$;
revoke all on function app.guard_soft_delete() from public;

-- What was marked as deleted is kept until its date, whoever asks; the owner's clean-up and what goes with a company are not asked.
create or replace function app.guard_deletion() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if current_user in ('authenticated', 'service_role')
     and (old.deleted_at is null or coalesce(old.permanent_delete_scheduled_at > now(), true)) then
    raise exception using errcode = 'TH409', constraint = 'permanent_deletion_early',
      message = case when old.deleted_at is null then 'This row has to be deleted first; it is kept for a while then.'
                     else format('This row is kept until %s.', coalesce(to_char(old.permanent_delete_scheduled_at, 'YYYY-MM-DD'),
                                                                        'it has a date')) end;
  end if;
  return old;
end $$;
revoke all on function app.guard_deletion() from public;

-- What was declared is no secret: the data API reads it as whichever role it happens to be.
drop policy if exists declared_read on app.protected_tables;
create policy declared_read on app.protected_tables as permissive for select to anon, authenticated using (true);
revoke all on app.protected_tables, app.role_permissions, app.counters from public, anon, authenticated, service_role;
grant select on app.protected_tables to anon, authenticated, service_role;
grant select on app.role_permissions to service_role;
