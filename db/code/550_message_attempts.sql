-- The log of what was sent: what its company reads of it, and what providers add to it later.
-- lint: allow id-without-company because a provider names a message, which may be no company's, by what he was told with it
-- Invariants: what somebody asked for himself (a link to sign in) is in no company's log; an outcome only goes further, whatever order
-- providers tell it in and however often.

-- A function and no view, so that a row is found by the company's index whatever else is asked for.
drop function if exists public.message_attempts();
create function public.message_attempts()
  returns table (id uuid, message_id uuid, channel text, purpose text, topic text, recipient text, attempt integer, provider text,
                 provider_message_id text, outcome text, code text, outcome_at timestamptz, created_at timestamptz)
  language sql stable security definer
  set search_path = ''
as $$
  select a.id, a.message_key, a.channel, a.purpose, a.topic, a.recipient, a.attempt, a.provider, a.provider_key, a.outcome, a.code, a.said_at, a.created_at
    from app.message_attempts a
   where a.company_id = app.company_id() and app.has_permission('communications:read')
   order by a.created_at desc, a.id desc
$$;
comment on function public.message_attempts() is
  'Every attempt to send a message of the company, the newest first, with what its provider told: for whoever holds communications:read.';
alter function public.message_attempts() owner to app_definer;
revoke all on function public.message_attempts() from public;
grant execute on function public.message_attempts() to authenticated;

create or replace function app.outcome_rank(p_outcome text) returns integer
  language sql immutable
  set search_path = ''
  return array_position(array['refused', 'suppressed', 'accepted', 'delayed', 'delivered', 'opened', 'clicked', 'failed', 'bounced', 'complained'], p_outcome);
revoke all on function app.outcome_rank(text) from public;
grant execute on function app.outcome_rank(text) to service_role, app_definer;

-- Notes what a provider tells of a message. Answers what was done, waits where the attempt is not written yet, null where no message of
-- ours is meant. Whoever bounced or complained is not written to again.
create or replace function app.note_delivery(p_provider text, p_provider_key text, p_message_key uuid, p_outcome text, p_code text, p_said_at timestamptz)
  returns text
  language plpgsql volatile
  set search_path = ''
as $$
declare
  v_attempt app.message_attempts;
begin
  select a.* into v_attempt from app.message_attempts a
   where a.provider = p_provider and a.provider_key = p_provider_key
   order by a.created_at desc limit 1 for update;
  if not found and p_message_key is not null then
    select a.* into v_attempt from app.message_attempts a
     where a.message_key = p_message_key and a.provider = p_provider and coalesce(a.provider_key, p_provider_key) = p_provider_key
     order by a.created_at desc limit 1 for update;
    if not found and exists (select from app.outbox o where o.id = p_message_key and o.status = 'pending') then
      return 'waits';
    end if;
  end if;
  if v_attempt.id is null then
    return null;
  end if;
  if p_outcome in ('bounced', 'complained') then
    perform app.suppress(v_attempt.company_id, v_attempt.channel, v_attempt.recipient,
                         case p_outcome when 'bounced' then 'bounce' else 'complaint' end, greatest(p_said_at, now()));
  end if;
  update app.message_attempts a set outcome = p_outcome, code = left(p_code, 60), said_at = p_said_at
   where a.id = v_attempt.id and app.outcome_rank(a.outcome) < app.outcome_rank(p_outcome);
  return case when found then 'applied' else 'older' end;
end $$;
revoke all on function app.note_delivery(text, text, uuid, text, text, timestamptz) from public;
grant execute on function app.note_delivery(text, text, uuid, text, text, timestamptz) to app_definer;
