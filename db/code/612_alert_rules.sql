-- Rules about what goes wrong, and what they look at.
-- Invariants: a rule that an operator changed stays as he said; a value that cannot be read is no data, which raises and resolves nothing.

revoke all on app.signal_readings, app.alert_rules, app.alerts, app.alert_deliveries from public, anon, authenticated, guest, service_role;

insert into app.alert_rules as r (name, description, source, signal, unit, is_above, threshold, window_s, hold_s, remind_s, severity) values
  ('errors',            'Requests that failed by our fault',                       'sum',          'request_errors',          'in 5 min', true,  50,         300,   0,   3600,  'critical'),
  ('slow_requests',     'Requests that took longer than 5 s',                      'sum',          'slow_requests',           'in 5 min', true,  10,         300,   0,   3600,  'warning'),
  ('slow_transactions', 'The longest transaction that is open',                    'transactions', null,                      's',        true,  5,          1,     0,   3600,  'warning'),
  ('connections',       'Connections to PostgreSQL that are used',                 'connections',  null,                      '%',        true,  80,         1,     0,   3600,  'critical'),
  ('backup_age',        'The age of the last backup',                              'last',         'last_backup_age_seconds', 's',        true,  90000,      300,   0,   21600, 'critical'),
  ('slot_lag',          'Log that PostgreSQL keeps for the slot that lags most',   'slots',        null,                      'bytes',    true,  1073741824, 1,     60,  3600,  'critical'),
  ('queue_age',         'How long the oldest task that could begin has waited',    'tasks',        null,                      's',        true,  600,        1,     60,  3600,  'warning'),
  ('disk_forecast',     'Until the disk is full, as it fills now',                 'forecast',     'disk_free_bytes',         'h',        false, 24,         21600, 120, 21600, 'critical'),
  ('disk_free',         'Room on the disk of the data folder',                     'last',         'disk_free_percent',       '%',        false, 10,         300,   0,   21600, 'critical'),
  ('feed_lag',          'How late changed rows come to servers',                   'last',         'change_feed_lag_seconds', 's',        true,  30,         300,   60,  3600,  'warning'),
  ('certificate_end',   'Until the certificate for TLS ends',                      'last',         'certificate_expires_seconds', 's',    false, 1209600,    300,   300, 21600, 'critical'),
  ('certificate_orders', 'Orders of a certificate that failed one after another',  'last',         'certificate_order_failures', 'times', true, 2,          300,   0,   21600, 'warning'),
  ('told',              'What programs tell by send_alert',                        'told',         null,                      'times',    true,  0,          3600,  0,   3600,  'warning')
on conflict (name) do update
   set description = excluded.description, source = excluded.source, signal = excluded.signal, unit = excluded.unit, is_above = excluded.is_above,
       threshold = excluded.threshold, window_s = excluded.window_s, hold_s = excluded.hold_s, remind_s = excluded.remind_s, severity = excluded.severity
 where not r.is_changed
   and (r.description, r.source, r.signal, r.unit, r.is_above, r.threshold, r.window_s, r.hold_s, r.remind_s, r.severity)
       is distinct from (excluded.description, excluded.source, excluded.signal, excluded.unit, excluded.is_above, excluded.threshold,
                         excluded.window_s, excluded.hold_s, excluded.remind_s, excluded.severity);

-- Whether sessions of other logins can be looked into.
create or replace function app.sees_activity() returns boolean
  language sql stable security definer
  set search_path = ''
as $$
  select pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
$$;
alter function app.sees_activity() owner to app_definer;
revoke all on function app.sees_activity() from public;
grant execute on function app.sees_activity() to service_role;

-- The value of a rule at this moment, and what it is of.
create or replace function app.read_alert_rule(p_rule app.alert_rules, p_now timestamptz, out reading double precision, out about text)
  language plpgsql volatile security definer
  set search_path = ''
