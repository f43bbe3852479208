-- What becomes due by itself, and what is kept how long. Invariant: whatever is called due is told once: each has a key, or a mark on its row.

-- Has members told of appointments that begin soon, equipment that needs service and stock that is low; returns of how much. To be called
-- every few minutes, by however many servers.
create or replace function app.notify_due(p_now timestamptz, p_reminder_minutes integer, p_service_days integer, p_limit integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_count bigint := 0;
  v_more  bigint;
begin
  -- One at a time: each would look for the same.
  if not pg_try_advisory_xact_lock(hashtextextended('app.notify_due', 0)) then
    return 0;
  end if;
  insert into app.notification_events (company_id, names, topic, entity_type, entity_id, user_ids, payload, unique_key)
  select s.company_id, '{schedule_reminder}', 'schedule_reminder', 'schedule', s.id,
         (select array_agg(distinct p.id) from unnest(array_append(s.crew, s.assigned_to)) p (id) where p.id is not null),
         jsonb_build_object('data', jsonb_strip_nulls(jsonb_build_object('title', s.title, 'start_time', s.start_time, 'end_time', s.end_time,
           'location', s.location, 'customer_id', s.customer_id, 'property_id', s.property_id))),
         -- One that is moved is told of again.
         format('schedule_reminder %s %s', s.id, extract(epoch from s.start_time)::bigint)
    from public.companies c join public.schedules s on s.company_id = c.id
   where c.deleted_at is null and s.start_time > p_now and s.start_time <= p_now + make_interval(mins => p_reminder_minutes) and s.deleted_at is null
     and s.status in ('scheduled', 'confirmed', 'dispatched', 'rescheduled') and (s.assigned_to is not null or s.crew <> '{}')
     and not exists (select from app.notification_events e where e.company_id = s.company_id
                        and e.unique_key = format('schedule_reminder %s %s', s.id, extract(epoch from s.start_time)::bigint))
   order by s.start_time limit p_limit
  on conflict (company_id, unique_key) where unique_key is not null do nothing;
  get diagnostics v_more = row_count;
  v_count := v_count + v_more;
  -- What was due long ago is nobody's news.
  insert into app.notification_events (company_id, names, topic, entity_type, entity_id, permission, payload, unique_key)
  select q.company_id, '{equipment_maintenance_due}', 'equipment_maintenance_due', 'equipment', q.id, 'service_plans:update',
         jsonb_build_object('data', jsonb_strip_nulls(jsonb_build_object('name', q.name, 'equipment_number', q.equipment_number,
           'customer_id', q.customer_id, 'property_id', q.property_id, 'start_time', q.next_service_due))),
         format('equipment_maintenance_due %s %s', q.id, q.next_service_due::date)
    from public.companies c join public.equipment q on q.company_id = c.id
   where c.deleted_at is null and q.next_service_due > p_now - interval '7 days' and q.next_service_due <= p_now + make_interval(days => p_service_days)
     and q.status = 'active' and q.deleted_at is null
     and not exists (select from app.notification_events e where e.company_id = q.company_id
                        and e.unique_key = format('equipment_maintenance_due %s %s', q.id, q.next_service_due::date))
   order by q.next_service_due limit p_limit
  on conflict (company_id, unique_key) where unique_key is not null do nothing;
  get diagnostics v_more = row_count;
  v_count := v_count + v_more;
  -- The mark goes when there is enough again (app.guard_inventory).
  with low as (
    select i.company_id, i.id from public.companies c join public.inventory i on i.company_id = c.id
     where c.deleted_at is null and i.is_low_stock and not i.low_stock_alert_sent and i.minimum_quantity > 0 and i.status = 'active' and i.deleted_at is null
     order by i.company_id, i.id limit p_limit for update of i skip locked
  ), marked as (
    update public.inventory i set low_stock_alert_sent = true, low_stock_alert_sent_at = p_now from low
     where i.company_id = low.company_id and i.id = low.id returning i.company_id, i.id, i.price_book_item_id, i.quantity_on_hand, i.minimum_quantity
  )
  insert into app.notification_events (company_id, names, topic, entity_type, entity_id, permission, payload)
  select m.company_id, '{inventory_low_stock}', 'inventory_low_stock', 'inventory', m.id, 'inventory:update',
         jsonb_build_object('data', jsonb_build_object('name', coalesce(b.name, '')),
                            'params', jsonb_build_object('quantity', trim_scale(m.quantity_on_hand), 'minimum', trim_scale(m.minimum_quantity)))
    from marked m left join public.price_book_items b on b.company_id = m.company_id and b.id = m.price_book_item_id;
  get diagnostics v_more = row_count;
  return v_count + v_more;
end $$;
comment on function app.notify_due(timestamptz, integer, integer, integer) is
  'Has members told of appointments that begin soon, equipment that needs service and stock that is low; returns of how much.';
alter function app.notify_due(timestamptz, integer, integer, integer) owner to app_definer;
revoke all on function app.notify_due(timestamptz, integer, integer, integer) from public;
grant execute on function app.notify_due(timestamptz, integer, integer, integer) to service_role;

create or replace function app.expire_notifications(p_limit integer) returns bigint
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_count bigint := 0;
  v_more  bigint;
begin
  with old as (
    select x.company_id, x.id from public.companies c left join public.company_settings s on s.company_id = c.id
     cross join lateral (select q.company_id, q.id from public.notification_queue q
                          where q.company_id = c.id and q.created_at < now() - make_interval(days => app.kept_days(s.retention, 'notifications'))
                          order by q.created_at limit p_limit) x limit p_limit)
  delete from public.notification_queue q using old where q.company_id = old.company_id and q.id = old.id;
  get diagnostics v_more = row_count;
  v_count := v_count + v_more;
  with old as (
    select x.company_id, x.id from public.companies c left join public.company_settings s on s.company_id = c.id
     cross join lateral (select d.company_id, d.id from app.notification_decisions d
                          where d.company_id = c.id and d.id < app.first_id_of(now() - make_interval(days => app.kept_days(s.retention, 'notification_decisions')))
                          order by d.id limit p_limit) x limit p_limit)
  delete from app.notification_decisions d using old where d.company_id = old.company_id and d.id = old.id;
  get diagnostics v_more = row_count;
  v_count := v_count + v_more;
  -- As long as a key has to be known.
  with old as (select e.company_id, e.id from app.notification_events e where e.created_at < now() - interval '40 days' and e.done_at is not null
                order by e.created_at limit p_limit for update skip locked)
  delete from app.notification_events e using old where e.company_id = old.company_id and e.id = old.id;
  get diagnostics v_more = row_count;
  v_count := v_count + v_more;
  with old as (select d.company_id, d.id from app.notification_digests d where d.sent_at < now() - interval '7 days' order by d.sent_at limit p_limit)
  delete from app.notification_digests d using old where d.company_id = old.company_id and d.id = old.id;
  get diagnostics v_more = row_count;
  return v_count + v_more;
end $$;
alter function app.expire_notifications(integer) owner to app_definer;
revoke all on function app.expire_notifications(integer) from public;
grant execute on function app.expire_notifications(integer) to app_definer;
