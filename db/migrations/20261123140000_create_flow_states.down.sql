-- description: takes back create_flow_states
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123130000
-- rollback: migrate up again; sign-ins that were under way stay lost

alter table auth.users drop column email_proved_at cascade;
alter table auth.one_time_tokens drop column flow_id cascade;
drop table auth.flow_states cascade;