as $$
begin
  case p_rule.source
    when 'sum' then
      select coalesce(sum(s.amount), 0), null into reading, about
        from app.signal_readings s where s.signal = p_rule.signal and s.noted_at > p_now - make_interval(secs => p_rule.window_s) and s.noted_at <= p_now;
    when 'last' then
      select l.amount, l.node into reading, about
        from (select distinct on (s.node) s.node, s.amount from app.signal_readings s
               where s.signal = p_rule.signal and s.noted_at > p_now - make_interval(secs => p_rule.window_s)
               order by s.node, s.noted_at desc) l
       order by case when p_rule.is_above then -l.amount else l.amount end limit 1;
    when 'forecast' then
      -- Hours until a straight line through the readings comes to nothing. A short look at a disk says nothing.
      select l.last_amount / -l.slope / 3600, l.node into reading, about
        from (select s.node, pg_catalog.regr_slope(s.amount, extract(epoch from s.noted_at)) as slope,
                     (array_agg(s.amount order by s.noted_at desc))[1] as last_amount
                from app.signal_readings s where s.signal = p_rule.signal and s.noted_at > p_now - make_interval(secs => p_rule.window_s)
               group by s.node
              having count(*) >= 5 and max(s.noted_at) - min(s.noted_at) >= make_interval(secs => p_rule.window_s / 12.0)) l
       where l.slope < 0 order by 1 limit 1;
      if reading is null and exists (select from app.signal_readings s where s.signal = p_rule.signal
                                        and s.noted_at > p_now - make_interval(secs => p_rule.window_s)) then
        reading := 8760;
      end if;
      reading := least(reading, 8760);
    when 'transactions' then
      if app.sees_activity() then
        select extract(epoch from clock_timestamp() - a.xact_start), format('process %s of %s, %s', a.pid, a.usename, a.state) into reading, about
          from pg_catalog.pg_stat_activity a
         where a.datname = current_database() and a.xact_start is not null and a.backend_type = 'client backend' and a.pid <> pg_backend_pid()
           -- What works without end by design, and what makes copies of everything.
           and a.application_name not in ('pg_dump', 'pg_basebackup')
         order by a.xact_start limit 1;
        reading := coalesce(reading, 0);
      end if;
    when 'connections' then
      select count(*) * 100.0 / current_setting('max_connections')::integer, format('%s of %s', count(*), current_setting('max_connections'))
        into reading, about from pg_catalog.pg_stat_activity a where a.datid is not null;
    when 'slots' then
      if pg_catalog.pg_is_in_recovery() then
        return;
      end if;
      select pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn), s.slot_name into reading, about
        from pg_catalog.pg_replication_slots s where s.restart_lsn is not null order by 1 desc limit 1;
      reading := coalesce(reading, 0);
    when 'tasks' then
      select greatest(extract(epoch from p_now - t.run_at), 0), t.kind into reading, about
        from app.tasks t where t.state in ('ready', 'later') and t.run_at <= p_now order by t.run_at limit 1;
      reading := coalesce(reading, 0);
    else null;
  end case;
end $$;
alter function app.read_alert_rule(app.alert_rules, timestamptz) owner to app_definer;
revoke all on function app.read_alert_rule(app.alert_rules, timestamptz) from public;

-- What a server noticed: for each signal how much. Counts are since it said so last.
create or replace function app.note_signals(p_node text, p_signals jsonb) returns void
  language sql volatile security definer
  set search_path = ''
as $$
  insert into app.signal_readings (signal, node, amount)
  select s.key, left(p_node, 200), s.value::double precision from jsonb_each_text(p_signals) s where s.key ~ '^[a-z][a-z0-9_]{0,79}$' limit 100
$$;
alter function app.note_signals(text, jsonb) owner to app_definer;
revoke all on function app.note_signals(text, jsonb) from public;
grant execute on function app.note_signals(text, jsonb) to service_role;

-- For the operator --------------------------------------------------------------------------------

create or replace function app.check_alert_reach() returns void
  language plpgsql stable
  set search_path = ''
as $$
begin
  if app.company_id() is not null then
    raise exception using errcode = 'TH403', constraint = 'alerts_not_yours', message = 'Alerts are the operator''s, and no company''s.',
      hint = 'Leave X-Company-Id away.';
  end if;
end $$;
revoke all on function app.check_alert_reach() from public;
grant execute on function app.check_alert_reach() to app_definer;

