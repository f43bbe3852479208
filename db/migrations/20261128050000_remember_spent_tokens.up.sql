-- description: which refresh token of a session was taken last
-- author: Thorbis
-- date: 2026-11-28
-- depends: 20261121090100
-- rollback: drops the column; whoever did not get the answer to his refresh has to sign in again

-- A session counts its refreshes. Whoever did not get the answer to one comes with the token before it; by what was taken last he is told
-- from somebody who holds a copy of an older one.
alter table auth.sessions add column spent_counter bigint;
