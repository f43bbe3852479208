-- That a company went for good is noted, so that whoever asks for a proof is told when; and what its own removal wrote goes, too.
-- Invariant: the note comes with the removal, in its transaction, and says nothing of the company but a digest of its id.

-- Belongs to the owner of the tables. What went counted itself down and told of itself, and that goes, too.
create or replace function app.note_company_removal() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  insert into app.company_removals as r (digest, closed_at) values (sha256(convert_to(old.id::text, 'UTF8')), old.deleted_at)
      on conflict (digest) do update set closed_at = excluded.closed_at, removed_at = excluded.removed_at;
  delete from app.notification_events e where e.company_id = old.id;
  delete from app.figure_changes f where f.company_id = old.id;
  delete from app.figures f where f.company_id = old.id;
  delete from app.month_recounts m where m.company_id = old.id;
  return null;
end $$;
comment on function app.note_company_removal() is 'After a company went: notes when, under a digest of its id, and takes away what its removal wrote.';
revoke all on function app.note_company_removal() from public;
-- At the end of the transaction: what keys take away with the company tells of it after all triggers of the company's own row.
drop trigger if exists zzz_removal on public.companies;
create constraint trigger zzz_removal after delete on public.companies deferrable initially deferred
  for each row execute function app.note_company_removal();

revoke all on app.company_removals from public, anon, authenticated, guest, service_role;
grant select on app.company_removals to service_role;
