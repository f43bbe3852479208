-- Whether somebody is told of a topic by a channel. Invariant: app.decide_notification is the one answer, for what is sent and for why it was
-- not: mandatory, then what the person chose, then his columns of notification_preferences, then his company, then the topic.

select app.protect('public.notification_choices', 'notification_choices', p_own_column => 'user_id');
select app.protect('public.notification_defaults', 'company_settings');

-- Refuses topics that there are not, and what would switch off what cannot be.
create or replace function app.guard_notification_topic() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_topic app.notification_topics;
begin
  select * into v_topic from app.notification_topics t where t.name = new.topic;
  if not found then
    raise exception using errcode = 'TH422', constraint = 'notification_topic_unknown',
      message = format('There is no topic "%s".', left(new.topic, 80)), hint = 'my_notification_settings lists what there is.';
  end if;
  if not new.enabled and new.channel = any (v_topic.mandatory_channels) then
    raise exception using errcode = 'TH422', constraint = 'notification_mandatory',
      message = format('Nobody can switch off %s by %s.', new.topic, new.channel);
  end if;
  return new;
end $$;
alter function app.guard_notification_topic() owner to app_definer;
revoke all on function app.guard_notification_topic() from public;
create or replace trigger guard before insert or update on public.notification_choices
  for each row when (app.is_within_reach(new.company_id)) execute function app.guard_notification_topic();
create or replace trigger guard before insert or update on public.notification_defaults
  for each row when (app.is_within_reach(new.company_id)) execute function app.guard_notification_topic();

-- The zone of quiet hours is one of those that PostgreSQL knows.
create or replace function app.guard_quiet_hours() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if not exists (select from pg_catalog.pg_timezone_names z where z.name = new.quiet_hours_timezone) then
    raise exception using errcode = 'TH422', constraint = 'time_zone_unknown',
      message = format('There is no time zone "%s".', left(new.quiet_hours_timezone, 80)), hint = 'Zones are written as Europe/Berlin.';
  end if;
  return new;
end $$;
revoke all on function app.guard_quiet_hours() from public;
-- What stands there already is asked nothing, and means UTC where it is no zone.
create or replace trigger guard_zone before update of quiet_hours_timezone on public.notification_preferences
  for each row when (new.quiet_hours_timezone is distinct from old.quiet_hours_timezone and new.quiet_hours_timezone <> 'UTC')
  execute function app.guard_quiet_hours();
create or replace trigger guard_new_zone before insert on public.notification_preferences
  for each row when (new.quiet_hours_timezone <> 'UTC' and current_user in ('authenticated', 'service_role')) execute function app.guard_quiet_hours();

create or replace function app.decide_notification(p_company_id uuid, p_user_id uuid, p_topic text, p_channel text, out is_enabled boolean,
                                                   out reason text)
  language plpgsql stable
  set search_path = ''
as $$
declare
  v_topic       app.notification_topics;
  v_default     public.notification_defaults;
  v_chosen      boolean;
  v_preferences jsonb;
begin
  select * into v_topic from app.notification_topics t where t.name = p_topic;
  if not found then
    is_enabled := false; reason := 'topic_unknown'; return;
  elsif p_channel = any (v_topic.mandatory_channels) then
    is_enabled := true; reason := 'mandatory'; return;
  end if;
  select * into v_default from public.notification_defaults d
   where d.company_id = p_company_id and d.topic = p_topic and d.channel = p_channel;
  if v_default.is_mandatory then
    is_enabled := true; reason := 'company_mandatory'; return;
  end if;
  select c.enabled into v_chosen from public.notification_choices c
   where c.company_id = p_company_id and c.user_id = p_user_id and c.topic = p_topic and c.channel = p_channel;
  if v_chosen is not null then
    is_enabled := v_chosen; reason := case when v_chosen then 'chosen_on' else 'chosen_off' end; return;
  end if;
  select to_jsonb(p) into v_preferences from public.notification_preferences p where p.company_id = p_company_id and p.user_id = p_user_id;
  if not (v_preferences ->> (p_channel || '_enabled'))::boolean then
    is_enabled := false; reason := 'channel_off'; return;
  -- A topic that has no column there is not spoken of.
  elsif jsonb_typeof(v_preferences -> p_topic) = 'boolean' then
    is_enabled := (v_preferences ->> p_topic)::boolean; reason := case when is_enabled then 'preferences' else 'topic_off' end; return;
  elsif v_default.topic is not null then
    is_enabled := v_default.enabled; reason := 'company_default'; return;
  end if;
  is_enabled := p_channel = any (v_topic.default_channels); reason := 'topic_default';
end $$;
comment on function app.decide_notification(uuid, uuid, text, text) is 'Whether a member is told of a topic by a channel, and what says so.';
revoke all on function app.decide_notification(uuid, uuid, text, text) from public;
grant execute on function app.decide_notification(uuid, uuid, text, text) to app_definer;

-- What the caller is told of, and why. For a page of settings.
create or replace function public.my_notification_settings()
  returns table (topic text, description text, channel text, enabled boolean, reason text, is_mandatory boolean, digest_group text)
  language plpgsql stable security definer
  set search_path = ''
as $$
begin
  if app.company_id() is null or auth.uid() is null or current_setting('role') <> 'authenticated' then
    raise exception using errcode = '42501', message = 'Only a member has settings.';
  end if;
  return query
  select t.name, t.description, c.channel, d.is_enabled, d.reason, d.reason in ('mandatory', 'company_mandatory'), t.digest_group
    from app.notification_topics t
   cross join unnest(array['in_app', 'email', 'sms', 'push']) with ordinality c (channel, place)
   cross join lateral app.decide_notification(app.company_id(), auth.uid(), t.name, c.channel) d
   where t.name <> 'digest'
   order by t.digest_group, t.name, c.place;
end $$;
comment on function public.my_notification_settings() is 'What the caller is told of in this company, by which channels, and what says so.';
alter function public.my_notification_settings() owner to app_definer;
revoke all on function public.my_notification_settings() from public;
grant execute on function public.my_notification_settings() to authenticated;

-- Texts of a company know {{ name }} and {% if name %}, which is all that is filled in; what else stands in braces is refused here rather
-- than when somebody should be told.
create or replace function app.guard_notification_template() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_text text;
  v_tags text[];
begin
  foreach v_text in array array[coalesce(new.subject, ''), new.body] loop
    select array_agg(m[1]) into v_tags from regexp_matches(v_text, '\{%-?\s*(if|elif|else|endif)(?:\s+(?:not\s+)?[a-z_]{1,40})?\s*-?%\}', 'g') m;
    if regexp_replace(v_text, '\{\{-?\s*[a-z_]{1,40}\s*-?\}\}|\{%-?\s*(if|elif)\s+(not\s+)?[a-z_]{1,40}\s*-?%\}|\{%-?\s*(else|endif)\s*-?%\}', '', 'g')
         ~ '\{\{|\{%|\{#'
       or cardinality(array_positions(v_tags, 'if')) is distinct from cardinality(array_positions(v_tags, 'endif')) then
      raise exception using errcode = 'TH422', constraint = 'notification_template_invalid',
        message = 'A text knows {{ name }}, {% if name %}, {% else %} and {% endif %}.',
        hint = 'docs/notifications.md lists the names.';
    end if;
  end loop;
  return new;
end $$;
revoke all on function app.guard_notification_template() from public;
create or replace trigger guard before insert or update of subject, body on public.notification_templates
  for each row execute function app.guard_notification_template();
