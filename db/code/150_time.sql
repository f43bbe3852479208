-- Hours and absences: people write their own, whoever leads them approves. What was approved stays as it was.

-- The noun says whose approval it takes: <noun>:update in the scope all.
create or replace function app.guard_own_time() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if current_user <> 'authenticated' or app.has_permission(tg_argv[0] || ':update') then
    return new;
  end if;
  if tg_argv[0] = 'time_entries' then
    if tg_op = 'UPDATE' and old.is_approved then
      raise exception using errcode = 'TH403', constraint = 'time_entry_approved', message = 'Approved hours can be changed by a manager only.';
    end if;
    new.is_approved := false;
    new.approved_by := null;
    new.approved_at := null;
    new.hourly_cost := case when tg_op = 'UPDATE' then old.hourly_cost end;
  else
    if new.status not in ('requested', 'cancelled') then
      raise exception using errcode = 'TH403', constraint = 'absence_decision', message = 'Your absence is decided by somebody else.';
    end if;
    if tg_op = 'UPDATE' and old.status not in ('requested', 'cancelled') and new.status <> 'cancelled' then
      raise exception using errcode = 'TH403', constraint = 'absence_decided', message = 'A decided absence can only be cancelled.';
    end if;
  end if;
  return new;
end $$;
revoke all on function app.guard_own_time() from public;

-- Who decided, and when, is stamped with the decision and stays; members do not write it, and a key may take away who has left.
create or replace function app.stamp_approval() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_by_member constant boolean := current_user = 'authenticated';
begin
  if tg_argv[0] = 'time_entries' then
    if new.is_approved and new.clock_out is null then
      raise exception using errcode = 'TH422', constraint = 'time_entry_open', message = 'Hours that have no end cannot be approved.';
    end if;
    if not new.is_approved then
      new.approved_at := null;
      new.approved_by := null;
    elsif tg_op = 'INSERT' or not old.is_approved then
      new.approved_at := case when v_by_member then now() else coalesce(new.approved_at, now()) end;
      new.approved_by := case when v_by_member then auth.uid() else coalesce(new.approved_by, auth.uid()) end;
    elsif v_by_member then
      new.approved_at := old.approved_at;
      new.approved_by := old.approved_by;
    end if;
    new.hourly_cost := coalesce(new.hourly_cost, (select m.hourly_cost from public.team_members m
                                                   where m.company_id = new.company_id and m.user_id = new.user_id));
  elsif new.status not in ('approved', 'rejected') then
    new.decided_at := null;
    new.decided_by := null;
  elsif tg_op = 'INSERT' or new.status <> old.status then
    new.decided_at := case when v_by_member then now() else coalesce(new.decided_at, now()) end;
    new.decided_by := case when v_by_member then auth.uid() else coalesce(new.decided_by, auth.uid()) end;
  elsif v_by_member then
    new.decided_at := old.decided_at;
    new.decided_by := old.decided_by;
  end if;
  return new;
end $$;
revoke all on function app.stamp_approval() from public;

create or replace trigger guard before insert or update on public.time_entries
  for each row execute function app.guard_own_time('time_entries');
create or replace trigger guard_stamp before insert or update on public.time_entries
  for each row execute function app.stamp_approval('time_entries');
create or replace trigger guard before insert or update on public.absences
  for each row execute function app.guard_own_time('absences');
create or replace trigger guard_stamp before insert or update on public.absences
  for each row execute function app.stamp_approval('absences');

-- A position is of now: what comes late does not take the place of what is newer.
create or replace function app.guard_position() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if new.recorded_at > now() + interval '5 minutes' then
    raise exception using errcode = 'TH422', constraint = 'position_in_future', message = 'A position cannot be of the future.';
  end if;
  if tg_op = 'UPDATE' and new.recorded_at < old.recorded_at then
    return null;
  end if;
  return new;
end $$;
revoke all on function app.guard_position() from public;
create or replace trigger guard before insert or update on public.technician_positions
  for each row execute function app.guard_position();
