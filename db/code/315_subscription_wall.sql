-- A company that owes a payment for too long reads and does not write: its members see everything, and change nothing.
-- Not walled are people who come and go, their keys taken back, the company's own row, and what is written by triggers: sign-in,
-- payment and the end of somebody's access never wait for a payment. The service is not walled at all.

-- app.open_request gives whoever works in such a company this permission, which stands in no matrix: what is asked of it for every
-- statement is a text that is there already.
create or replace function app.refuse_unpaid() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  v_is_cancelled constant boolean := (select c.subscription_status = 'cancelled' from public.companies c where c.id = app.company_id());
begin
  if v_is_cancelled then
    raise exception using errcode = 'TH402', constraint = 'subscription_cancelled',
      message = 'The subscription of the company was cancelled: everything can be read and nothing changed.',
      hint = 'Whoever holds billing:manage can subscribe again.';
  end if;
  raise exception using errcode = 'TH402', constraint = 'subscription_past_due',
    message = 'The company owes a payment for too long: everything can be read and nothing changed.',
    hint = 'Whoever holds billing:manage can pay.';
end $$;
revoke all on function app.refuse_unpaid() from public;

-- What keys and triggers do to other rows follows from a statement that was allowed.
-- Of what comes and goes with people only what comes is walled, and only in the company that owes: whoever works there may join another.
create or replace function app.wall_unpaid(p_table regclass, p_tenant_column text) returns void
  language plpgsql
  set search_path = ''
as $$
begin
  if p_tenant_column is null
     or p_table::text in ('public.companies', 'public.audit_logs', 'public.activities', 'public.role_change_log', 'public.ownership_transfers',
                        'public.support_consents', 'public.support_sessions', 'app.tasks', 'app.done_tasks', 'app.dead_tasks') then
    execute format('drop trigger if exists a_subscription_wall on %s', p_table);
  elsif p_table::text in ('public.team_members', 'public.invitations', 'public.api_keys') then
    execute format('create or replace trigger a_subscription_wall before insert on %s for each row
                      when (app.has_permission(''subscription:over'') and new.company_id = app.company_id())
                      execute function app.refuse_unpaid()', p_table);
  else
    execute format('create or replace trigger a_subscription_wall before insert or update or delete on %s for each statement
                      when (pg_trigger_depth() = 0 and app.has_permission(''subscription:over''))
                      execute function app.refuse_unpaid()', p_table);
  end if;
end $$;
comment on function app.wall_unpaid(regclass, text) is 'Has writes to a table refused to members of a company that may no longer write. app.protect calls it.';
revoke all on function app.wall_unpaid(regclass, text) from public;

select app.wall_unpaid(t.table_name::regclass, t.tenant_column) from app.protected_tables t;