create or replace function public.alert_rules()
  returns table (name text, description text, threshold double precision, unit text, is_above boolean, window_s integer, hold_s integer, calm_s integer,
                 remind_s integer, severity text, is_enabled boolean, silent_until timestamptz, silent_reason text, reading double precision, about text,
                 read_at timestamptz, state text)
  language plpgsql stable security definer
  set search_path = ''
as $$
begin
  perform app.check_alert_reach();
  return query
    select r.name, r.description, r.threshold, r.unit, r.is_above, r.window_s, r.hold_s, r.calm_s, r.remind_s, r.severity, r.is_enabled, r.silent_until,
           r.silent_reason, r.reading, r.reading_about, r.read_at,
           case when not r.is_enabled then 'off'
                when exists (select from app.alerts a where a.rule = r.name and a.resolved_at is null)
                  then case when r.silent_until > now() then 'silent' else 'open' end
                when r.source <> 'told' and r.reading is null then 'no data'
                when r.crossed_at is not null then 'crossed'
                else 'well' end
      from app.alert_rules r order by r.name;
end $$;
comment on function public.alert_rules() is 'When the operator is told, and how it stands. For the service.';
alter function public.alert_rules() owner to app_definer;
revoke all on function public.alert_rules() from public;
grant execute on function public.alert_rules() to service_role;

create or replace function public.set_alert_rule(name text, threshold double precision default null, enabled boolean default null, window_s integer default null,
                                                 hold_s integer default null, calm_s integer default null, remind_s integer default null,
                                                 severity text default null) returns boolean
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_variable
begin
  perform app.check_alert_reach();
  update app.alert_rules r
     set threshold = coalesce(threshold, r.threshold), is_enabled = coalesce(enabled, r.is_enabled), window_s = coalesce(window_s, r.window_s),
         hold_s = coalesce(hold_s, r.hold_s), calm_s = coalesce(calm_s, r.calm_s), remind_s = coalesce(remind_s, r.remind_s),
         severity = coalesce(severity, r.severity), is_changed = true, updated_at = now()
   where r.name = name;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'alert_rule_not_found', message = 'There is no such rule.', hint = 'alert_rules() lists them.';
  end if;
  return true;
exception when check_violation then
  raise exception using errcode = 'TH422', constraint = 'alert_rule_invalid', message = 'This rule cannot be set so.',
    hint = 'window_s is 1 to 86400, hold_s and calm_s 0 to 86400, remind_s 1 to 604800, severity warning or critical.';
end $$;
comment on function public.set_alert_rule(text, double precision, boolean, integer, integer, integer, integer, text) is
  'Changes when the operator is told; what is null stays. For the service.';
alter function public.set_alert_rule(text, double precision, boolean, integer, integer, integer, integer, text) owner to app_definer;
revoke all on function public.set_alert_rule(text, double precision, boolean, integer, integer, integer, integer, text) from public;
grant execute on function public.set_alert_rule(text, double precision, boolean, integer, integer, integer, integer, text) to service_role;

-- Null ends the silence.
create or replace function public.silence_alert(name text, until timestamptz, reason text default null) returns boolean
  language plpgsql volatile security definer
  set search_path = ''
as $$
#variable_conflict use_variable
begin
  perform app.check_alert_reach();
  if until > now() + interval '30 days' or until <= now() or length(reason) not between 1 and 200 then
    raise exception using errcode = 'TH422', constraint = 'alert_silence_invalid', message = 'A silence ends within 30 days; a reason has 1 to 200 letters.';
  end if;
  update app.alert_rules r set silent_until = until, silent_reason = case when until is not null then reason end, updated_at = now() where r.name = name;
  if not found then
    raise exception using errcode = 'TH404', constraint = 'alert_rule_not_found', message = 'There is no such rule.', hint = 'alert_rules() lists them.';
  end if;
  return true;
end $$;
comment on function public.silence_alert(text, timestamptz, text) is 'Has nobody told of a rule until a time; null ends that. For the service.';
alter function public.silence_alert(text, timestamptz, text) owner to app_definer;
revoke all on function public.silence_alert(text, timestamptz, text) from public;
grant execute on function public.silence_alert(text, timestamptz, text) to service_role;
