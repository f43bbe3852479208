-- description: sessions that programs of others hold are told by their ids, so that a token that does not say it is no way around
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123202000
-- rollback: drops the check; the sessions stay
-- lint: allow constraint-missing-not-valid because there are only as many sessions as people signed in, which are read in a moment

-- Those before had ids like everybody's. The programs come again with what their users agreed to.
-- backfill: auth.sessions rows=any because as many sessions are ended as programs hold
delete from auth.sessions where oauth_client_id is not null;
-- The version of the id: 8.
alter table auth.sessions
  add constraint sessions_held_id_check check ((oauth_client_id is not null) = (get_byte(uuid_send(id), 6) >> 4 = 8));
