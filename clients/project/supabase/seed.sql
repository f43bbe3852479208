insert into public.readers (name, data, age_range, status, motto, languages, trusted, fine, joined) values
  ('ada', '{"city": "London", "pets": ["cat", "owl"], "level": 3}', '[1,10)', 'ONLINE', to_tsvector('english', 'fat cats and rats'), '{en,fr}', true, 1.50, '2026-01-05T10:00:00Z'),
  ('ben', '{"city": "Paris"}', '[10,20)', 'OFFLINE', to_tsvector('english', 'bats sleep'), '{en}', false, 0.00, '2026-02-05T10:00:00Z'),
  ('cleo', null, '[20,30)', 'ONLINE', to_tsvector('english', 'a cat jumps'), '{}', null, null, '2026-03-05T10:00:00Z'),
  ('dan%', '{"city": "Rome", "level": 1}', '[30,40)', null, null, '{de,fr,it}', true, 20.25, null);
insert into public.rooms (id, slug, data) values (1, 'public', '{"floor": 1}'), (2, 'random', null), (3, 'quiet', null);
insert into public.room_details (id, details) values (1, 'by the door'), (2, 'upstairs');
insert into public.letters (id, reader_name, room_id, message, pages, sent) values
  (1, 'ada', 1, 'Hello', 2, '2026-04-01'), (2, 'ada', 2, 'Again', 5, '2026-04-02'), (3, 'ben', 1, 'From Ben', 1, '2026-04-03'),
  (4, null, 3, 'No name', null, null);
insert into public.topics (id, label) values (1, 'maps'), (2, 'music'), (3, 'mills');
insert into public.room_topics (room_id, topic_id, since) values (1, 1, 2001), (1, 2, 2002), (2, 2, 2003);
insert into public.friendships (id, first_reader, second_reader) values (1, 'ada', 'ben'), (2, 'ada', 'cleo');
insert into public.shelves (id, label, parent_id) values (1, 'hall', null), (2, 'wall', 1), (3, 'box', 2);
insert into public."odd names" values (1, 'one, (two). three', 5), (2, 'with "quotes" and \', 6);
insert into archive.readers (name, left_in) values ('zoe', 1999);
