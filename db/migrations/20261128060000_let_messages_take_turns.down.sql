-- description: takes back let_messages_take_turns
-- author: Thorbis
-- date: 2026-11-28
-- depends: 20261128060000
-- rollback: migrate up again

drop index app.webhook_deliveries_turns_idx;
drop index app.outbox_turns_idx;
