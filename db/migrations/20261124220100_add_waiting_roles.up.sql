-- description: roles that groups of a directory give and that wait for a longer password
-- author: Thorbis
-- date: 2026-11-24
-- depends: 20261123210000
-- rollback: drops the column; who waits gets his role with the next change of his groups
-- lint: allow require-concurrent-index-creation because no row has the new column yet, and a directory has few people

alter table auth.scim_users add column waiting_role text;
comment on column auth.scim_users.waiting_role is 'The role that groups give and that waits until the member''s password is long enough for it.';
create index scim_users_waiting_idx on auth.scim_users (user_id) where waiting_role is not null;
