-- description: whether a password is as long as owners and admins need
-- author: Thorbis
-- date: 2026-11-23
-- depends: 20261123150000
-- rollback: owners and admins may have short passwords again

-- Only known in the moment when the password itself is there: when it is chosen, and at a sign-in.
alter table auth.users add column password_is_long boolean;
comment on column auth.users.password_is_long is 'Whether the password has as many characters as owners and admins need; null: there is none, or it is not known.';
