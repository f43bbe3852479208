-- Messages are written, sent and read back by the service alone; so is what is known of devices and addresses.

revoke all on app.outbox, app.captured_messages, app.message_attempts, app.address_holds, app.channel_settings, app.push_devices
  from public, anon, authenticated, service_role;
grant select, insert, update, delete on app.outbox, app.captured_messages, app.message_attempts, app.address_holds, app.channel_settings, app.push_devices
  to service_role;
