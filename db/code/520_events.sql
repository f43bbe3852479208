-- Events: what happens to rows of the business, written with the change that it is.
-- Invariants: an event is there exactly if its change is; of a company without a webhook only what members may have to be told of is
-- written (db/code/540_notification_topics.sql), and finding out costs a change the look-up of two keys; no secret stands in an event.

-- What a subscriber is not told of: records of other changes, conversations of one person, and what lets programs in.
grant execute on function app.unaudited_tables() to app_definer, authenticated, service_role;
create or replace function app.untold_tables() returns text[]
  language sql immutable
  set search_path = ''
  return app.unaudited_tables() || array['public.api_keys', 'public.webhooks', 'public.public_links', 'public.sign_on_providers', 'public.scim_tokens',
    'public.scim_mappings', 'public.supplier_integrations', 'public.legal_holds', 'public.support_consents', 'public.support_sessions', 'public.chats', 'public.messages_v2',
    'public.votes_v2', 'public.documents', 'public.suggestions', 'public.streams', 'public.notification_queue', 'public.notification_preferences',
    'public.notification_choices', 'public.data_imports', 'public.data_exports'];
revoke all on function app.untold_tables() from public;
grant execute on function app.untold_tables() to app_definer, authenticated, service_role;

-- The nouns that events begin with, and what a member needs to be told of them.
create or replace function app.event_nouns() returns table (noun text, table_name text, permission text)
  language sql stable
  set search_path = ''
as $$
  select app.entity_of(split_part(t.table_name, '.', 2)), t.table_name, t.noun || ':read'
    from app.protected_tables t
   -- A company's own row has no column that names its company, and nobody is told of it.
   where starts_with(t.table_name, 'public.') and t.tenant_column = 'company_id' and t.table_name <> all (app.untold_tables())
$$;
comment on function app.event_nouns() is 'What rows of a table are called in events, and the permission to read them.';
revoke all on function app.event_nouns() from public;
grant execute on function app.event_nouns() to app_definer, authenticated, service_role;

-- Every name that an event can have. Statuses are those that the table's check allows, but for words that another one is used for.
create or replace function app.event_names() returns table (name text, noun text)
  language sql stable
  set search_path = ''
as $$
  select n.noun || '.' || v.verb, n.noun
    from app.event_nouns() n
   cross join lateral (
     values ('created'), ('updated'), ('deleted')
     union select 'restored' from pg_catalog.pg_attribute a
            where a.attrelid = n.table_name::regclass and a.attname = 'deleted_at' and not a.attisdropped
     union select 'erased' where n.noun in ('customer', 'customer_contact')
     union select m.word[1]
             from pg_catalog.pg_attribute a
             join pg_catalog.pg_constraint c on c.conrelid = a.attrelid and c.contype = 'c' and c.conkey = array[a.attnum]
            cross join lateral regexp_matches(pg_catalog.pg_get_constraintdef(c.oid), $word$'([a-z_]{1,60})'$word$, 'g') m (word)
            where a.attrelid = n.table_name::regclass and a.attname = 'status' and not a.attisdropped
              and not exists (select from app.statuses s where s.table_name in (n.table_name, split_part(n.table_name, '.', 2))
                               and s.status = m.word[1] and s.instead is not null)) v (verb)
$$;
comment on function app.event_names() is 'Every name that an event can have, with what its row is called.';
revoke all on function app.event_names() from public;
grant execute on function app.event_names() to app_definer, authenticated, service_role;

drop function if exists app.write_event(uuid, text[], text[], jsonb, jsonb);
create or replace function app.write_event(p_company_id uuid, p_wanted text[], p_is_noted boolean, p_arguments text[], p_old jsonb, p_new jsonb)
  returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_noun   constant text := p_arguments[0];
  v_hidden constant text[] := p_arguments[2:];
  v_changed jsonb;
  v_names   text[];
