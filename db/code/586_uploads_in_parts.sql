-- Uploads that come in parts belong to the server: whoever uploads is known to it, and reaches them through it alone.

revoke all on app.part_uploads, app.upload_parts from public, anon, authenticated, guest, service_role;
grant select, insert, update, delete on app.part_uploads, app.upload_parts to service_role;
