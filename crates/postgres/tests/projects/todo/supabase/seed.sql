insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, recovery_sent_at, last_sign_in_at,
  raw_app_meta_data, raw_user_meta_data, created_at, updated_at, confirmation_token, email_change, email_change_token_new, recovery_token)
values ('00000000-0000-0000-0000-000000000000', '11111111-1111-4111-8111-111111111111', 'authenticated', 'authenticated', 'ada@example.com',
  crypt('lovelace1815', gen_salt('bf', 6)), current_timestamp, current_timestamp, current_timestamp,
  '{"provider":"email","providers":["email"]}', '{"full_name":"Ada Lovelace"}', current_timestamp, current_timestamp, '', '', '', '');
insert into auth.identities (id, user_id, provider_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
values (uuid_generate_v4(), '11111111-1111-4111-8111-111111111111', '11111111-1111-4111-8111-111111111111',
  format('{"sub":"%s","email":"%s"}', '11111111-1111-4111-8111-111111111111', 'ada@example.com')::jsonb, 'email', current_timestamp, current_timestamp, current_timestamp);

insert into public.todos (user_id, task) values ('11111111-1111-4111-8111-111111111111', 'Write the notes');
insert into public.announcements (text) values ('Welcome');
COPY public.lists (id, owner_id, title) FROM stdin;
22222222-2222-4222-8222-222222222222	11111111-1111-4111-8111-111111111111	Engines; 'analytical'
\.
