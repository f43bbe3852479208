-- description: takes back name_ways_of_flows
-- author: Thorbis
-- date: 2026-11-29
-- depends: 20261129050000
-- rollback: migrate up again; links on their way keep the word that they have
--
-- backfill: auth.flow_states rows=any because a row lives for an hour, and there are few

update auth.flow_states set method = 'otp' where method not in ('otp', 'oauth');
alter table auth.flow_states drop constraint flow_states_method_check;
alter table auth.flow_states add constraint flow_states_method_check check (method in ('otp', 'oauth'));
