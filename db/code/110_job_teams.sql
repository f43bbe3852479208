-- Who works on a job. jobs.assigned_to is the one who leads, jobs.crew the others; job_team_assignments says since when and as what.
-- Invariant: crew holds exactly the people with a row that is not removed and not primary; the primary row, where there is one, is assigned_to.

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
  -- The statements below fire this trigger again for rows that they demote.
  if pg_trigger_depth() > 1 then
    return null;
  end if;
  select j.assigned_to into v_job from public.jobs j where j.company_id = v_company_id and j.id = v_job_id for no key update;
  if not found then
    return null;
  end if;
  if tg_op <> 'DELETE' and new.role = 'primary' and new.removed_at is null and new.user_id is distinct from v_job.assigned_to then
    update public.jobs j set assigned_to = new.user_id where j.company_id = v_company_id and j.id = v_job_id;
    -- Whoever led the job so far stays on it.
    if v_job.assigned_to is not null then
      insert into public.job_team_assignments (company_id, job_id, user_id, role) values (v_company_id, v_job_id, v_job.assigned_to, 'crew')
      on conflict (company_id, job_id, user_id) where removed_at is null do nothing;
    end if;
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
begin
  if tg_op = 'UPDATE' and (new.job_id, new.user_id) is distinct from (old.job_id, old.user_id) then
    raise exception using errcode = 'TH422', constraint = 'team_row_fixed',
      message = 'Who is on which job is written once.', hint = 'Remove this person and add the other one.';
  end if;
  if new.removed_at is not null then
    new.removed_by := coalesce(auth.uid(), new.removed_by);
    return new;
  end if;
  new.removed_by := null;
  if new.role = 'primary' then
    update public.job_team_assignments a set role = 'crew'
     where a.company_id = new.company_id and a.job_id = new.job_id and a.removed_at is null and a.role = 'primary' and a.id <> new.id;
  end if;
  if (tg_op = 'INSERT' or old.removed_at is not null)
     and exists (select from public.team_members m
                  where m.company_id = new.company_id and m.user_id = new.user_id
                    and (m.status <> 'active' or m.archived_at is not null)) then
    raise exception using errcode = 'TH422', constraint = 'assignee_not_active',
      message = 'A job can be assigned to an active member only.';
  end if;
  return new;
end $$;
alter function app.guard_team() owner to app_definer;
revoke all on function app.guard_team() from public;
create or replace trigger guard before insert or update on public.job_team_assignments
  for each row when (app.is_within_reach(new.company_id)) execute function app.guard_team();

-- The other way round: the job got another leader. Whoever led it is off it; the new one leads in his row, if he has one.
create or replace function app.leader_changed() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if pg_trigger_depth() > 1 then
    return null;
  end if;
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
