-- Rows that came from a backup or a copy of another installation carry what its matrix said. Idempotent:
-- only members whose computed permissions differ are written.
select app.refresh_effective_permissions();
