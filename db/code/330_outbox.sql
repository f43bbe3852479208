-- Messages are written, sent and read back by the service alone.

revoke all on app.outbox, app.captured_messages from public, anon, authenticated, service_role;
grant select, insert, update, delete on app.outbox, app.captured_messages to service_role;
