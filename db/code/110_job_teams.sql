-- Who works on a job. jobs.assigned_to is the one who leads, jobs.crew the others; job_team_assignments says since when and as what.
-- Invariant: crew holds exactly the people with a row that is not removed and not primary; the primary row, where there is one, is assigned_to.
--
-- Whoever writes a row holds the job as well, and the job comes first where that can be chosen. An update or a delete holds its
-- row before any trigger is asked: so who holds the job never waits for rows of its team, but is told to try again.

-- The job, held. A member who changes the team of a closed job needs the permission to amend it; what follows from writes that
-- were looked at, and what a key takes away when a person goes, is asked nothing.
create or replace function app.hold_job(p_company_id uuid, p_job_id uuid, p_is_asked boolean) returns void
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_job record;
begin
  select j.status, j.archived_from into v_job from public.jobs j
   where j.company_id = p_company_id and j.id = p_job_id for no key update;
  if found and p_is_asked and current_setting('role', true) = 'authenticated'
     and app.is_closed_job(v_job.status, v_job.archived_from) and not app.has_permission('jobs:amend') then
    raise exception using errcode = 'TH403', constraint = 'job_closed',
      message = format('The team of a job that is %s can be changed by the owner and admins only.', v_job.status),
      hint = 'The permission is jobs:amend.';
  end if;
end $$;
revoke all on function app.hold_job(uuid, uuid, boolean) from public;
grant execute on function app.hold_job(uuid, uuid, boolean) to app_definer;

create or replace function app.hold_team(p_company_id uuid, p_job_id uuid) returns void
  language plpgsql volatile
  set search_path = ''
as $$
begin
  perform from public.job_team_assignments a
    where a.company_id = p_company_id and a.job_id = p_job_id and a.removed_at is null for no key update nowait;
exception when lock_not_available then
  raise exception using errcode = 'TH409', constraint = 'job_team_busy',
    message = 'Somebody is changing the team of this job at this moment.', hint = 'Read the job and try again.';
end $$;
revoke all on function app.hold_team(uuid, uuid) from public;
grant execute on function app.hold_team(uuid, uuid) to app_definer;

-- Runs after a row came, changed or went.
create or replace function app.team_changed() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_company_id uuid := coalesce(new.company_id, old.company_id);
  v_job_id     uuid := coalesce(new.job_id, old.job_id);
  v_job        record;
begin
  -- The statements below fire this trigger again for rows that they demote. What goes with a member goes deeper, and counts.
  if pg_trigger_depth() > 1 and tg_op <> 'DELETE' then
    return null;
  end if;
  select j.assigned_to into v_job from public.jobs j where j.company_id = v_company_id and j.id = v_job_id for no key update;
  if not found then
    return null;
  end if;
  if tg_op <> 'DELETE' and new.role = 'primary' and new.removed_at is null and new.user_id is distinct from v_job.assigned_to then
    update public.jobs j set assigned_to = new.user_id where j.company_id = v_company_id and j.id = v_job_id;
    -- Whoever led the job so far stays on it, unless he is away.
    insert into public.job_team_assignments (company_id, job_id, user_id, role)
    select m.company_id, v_job_id, m.user_id, 'crew' from public.team_members m
     where m.company_id = v_company_id and m.user_id = v_job.assigned_to and m.status = 'active' and m.archived_at is null
    on conflict (company_id, job_id, user_id) where removed_at is null do nothing;
  elsif tg_op <> 'INSERT' and old.role = 'primary' and old.removed_at is null and old.user_id = v_job.assigned_to
        and (tg_op = 'DELETE' or new.removed_at is not null or new.role <> 'primary') then
    update public.jobs j set assigned_to = null where j.company_id = v_company_id and j.id = v_job_id;
  end if;
  perform app.copy_crew(v_company_id, v_job_id);
  return null;
end $$;
alter function app.team_changed() owner to app_definer;
revoke all on function app.team_changed() from public;

create or replace function app.copy_crew(p_company_id uuid, p_job_id uuid) returns void
  language sql volatile
  set search_path = ''
