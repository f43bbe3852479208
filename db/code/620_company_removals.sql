-- That a company went for good is noted, so that whoever asks for a proof is told when.
-- Invariant: the note comes with the removal, in its transaction, and says nothing of the company but a digest of its id.

create or replace function app.note_company_removal() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  insert into app.company_removals as r (digest, closed_at) values (sha256(convert_to(old.id::text, 'UTF8')), old.deleted_at)
      on conflict (digest) do update set closed_at = excluded.closed_at, removed_at = excluded.removed_at;
  return null;
end $$;
comment on function app.note_company_removal() is 'After a company went: notes when, under a digest of its id.';
alter function app.note_company_removal() owner to app_definer;
revoke all on function app.note_company_removal() from public;
create or replace trigger note_removal after delete on public.companies for each row execute function app.note_company_removal();

revoke all on app.company_removals from public, anon, authenticated, guest, service_role;
grant select on app.company_removals to service_role;
