-- Messages from SQL to channels. Invariant: what cannot be sent is an error of the statement that sends it, never a warning; what is sent
-- is told after the commit, and kept for a few days.

-- Runs as whoever sends: the policies of realtime.messages decide, as they do over a socket.
create or replace function app.send_message(p_payload jsonb, p_bytes bytea, p_event text, p_topic text, p_private boolean) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_before  constant text  := current_setting('realtime.topic', true);
  v_id      constant uuid  := gen_random_uuid();
  -- An object carries the id of its row, as meta has it, unless it has one of its own.
  v_payload constant jsonb := case when jsonb_typeof(p_payload) = 'object' and not p_payload ? 'id'
                                   then p_payload || jsonb_build_object('id', v_id) else p_payload end;
begin
  if p_topic is null or length(p_topic) not between 1 and 255 then
    raise exception using errcode = 'TH422', constraint = 'channel_invalid', message = 'A channel has a name of 1 to 255 characters.';
  end if;
  if p_event is null or length(p_event) not between 1 and 255 then
    raise exception using errcode = 'TH422', constraint = 'channel_event_invalid', message = 'An event has a name of 1 to 255 characters.';
  end if;
  if greatest(octet_length(p_payload::text), octet_length(p_bytes)) > 3000000 then
    raise exception using errcode = 'TH422', constraint = 'channel_message_too_large', message = 'A message has at most 3000000 bytes.';
  end if;
  perform set_config('realtime.topic', p_topic, true);
  insert into realtime.messages (id, topic, extension, event, payload, binary_payload, private)
  values (v_id, p_topic, 'broadcast', p_event, v_payload, p_bytes, coalesce(p_private, true));
  perform set_config('realtime.topic', coalesce(v_before, ''), true);
end $$;
revoke all on function app.send_message(jsonb, bytea, text, text, boolean) from public;
grant execute on function app.send_message(jsonb, bytea, text, text, boolean) to anon, authenticated, service_role, app_definer;

create or replace function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
  language sql volatile
  set search_path = ''
begin atomic
  select app.send_message(coalesce(payload, 'null'::jsonb), null, event, topic, private);
end;
comment on function realtime.send(jsonb, text, text, boolean) is 'Sends a message to a channel after the commit. It is an error where the caller may not.';

create or replace function realtime.send_binary(payload bytea, event text, topic text, private boolean default true) returns void
  language sql volatile
  set search_path = ''
begin atomic
  select app.send_message(null, coalesce(payload, ''::bytea), event, topic, private);
end;
comment on function realtime.send_binary(bytea, text, text, boolean) is 'Sends bytes to a channel after the commit.';

create or replace function realtime.broadcast_changes(
  topic_name text, event_name text, operation text, table_name text, table_schema text, new record, old record, level text default 'ROW'
) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_payload jsonb;
begin
  if level = 'STATEMENT' then
    raise exception using errcode = 'TH422', constraint = 'channel_trigger_invalid',
      message = 'Changes are broadcast for each row, not for each statement.';
  end if;
  v_payload := jsonb_build_object('operation', operation, 'table', table_name, 'schema', table_schema,
                                  'record', to_jsonb(new), 'old_record', to_jsonb(old));
  perform app.send_message(v_payload, null, event_name, topic_name, true);
end $$;
comment on function realtime.broadcast_changes(text, text, text, text, text, record, record, text) is
  'Sends a changed row to the private channel of a name, from a trigger.';
revoke all on function realtime.send(jsonb, text, text, boolean), realtime.send_binary(bytea, text, text, boolean),
  realtime.broadcast_changes(text, text, text, text, text, record, record, text) from public;
grant execute on function realtime.send(jsonb, text, text, boolean), realtime.send_binary(bytea, text, text, boolean),
  realtime.broadcast_changes(text, text, text, text, text, record, record, text) to anon, authenticated, service_role, app_definer;

-- A day's messages are a partition: it is there before its first row, and what is too old goes with it.
create or replace function app.make_message_partitions(p_days_ahead integer default 3) returns text[]
  language plpgsql volatile security definer
  set search_path = ''
  set lock_timeout = '5s'
as $$
declare
  v_ahead integer;
  v_day   date;
  v_name  text;
  v_made  text[] := '{}';
begin
  if p_days_ahead not between 0 and 60 then
    raise exception using errcode = '22023', message = 'partitions are made 0 to 60 days ahead';
  end if;
  -- The day before, too: a clock that is behind, and what was written just before midnight.
  for v_ahead in -1 .. p_days_ahead loop
    v_day := (now() at time zone 'UTC')::date + v_ahead;
    v_name := to_char(v_day, '"messages"_YYYY_MM_DD');
    continue when to_regclass(format('realtime.%I', v_name)) is not null;
    -- Whoever makes the same one at the same time waits, and finds it made.
    perform pg_advisory_xact_lock(hashtextextended('partition realtime ' || v_name, 0));
    continue when to_regclass(format('realtime.%I', v_name)) is not null;
    execute format('create table realtime.%I (like realtime.messages including defaults including constraints including comments)', v_name);
    perform app.enclose(format('realtime.%I', v_name)::regclass);
    execute format('alter table realtime.messages attach partition realtime.%I for values from (%L) to (%L)',
                   v_name, v_day::timestamp at time zone 'UTC', (v_day + 1)::timestamp at time zone 'UTC');
    v_made := v_made || v_name;
  end loop;
  return v_made;
end $$;
comment on function app.make_message_partitions(integer) is 'Makes the partitions of these days where they are missing; returns their names.';
revoke all on function app.make_message_partitions(integer) from public;
grant execute on function app.make_message_partitions(integer) to service_role;

create or replace function app.drop_message_partitions(p_days integer default 3) returns text[]
  language plpgsql volatile security definer
  set search_path = ''
  set lock_timeout = '5s'
as $$
declare
  v_name    text;
  v_dropped text[] := '{}';
begin
  if p_days not between 1 and 365 then
    raise exception using errcode = '22023', message = 'messages are kept for 1 to 365 days';
  end if;
  for v_name in
    select c.relname from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'realtime.messages'::regclass
       and to_date(right(c.relname, 10), 'YYYY_MM_DD') < (now() at time zone 'UTC')::date - p_days
     order by c.relname
  loop
    execute format('drop table realtime.%I', v_name);
    v_dropped := v_dropped || v_name;
  end loop;
  return v_dropped;
end $$;
comment on function app.drop_message_partitions(integer) is 'Takes away days of messages that are older than they are kept; returns their names.';
revoke all on function app.drop_message_partitions(integer) from public;
grant execute on function app.drop_message_partitions(integer) to service_role;

select app.make_message_partitions();

-- What those wrote who join late may read, the oldest first.
create or replace function app.replayed_messages(p_topic text, p_since timestamptz, p_limit integer)
  returns table (id uuid, event text, payload text, bytes text)
  language sql stable security definer
  set search_path = ''
as $$
  select r.id, r.event, r.payload, r.bytes
    from (select m.id, m.event, m.payload::text as payload, encode(m.binary_payload, 'base64') as bytes, m.inserted_at
            from realtime.messages m
           where m.topic = p_topic and m.private and m.extension = 'broadcast' and m.event is not null and m.inserted_at >= p_since
           order by m.inserted_at desc, m.id desc
           limit p_limit) r
   order by r.inserted_at, r.id
$$;
alter function app.replayed_messages(text, timestamptz, integer) owner to app_definer;
revoke all on function app.replayed_messages(text, timestamptz, integer) from public;
grant execute on function app.replayed_messages(text, timestamptz, integer) to service_role;
