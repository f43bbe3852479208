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
     and (tg_op = 'INSERT' or new.start_time is distinct from old.start_time)
     -- Where the row is there already, the update that may follow is looked at.
     and (tg_op = 'UPDATE'
          or not exists (select from public.schedules s where s.company_id = new.company_id and s.id = new.id)) then
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

-- After a statement that made or changed schedules, for all of them: whoever books several people for several appointments waits
-- in the same order as everybody else, and appointments may change places.
create or replace function app.book_schedule() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_changed  jsonb;
  v_person   text;
  v_schedule public.schedules;
  v_people   uuid[];
  v_other    record;
begin
  if tg_op = 'INSERT' then
    select jsonb_agg(jsonb_build_object('company_id', b.company_id, 'id', b.id)) into v_changed
      from became b where b.assigned_to is not null or b.crew <> '{}';
  else
    select jsonb_agg(jsonb_build_object('company_id', b.company_id, 'id', b.id)) into v_changed
      from became b left join was w on w.company_id = b.company_id and w.id = b.id
     where (b.assigned_to, b.crew, b.start_time, b.end_time, b.status, b.deleted_at, b.double_booking_reason) is distinct from
           (w.assigned_to, w.crew, w.start_time, w.end_time, w.status, w.deleted_at, w.double_booking_reason);
  end if;
  if v_changed is null then
    return null;
  end if;
  -- Exactly simultaneous bookings would end in a deadlock of the exclusion constraint: they queue here, person by person.
  for v_person in
    select distinct s.company_id::text || ' ' || p.id::text collate "C" as name
      from jsonb_to_recordset(v_changed) c (company_id uuid, id uuid)
      join public.schedules s on s.company_id = c.company_id and s.id = c.id
     cross join lateral unnest(app.booked_people(s)) p (id)
     order by name
  loop
    perform pg_advisory_xact_lock(hashtextextended('booking ' || v_person, 0));
  end loop;
  -- First all that is no longer so.
  delete from public.bookings b
   using jsonb_to_recordset(v_changed) c (company_id uuid, id uuid)
    join public.schedules s on s.company_id = c.company_id and s.id = c.id
   where b.company_id = c.company_id and b.schedule_id = c.id
     and (b.user_id <> all (app.booked_people(s)) or (b.start_time, b.end_time) is distinct from (s.start_time, s.end_time));
  for v_schedule in
    select s.* from jsonb_to_recordset(v_changed) c (company_id uuid, id uuid)
      join public.schedules s on s.company_id = c.company_id and s.id = c.id
     order by s.company_id, s.start_time, s.id
  loop
    v_people := app.booked_people(v_schedule);
    select b.schedule_id, b.user_id into v_other from public.bookings b
     where b.company_id = v_schedule.company_id and b.user_id = any (v_people) and b.schedule_id <> v_schedule.id
       and tstzrange(b.start_time, b.end_time) && tstzrange(v_schedule.start_time, v_schedule.end_time)
     order by b.start_time limit 1;
    if found then
      raise exception using errcode = 'PT409', constraint = 'double_booking',
        message = 'Somebody is booked for this time already.',
        detail = jsonb_build_object('user_id', v_other.user_id, 'schedule_id', v_other.schedule_id)::text,
        hint = 'Choose another time or person, or say in double_booking_reason why it is meant so.';
    end if;
    insert into public.bookings (company_id, schedule_id, user_id, start_time, end_time)
    select v_schedule.company_id, v_schedule.id, p.id, v_schedule.start_time, v_schedule.end_time from unnest(v_people) p (id)
    on conflict (company_id, schedule_id, user_id) do nothing;
  end loop;
  return null;
end $$;
alter function app.book_schedule() owner to app_definer;
revoke all on function app.book_schedule() from public;
create or replace trigger book_inserted after insert on public.schedules
  referencing new table as became for each statement execute function app.book_schedule();
create or replace trigger book_updated after update on public.schedules
  referencing old table as was new table as became for each statement execute function app.book_schedule();

-- Where the row names a customer and a property or a job, these belong together; whom it newly names is an active member. A list
-- has no key: the people of the crew are held here as a key would hold them.
create or replace function app.check_visit() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_named   uuid[];
  v_member  record;
  v_members uuid[] := '{}';
begin
  if new.job_id is not null and (tg_op = 'INSERT' or (new.job_id, new.customer_id) is distinct from (old.job_id, old.customer_id))
     and exists (select from public.jobs j
                  where j.company_id = new.company_id and j.id = new.job_id and j.customer_id <> new.customer_id) then
    raise exception using errcode = 'TH422', constraint = 'job_not_of_customer',
      message = 'The job of an appointment must be the customer''s.';
  end if;
  if tg_op = 'UPDATE' and (new.assigned_to, new.crew) is not distinct from (old.assigned_to, old.crew)
     or tg_op = 'INSERT' and exists (select from public.schedules s where s.company_id = new.company_id and s.id = new.id) then
    return new;
  end if;
  select coalesce(array_agg(distinct p.id), '{}') into v_named
    from unnest(array_append(new.crew, new.assigned_to)) p (id)
   where p.id is not null and (tg_op = 'INSERT' or p.id <> all (old.crew) and p.id is distinct from old.assigned_to);
  for v_member in
    select m.user_id, m.status <> 'active' or m.archived_at is not null as is_away from public.team_members m
     where m.company_id = new.company_id and m.user_id = any (v_named) order by m.user_id for key share
  loop
    v_members := v_members || v_member.user_id;
    if v_member.is_away then
      raise exception using errcode = 'TH422', constraint = 'assignee_not_active',
        message = 'An appointment can be assigned to active members only.';
    end if;
  end loop;
  -- Of the one who leads his key speaks.
  if exists (select from unnest(new.crew) p (id) where p.id = any (v_named) and p.id <> all (v_members)) then
    raise exception using errcode = 'foreign_key_violation', constraint = 'schedules_crew_fkey',
      message = 'Whoever comes along has to be a member of the company.';
  end if;
  return new;
end $$;
alter function app.check_visit() owner to app_definer;
revoke all on function app.check_visit() from public;
create or replace trigger references_valid before insert or update on public.schedules
  for each row when (app.is_within_reach(new.company_id)) execute function app.check_visit();

-- Who leaves the company is in no crew any more, as he leads nothing: of what is to come and of what was.
create or replace function app.leave_crews() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  -- When the company itself goes, its calendar goes with it.
  if exists (select from public.companies c where c.id = old.company_id) then
    update public.schedules s set crew = array_remove(s.crew, old.user_id)
     where s.company_id = old.company_id and s.crew <> '{}' and old.user_id = any (s.crew);
  end if;
  return null;
end $$;
alter function app.leave_crews() owner to app_definer;
revoke all on function app.leave_crews() from public;
create or replace trigger leave_crews after delete on public.team_members
  for each row execute function app.leave_crews();

-- A member sees who is taken, and writes it by schedules only.
revoke insert, update, delete on public.bookings from authenticated, service_role;
