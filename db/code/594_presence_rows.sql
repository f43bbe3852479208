-- Who is present, as rows. Invariants: a row is there while its server lives and its socket is in the channel; a member reads those of
-- channels that he could hear, and nobody but servers writes them.

revoke all on app.presence_nodes, app.presences from public, anon, authenticated, guest, service_role;
grant select on app.presence_nodes, app.presences to service_role;

-- A server writes down what changed with it, and that it lives. False where nothing is known of it: these rows do not outlive a crash of
-- PostgreSQL, and it says all of it anew. Servers that were not heard of for two minutes go.
create or replace function app.note_presences(p_node_id uuid, p_joins jsonb, p_leaves jsonb) returns boolean
  language plpgsql volatile security definer
  set search_path = ''
as $$
declare
  v_is_known boolean;
begin
  update app.presence_nodes n set seen_at = now() where n.id = p_node_id;
  v_is_known := found;
  insert into app.presence_nodes (id) select p_node_id where not v_is_known;
  delete from app.presence_nodes n where n.seen_at < now() - interval '2 minutes' and n.id <> p_node_id;
  delete from app.presences p where p.node_id = p_node_id and p.reference in (select l from jsonb_array_elements_text(p_leaves) l);
  insert into app.presences (company_id, node_id, reference, user_id, channel, status, metadata)
  select c.id, p_node_id, j.reference, j.user_id, j.channel, coalesce(left(j.metadata ->> 'status', 100), 'online'), j.metadata
    from jsonb_to_recordset(p_joins) j (company_id uuid, reference text, user_id uuid, channel text, metadata jsonb)
    join public.companies c on c.id = j.company_id
   where not exists (select from app.presences p where p.node_id = p_node_id and p.reference = j.reference);
  return v_is_known;
end $$;
alter function app.note_presences(uuid, jsonb, jsonb) owner to app_definer;
revoke all on function app.note_presences(uuid, jsonb, jsonb) from public;
grant execute on function app.note_presences(uuid, jsonb, jsonb) to service_role;

-- A server that stops takes its people with it.
create or replace function app.forget_presences(p_node_id uuid) returns void
  language sql volatile security definer
  set search_path = ''
begin atomic
  delete from app.presence_nodes n where n.id = p_node_id;
end;
alter function app.forget_presences(uuid) owner to app_definer;
revoke all on function app.forget_presences(uuid) from public;
grant execute on function app.forget_presences(uuid) to service_role;

-- Who is present, as far as the caller could hear of it himself; for the service, all.
create or replace function app.presences_in_reach() returns setof app.presences
  language sql stable security definer
  set search_path = ''
as $$
  select p.* from app.presences p join app.presence_nodes n on n.id = p.node_id
   where n.seen_at > now() - interval '1 minute'
     and case when app.company_id() is null then current_setting('role') = 'service_role'
         else p.company_id = app.company_id()
              and (not app.is_noun(split_part(p.channel, ':', 3)) or app.has_permission(split_part(p.channel, ':', 3) || ':read'))
         end
$$;
alter function app.presences_in_reach() owner to app_definer;
revoke all on function app.presences_in_reach() from public;
grant execute on function app.presences_in_reach() to authenticated, service_role;

drop view if exists shared.presence;
create view shared.presence with (security_invoker = true) as
select p.id, p.user_id, p.company_id as tenant_id, p.channel, p.status, p.metadata, p.tracked_at as last_seen
  from app.presences_in_reach() p;
comment on view shared.presence is 'Who is present in the channels of a company, within about a second of what sockets hear.';
revoke all on shared.presence from public, anon, authenticated, guest, service_role;
grant select on shared.presence to authenticated, service_role;
