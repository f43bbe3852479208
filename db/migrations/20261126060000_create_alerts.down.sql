-- description: takes back create_alerts
-- author: Thorbis
-- date: 2026-11-26
-- depends: 20261126060000
-- rollback: migrate up again; rules that were changed and what was told stay lost

drop table app.alert_deliveries cascade;
drop table app.alerts cascade;
drop table app.alert_rules cascade;
drop table app.signal_readings cascade;
