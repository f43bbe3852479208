-- description: what waits is found by company and webhook, so that they take turns
-- author: Thorbis
-- date: 2026-11-28
-- depends: 20261125030000
-- rollback: what waits is found by its time alone
-- lint: allow require-concurrent-index-creation because both tables hold what waits and little more

create index outbox_turns_idx on app.outbox
  (is_asked, coalesce(company_id, '00000000-0000-0000-0000-000000000000'), due_at, id) where status = 'pending';
create index webhook_deliveries_turns_idx on app.webhook_deliveries (company_id, webhook_id, due_at, id);
