-- The calendar: statuses and times of schedules, and the rule that nobody is in two places at once.
-- Invariant: public.bookings holds a row for each person of each schedule that blocks, and no two rows of one person overlap. A schedule that
-- books somebody twice on purpose says why and who decided so, and takes part in nothing.

select app.declare_statuses('public.schedules', '{
  "scheduled":   {"first": true, "next": ["confirmed", "dispatched", "arrived", "in_progress", "cancelled", "no_show", "rescheduled"]},
  "confirmed":   {"first": true, "next": ["dispatched", "arrived", "in_progress", "cancelled", "no_show", "rescheduled"]},
  "dispatched":  {"needs": ["assigned_to"], "next": ["arrived", "in_progress", "scheduled", "cancelled", "no_show", "rescheduled"]},
  "arrived":     {"needs": ["assigned_to"], "next": ["in_progress", "completed", "cancelled", "no_show"]},
  "in_progress": {"next": ["completed", "cancelled"]},
  "completed":   {"next": ["closed"]},
  "cancelled":   {"next": ["scheduled"]},
  "no_show":     {"next": ["scheduled", "rescheduled", "closed"]},
  "rescheduled": {"next": ["scheduled", "confirmed", "dispatched", "arrived", "in_progress", "cancelled", "no_show"]},
  "closed":      {}
}');
create or replace trigger check_status before insert or update on public.schedules
  for each row execute function app.guard_status('schedule');

create or replace function app.guard_schedule() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  new.duration := round(extract(epoch from new.end_time - new.start_time) / 60);
  if current_user = 'authenticated' and new.start_time < now() - interval '1 minute'
     and (tg_op = 'INSERT' or new.start_time is distinct from old.start_time) then
    raise exception using errcode = 'TH422', constraint = 'schedule_in_past',
      message = 'An appointment cannot begin in the past.';
  end if;
  new.double_booking_reason := nullif(btrim(new.double_booking_reason), '');
  if new.double_booking_reason is null then
    new.double_booking_by := null;
  elsif tg_op = 'INSERT' or new.double_booking_reason is distinct from old.double_booking_reason then
    new.double_booking_by := coalesce(auth.uid(), new.double_booking_by);
  else
    new.double_booking_by := old.double_booking_by;
  end if;
  if tg_op = 'INSERT' or new.status is distinct from old.status then
    if new.status in ('arrived', 'in_progress') then
      new.actual_start_time := coalesce(new.actual_start_time, now());
    elsif new.status = 'completed' then
      new.actual_start_time := coalesce(new.actual_start_time, least(new.start_time, now()));
      new.actual_end_time := coalesce(new.actual_end_time, greatest(now(), new.actual_start_time));
      new.completed_by := coalesce(new.completed_by, new.assigned_to);
    elsif new.status = 'cancelled' then
      new.cancelled_at := coalesce(new.cancelled_at, now());
    elsif new.status = 'confirmed' then
      new.confirmed_at := coalesce(new.confirmed_at, now());
    elsif new.status = 'scheduled' then
      new.cancelled_at := null;
      new.cancelled_by := null;
      new.cancellation_reason := null;
    end if;
  end if;
  if new.actual_end_time is not null and new.actual_start_time is not null then
    new.actual_duration := round(extract(epoch from new.actual_end_time - new.actual_start_time) / 60);
  end if;
  return new;
end $$;
revoke all on function app.guard_schedule() from public;
create or replace trigger guard before insert or update on public.schedules
  for each row execute function app.guard_schedule();

-- Whom a schedule takes, in the order in which they are locked.
create or replace function app.booked_people(p_schedule public.schedules) returns uuid[]
  language sql immutable
  set search_path = ''
as $$
  select coalesce(array_agg(distinct p.id order by p.id), '{}')
    from unnest(array_append(p_schedule.crew, p_schedule.assigned_to)) p (id)
   where p.id is not null
     and p_schedule.status in ('scheduled', 'confirmed', 'dispatched', 'arrived', 'in_progress', 'rescheduled')
     and p_schedule.deleted_at is null and p_schedule.double_booking_reason is null
