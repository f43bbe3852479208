-- pg_cron: its views and functions are ours (docs/cron.md). A project reaches its own schedules, and what it scheduled runs as project_owner.

set role app_owner;
select app.open_schedules_to_project();
reset role;