begin
  if p_old is null then
    v_names := array[v_noun || '.created'];
  elsif p_new is null then
    -- What was marked as deleted has been told already.
    if p_old ->> 'deleted_at' is not null then
      return;
    end if;
    v_names := array[v_noun || '.deleted'];
  else
    select jsonb_object_agg(n.key, p_old -> n.key) into v_changed
      from jsonb_each(p_new) n
     where n.value is distinct from p_old -> n.key and n.key not in ('updated_at', 'version') and n.key <> all (v_hidden);
    if v_changed is null then
      return;
    end if;
    v_names := case
      when v_changed ? 'deleted_at' and p_new ->> 'deleted_at' is not null then array[v_noun || '.deleted']
      when v_changed ? 'deleted_at' then array[v_noun || '.restored']
      -- What is deleted is nobody's news.
      when p_new ->> 'deleted_at' is not null then '{}'
      when v_changed ? 'status' and p_new ->> 'status' ~ '^[a-z_]{1,60}$'
        then array[v_noun || '.' || (p_new ->> 'status'), v_noun || '.updated']
      else array[v_noun || '.updated'] end;
  end if;
  if v_names = '{}' then
    return;
  end if;
  if p_is_noted then
    perform app.note_for_members(p_company_id, v_noun, v_names, coalesce(p_new, p_old) - v_hidden, v_changed);
  end if;
  if p_wanted is null or not p_wanted && (v_names || array['*', v_noun || '.*']) then
    return;
  end if;
  insert into app.events (company_id, names, row_id, payload)
  values (p_company_id, v_names, (coalesce(p_new, p_old) ->> 'id')::uuid,
          jsonb_build_object('data', coalesce(p_new, p_old) - v_hidden)
            || case when v_changed is null then '{}' else jsonb_build_object('previous', v_changed) end);
end $$;
revoke all on function app.write_event(uuid, text[], boolean, text[], jsonb, jsonb) from public;
grant execute on function app.write_event(uuid, text[], boolean, text[], jsonb, jsonb) to app_definer;

-- After each row. Arguments: what a row is called, the column of its company, and the columns that are told to nobody.
create or replace function app.note_event() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_company  uuid;
  v_wanted   text[];
  v_is_noted boolean;
begin
  if tg_op = 'DELETE' then
    v_company := old.company_id;
  else
    v_company := new.company_id;
  end if;
  select i.wanted into v_wanted from app.event_interest i where i.company_id = v_company;
  -- Whoever brings in rows of long ago has nobody told of them.
  v_is_noted := coalesce(current_setting('app.untold', true), '') <> 'on'
    and exists (select from app.notification_sources s where s.noun = tg_argv[0]);
  if v_wanted is not null or v_is_noted then
    perform app.write_event(v_company, v_wanted, v_is_noted, tg_argv, case when tg_op <> 'INSERT' then to_jsonb(old) end,
                            case when tg_op <> 'DELETE' then to_jsonb(new) end);
  end if;
  return null;
end $$;
comment on function app.note_event() is
  'After each row: writes what happened to it, if a webhook of its company asks for it or members may have to be told.';
alter function app.note_event() owner to app_definer;
revoke all on function app.note_event() from public;

create or replace function app.tell_of_table(p_table regclass) returns void
  language plpgsql
  set search_path = ''
as $$
declare
  v_noun text;