$$;
revoke all on function app.booked_people(public.schedules) from public;
grant execute on function app.booked_people(public.schedules) to app_definer;

create or replace function app.book_schedule() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_people constant uuid[] := app.booked_people(new);
  v_person uuid;
  v_other  record;
begin
  delete from public.bookings b
   where b.company_id = new.company_id and b.schedule_id = new.id and b.user_id <> all (v_people);
  if v_people = '{}' then
    return null;
  end if;
  -- Exactly simultaneous bookings would end in a deadlock of the exclusion constraint: they queue here, person by person.
  foreach v_person in array v_people loop
    perform pg_advisory_xact_lock(hashtextextended('booking ' || new.company_id::text || ' ' || v_person::text, 0));
  end loop;
  select b.schedule_id, b.user_id into v_other from public.bookings b
   where b.company_id = new.company_id and b.user_id = any (v_people) and b.schedule_id <> new.id
     and tstzrange(b.start_time, b.end_time) && tstzrange(new.start_time, new.end_time)
   order by b.start_time limit 1;
  if found then
    raise exception using errcode = 'TH409', constraint = 'double_booking',
      message = 'Somebody is booked for this time already.',
      detail = jsonb_build_object('user_id', v_other.user_id, 'schedule_id', v_other.schedule_id)::text,
      hint = 'Choose another time or person, or say in double_booking_reason why it is meant so.';
  end if;
  insert into public.bookings as b (company_id, schedule_id, user_id, start_time, end_time)
  select new.company_id, new.id, p.id, new.start_time, new.end_time from unnest(v_people) p (id)
  on conflict (company_id, schedule_id, user_id) do update set start_time = excluded.start_time, end_time = excluded.end_time
   where (b.start_time, b.end_time) is distinct from (excluded.start_time, excluded.end_time);
  return null;
end $$;
alter function app.book_schedule() owner to app_definer;
revoke all on function app.book_schedule() from public;
create or replace trigger book_inserted after insert on public.schedules
  for each row when (new.assigned_to is not null or new.crew <> '{}') execute function app.book_schedule();
create or replace trigger book_updated after update on public.schedules
  for each row when ((new.assigned_to, new.crew, new.start_time, new.end_time, new.status, new.deleted_at, new.double_booking_reason)
                     is distinct from
                     (old.assigned_to, old.crew, old.start_time, old.end_time, old.status, old.deleted_at, old.double_booking_reason))
  execute function app.book_schedule();

-- Where the row names a customer and a property or a job, these belong together; whom it names is an active member.
create or replace function app.check_visit() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if new.job_id is not null and (tg_op = 'INSERT' or (new.job_id, new.customer_id) is distinct from (old.job_id, old.customer_id))
     and exists (select from public.jobs j
                  where j.company_id = new.company_id and j.id = new.job_id and j.customer_id <> new.customer_id) then
    raise exception using errcode = 'TH422', constraint = 'job_not_of_customer',
      message = 'The job of an appointment must be the customer''s.';
  end if;
  if (tg_op = 'INSERT' or (new.assigned_to, new.crew) is distinct from (old.assigned_to, old.crew))
     and exists (select from public.team_members m
                  where m.company_id = new.company_id and m.user_id = any (array_append(new.crew, new.assigned_to))
                    and (m.status <> 'active' or m.archived_at is not null)) then
    raise exception using errcode = 'TH422', constraint = 'assignee_not_active',
      message = 'An appointment can be assigned to active members only.';
  end if;
  return new;
end $$;
alter function app.check_visit() owner to app_definer;
revoke all on function app.check_visit() from public;
create or replace trigger references_valid before insert or update on public.schedules
  for each row when (app.is_within_reach(new.company_id)) execute function app.check_visit();

-- A member sees who is taken, and writes it by schedules only.
revoke insert, update, delete on public.bookings from authenticated, service_role;