as $$
  update public.jobs j set crew = c.people
    from (select coalesce(array_agg(distinct a.user_id order by a.user_id), '{}') as people
            from public.job_team_assignments a
           where a.company_id = p_company_id and a.job_id = p_job_id and a.removed_at is null and a.role <> 'primary') c
   where j.company_id = p_company_id and j.id = p_job_id and j.crew <> c.people;
$$;
revoke all on function app.copy_crew(uuid, uuid) from public;
grant execute on function app.copy_crew(uuid, uuid) to app_definer;

create or replace trigger team_changed after insert or update or delete on public.job_team_assignments
  for each row execute function app.team_changed();

-- Before a new primary comes, the old one becomes crew: two at one time are refused by the key.
create or replace function app.guard_team() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
declare
  v_is_asked constant boolean := pg_trigger_depth() = 1;
  v_is_away  boolean;
begin
  if tg_op = 'DELETE' then
    perform app.hold_job(old.company_id, old.job_id, v_is_asked);
    return old;
  end if;
  if tg_op = 'UPDATE' and (new.job_id, new.user_id) is distinct from (old.job_id, old.user_id) then
    raise exception using errcode = 'TH422', constraint = 'team_row_fixed',
      message = 'Who is on which job is written once.', hint = 'Remove this person and add the other one.';
  end if;
  -- The person before the job, as when somebody leaves the company and his rows go with him.
  select m.status <> 'active' or m.archived_at is not null into v_is_away from public.team_members m
   where m.company_id = new.company_id and m.user_id = new.user_id for key share;
  perform app.hold_job(new.company_id, new.job_id, v_is_asked);
  -- Where the row is there already no new one comes: the update that may follow is looked at.
  if tg_op = 'INSERT' and exists (select from public.job_team_assignments a
                                   where a.company_id = new.company_id and a.id = new.id) then
    return new;
  end if;
  if new.removed_at is not null then
    new.removed_by := case when tg_op = 'UPDATE' and old.removed_at is not null then old.removed_by
                           else coalesce(auth.uid(), new.removed_by) end;
    return new;
  end if;
  new.removed_by := null;
  if v_is_away and (tg_op = 'INSERT' or old.removed_at is not null) then
    raise exception using errcode = 'TH422', constraint = 'assignee_not_active',
      message = 'A job can be assigned to an active member only.';
  end if;
  if new.role = 'primary' and (tg_op = 'INSERT' or old.role <> 'primary' or old.removed_at is not null) then
    perform app.hold_team(new.company_id, new.job_id);
    update public.job_team_assignments a set role = 'crew'
     where a.company_id = new.company_id and a.job_id = new.job_id and a.removed_at is null and a.role = 'primary'
       and a.id <> new.id;
  end if;
  return new;
end $$;
alter function app.guard_team() owner to app_definer;
revoke all on function app.guard_team() from public;
create or replace trigger guard before insert or update on public.job_team_assignments
  for each row when (app.is_within_reach(new.company_id)) execute function app.guard_team();
create or replace trigger guard_removal before delete on public.job_team_assignments
  for each row when (app.is_within_reach(old.company_id)) execute function app.guard_team();

-- The other way round: the job got another leader. Whoever led it is off it; the new one leads in his row, if he has one.
create or replace function app.leader_changed() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if pg_trigger_depth() > 1 then
    return null;
  end if;
  perform app.hold_team(new.company_id, new.id);
  update public.job_team_assignments a set removed_at = now(), removed_by = auth.uid()
   where a.company_id = new.company_id and a.job_id = new.id and a.removed_at is null and a.role = 'primary'
     and a.user_id is distinct from new.assigned_to;
  update public.job_team_assignments a set role = 'primary'
   where a.company_id = new.company_id and a.job_id = new.id and a.removed_at is null and a.user_id = new.assigned_to and a.role <> 'primary';
  perform app.copy_crew(new.company_id, new.id);
  return null;
end $$;
alter function app.leader_changed() owner to app_definer;
revoke all on function app.leader_changed() from public;
create or replace trigger leader_changed after update of assigned_to on public.jobs
  for each row when (new.assigned_to is distinct from old.assigned_to) execute function app.leader_changed();