begin
  select n.noun into v_noun from app.event_nouns() n where n.table_name = p_table::text;
  if v_noun is null then
    execute format('drop trigger if exists zx_event on %s', p_table);
    return;
  end if;
  execute format('create or replace trigger zx_event after insert or update or delete on %s for each row
                    when (current_setting(''role'') <> ''app_owner'' or coalesce(current_setting(''app.unaudited'', true), '''') <> ''on'')
                    execute function app.note_event(%L, %L, %L', p_table, v_noun, 'company_id', 'search_vector')
    || coalesce((select string_agg(format(', %L', c), '' order by c) from unnest(app.secret_columns(p_table)) c), '') || ')';
end $$;
comment on function app.tell_of_table(regclass) is 'Has every change of a table''s rows told as an event. app.protect calls it.';
revoke all on function app.tell_of_table(regclass) from public;

select app.tell_of_table(t.table_name::regclass) from app.protected_tables t where starts_with(t.table_name, 'public.');

-- What is asked for, kept beside the webhooks that ask.
create or replace function app.keep_event_interest() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_company constant uuid := case when tg_op = 'DELETE' then old.company_id else new.company_id end;
  v_wanted  text[];
begin
  select array_agg(distinct e.name) into v_wanted
    from public.webhooks w, unnest(w.events) e (name)
   where w.company_id = v_company and w.is_active;
  if v_wanted is null then
    delete from app.event_interest i where i.company_id = v_company;
  elsif exists (select from public.companies c where c.id = v_company) then
    insert into app.event_interest (company_id, wanted) values (v_company, v_wanted)
    on conflict (company_id) do update set wanted = excluded.wanted where event_interest.wanted <> excluded.wanted;
  end if;
  return null;
end $$;
alter function app.keep_event_interest() owner to app_definer;
revoke all on function app.keep_event_interest() from public;
create or replace trigger zw_keep_event_interest after insert or delete or update of events, is_active on public.webhooks
  for each row execute function app.keep_event_interest();
insert into app.event_interest (company_id, wanted)
select w.company_id, array_agg(distinct e.name) from public.webhooks w, unnest(w.events) e (name) where w.is_active group by w.company_id
on conflict (company_id) do update set wanted = excluded.wanted;

-- Whoever has rows sent somewhere may read them himself.
create or replace function app.guard_webhook_events() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_event   text;
  v_missing text;
begin
  foreach v_event in array new.events loop
    if v_event <> '*' and not exists (select from app.event_nouns() n where n.noun = split_part(v_event, '.', 1)) then
      raise exception using errcode = 'TH422', constraint = 'webhook_event_invalid',
        message = format('There are no events of "%s".', split_part(v_event, '.', 1)),
        hint = 'GET /api/v1/webhooks/events lists what there is.';
    elsif v_event <> '*' and split_part(v_event, '.', 2) <> '*' and v_event not in (select e.name from app.event_names() e) then
      raise exception using errcode = 'TH422', constraint = 'webhook_event_unknown',
        message = format('Nothing that happens to a %s is called "%s".', replace(split_part(v_event, '.', 1), '_', ' '), v_event),
        hint = format('There are %s.', (select string_agg(e.name, ', ' order by e.name) from app.event_names() e where e.noun = split_part(v_event, '.', 1)));
    end if;
  end loop;
  -- Whoever may have no webhooks at all is refused for that.
  if current_user = 'authenticated' and (app.has_permission('webhooks:create') or app.has_permission('webhooks:update')) then
    select n.permission into v_missing
      from app.event_nouns() n
     where exists (select from unnest(new.events) e (name) where e.name = '*' or split_part(e.name, '.', 1) = n.noun)
       and not app.has_permission(n.permission)
     order by n.permission limit 1;
    if v_missing is not null then
      raise exception using errcode = 'TH403', constraint = 'webhook_event_denied',
        message = format('You need the permission %s to have these events sent.', v_missing);
    end if;
  end if;
  return new;
end $$;
revoke all on function app.guard_webhook_events() from public;
create or replace trigger guard_events before insert or update of events on public.webhooks
  for each row execute function app.guard_webhook_events();

-- What happened is kept for a while, to be told again.
create or replace function app.expire_events(p_limit integer) returns bigint
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_count bigint;
begin
  with old as (select e.company_id, e.id from app.events e where e.created_at < now() - interval '30 days' order by e.created_at limit p_limit
                  for update skip locked)
  delete from app.events e using old where e.company_id = old.company_id and e.id = old.id;
  get diagnostics v_count = row_count;
  return v_count;
end $$;
revoke all on function app.expire_events(integer) from public;
grant execute on function app.expire_events(integer) to app_definer;

revoke all on app.event_interest, app.events from public, anon, authenticated, service_role;
grant select on app.events to service_role;
