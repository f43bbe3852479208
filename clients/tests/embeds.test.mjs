// Related tables and aggregates, on the library of clients/project.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { done, visitor } from './house.mjs'

const library = visitor()
/** Asks, and expects just these rows. */
async function expect(query, rows) {
  assert.deepEqual(done(await query), rows)
}
const from = (table, columns, options) => library.from(table).select(columns, options)

test('one, many, one to one, many to many', async () => {
  await expect(from('letters', 'message, readers(name, status)').order('id'), [
    { message: 'Hello', readers: { name: 'ada', status: 'ONLINE' } }, { message: 'Again', readers: { name: 'ada', status: 'ONLINE' } },
    { message: 'From Ben', readers: { name: 'ben', status: 'OFFLINE' } }, { message: 'No name', readers: null },
  ])
  await expect(from('rooms', 'slug, letters(message)').order('id').order('id', { referencedTable: 'letters' }), [
    { slug: 'public', letters: [{ message: 'Hello' }, { message: 'From Ben' }] }, { slug: 'random', letters: [{ message: 'Again' }] },
    { slug: 'quiet', letters: [{ message: 'No name' }] },
  ])
  await expect(from('rooms', 'slug, room_details(details)').order('id'), [
    { slug: 'public', room_details: { details: 'by the door' } }, { slug: 'random', room_details: { details: 'upstairs' } },
    { slug: 'quiet', room_details: null },
  ])
  await expect(from('rooms', 'slug, topics(label)').order('id').order('label', { referencedTable: 'topics', ascending: false }), [
    { slug: 'public', topics: [{ label: 'music' }, { label: 'maps' }] }, { slug: 'random', topics: [{ label: 'music' }] }, { slug: 'quiet', topics: [] },
  ])
  await expect(from('rooms', 'slug, room_topics(since, topic:topics(label))').eq('id', 2), [
    { slug: 'random', room_topics: [{ since: 2003, topic: { label: 'music' } }] },
  ])
  await expect(from('readers', 'name, letters(message, rooms(slug, room_details(details)))').eq('name', 'ben'), [
    { name: 'ben', letters: [{ message: 'From Ben', rooms: { slug: 'public', room_details: { details: 'by the door' } } }] },
  ])
})

test('which of two keys', async () => {
  const unclear = await from('friendships', 'id, readers(name)')
  assert.deepEqual([unclear.status, unclear.error.code], [300, 'PGRST201'])
  assert.deepEqual(unclear.error.details.map(({ cardinality, embedding }) => [cardinality, embedding]).sort(), [
    ['many-to-one', 'friendships with readers'], ['many-to-one', 'friendships with readers'],
  ])
  assert.match(unclear.error.hint, /'readers!friendships_first_reader_fkey'/)
  const pair = [{ id: 2, first: { name: 'ada' }, second: { name: 'cleo' } }]
  await expect(from('friendships', 'id, first:readers!friendships_first_reader_fkey(name), second:readers!second_reader(name)').eq('id', 2), pair)
  await expect(from('friendships', 'id, first:first_reader(name), second:friendships_second_reader_fkey(name)').eq('id', 2), pair)
  await expect(from('readers', 'name, friendships!second_reader(id)').eq('name', 'ben'), [{ name: 'ben', friendships: [{ id: 1 }] }])
  await expect(from('shelves', 'label, parent:parent_id(label), shelves(label)').eq('id', 2), [
    { label: 'wall', parent: { label: 'hall' }, shelves: [{ label: 'box' }] },
  ])
  const missing = await from('readers', 'name, topics(label)')
  assert.deepEqual([missing.status, missing.error.code], [400, 'PGRST200'])
})

test('what has to be there', async () => {
  await expect(from('readers', 'name, letters!inner(message)').eq('letters.room_id', 1).order('name'), [
    { name: 'ada', letters: [{ message: 'Hello' }] }, { name: 'ben', letters: [{ message: 'From Ben' }] },
  ])
  await expect(from('readers', 'name, letters!left(message)').eq('letters.room_id', 2).in('name', ['ada', 'ben']).order('name'), [
    { name: 'ada', letters: [{ message: 'Again' }] }, { name: 'ben', letters: [] },
  ])
  await expect(from('readers', 'name, letters()').is('letters', null).order('name'), [{ name: 'cleo' }, { name: 'dan%' }])
  await expect(from('readers', 'name, letters()').not('letters', 'is', null).order('name'), [{ name: 'ada' }, { name: 'ben' }])
  const counted = await from('rooms', 'slug, topics!inner(label)', { count: 'exact' }).eq('topics.label', 'music').order('id').limit(1)
  assert.deepEqual([counted.count, counted.data], [2, [{ slug: 'public', topics: [{ label: 'music' }] }]])
})

test('filters, orders and limits of what is embedded', async () => {
  await expect(from('readers', 'name, letters(id)').eq('name', 'ada').or('pages.gt.4,message.eq.No name', { referencedTable: 'letters' }), [
    { name: 'ada', letters: [{ id: 2 }] },
  ])
  await expect(from('rooms', 'slug, posts:letters(id)').eq('id', 1).order('id', { referencedTable: 'posts', ascending: false }).limit(1, { referencedTable: 'posts' }), [
    { slug: 'public', posts: [{ id: 3 }] },
  ])
  await expect(from('rooms', 'slug, letters(id)').eq('id', 1).order('id', { referencedTable: 'letters' }).range(1, 1, { referencedTable: 'letters' }), [
    { slug: 'public', letters: [{ id: 3 }] },
  ])
  await expect(from('readers', 'name, letters(id, rooms!inner(slug))').eq('name', 'ada').eq('letters.rooms.slug', 'random'), [
    { name: 'ada', letters: [{ id: 2, rooms: { slug: 'random' } }] },
  ])
  await expect(from('letters', 'id, rooms(slug)').lt('id', 4).order('rooms(slug)', { ascending: false }).order('id'), [
    { id: 2, rooms: { slug: 'random' } }, { id: 1, rooms: { slug: 'public' } }, { id: 3, rooms: { slug: 'public' } },
  ])
  const many = await from('rooms', 'slug, letters(id)').order('letters(id)')
  assert.deepEqual([many.status, many.error.code], [400, 'PGRST118'])
  const absent = await from('rooms', 'slug').eq('letters.id', 1)
  assert.deepEqual([absent.status, absent.error.code], [400, 'PGRST108'])
})

test('spread rows', async () => {
  await expect(from('letters', 'message, ...rooms(room:slug, ...room_details(details))').eq('id', 1), [{ message: 'Hello', room: 'public', details: 'by the door' }])
  await expect(from('readers', 'name, ...letters(messages:message)').eq('name', 'ada').order('id', { referencedTable: 'letters' }), [
    { name: 'ada', messages: ['Hello', 'Again'] },
  ])
})

test('functions that are relationships, and views', async () => {
  await expect(from('readers', 'name, last_letter(message)').order('name'), [
    { name: 'ada', last_letter: { message: 'Again' } }, { name: 'ben', last_letter: { message: 'From Ben' } }, { name: 'cleo', last_letter: null },
    { name: 'dan%', last_letter: null },
  ])
  await expect(from('trusted_readers', 'name, letters(id)').eq('name', 'ada'), [{ name: 'ada', letters: [{ id: 1 }, { id: 2 }] }])
  await expect(from('letters', 'id, trusted_readers(status)').eq('id', 1), [{ id: 1, trusted_readers: { status: 'ONLINE' } }])
})

test('aggregates', async () => {
  await expect(from('letters', 'reader_name, pages.sum(), longest:pages.max(), count()').not('reader_name', 'is', null).order('reader_name'), [
    { reader_name: 'ada', sum: 7, longest: 5, count: 2 }, { reader_name: 'ben', sum: 1, longest: 1, count: 1 },
  ])
  await expect(from('readers', 'name, letters(count)').order('name').limit(3), [
    { name: 'ada', letters: [{ count: 2 }] }, { name: 'ben', letters: [{ count: 1 }] }, { name: 'cleo', letters: [{ count: 0 }] },
  ])
  await expect(from('rooms', 'slug, letters(pages.avg()::int, pages.min())').eq('id', 1), [{ slug: 'public', letters: [{ avg: 2, min: 1 }] }])
  await expect(from('readers', 'count()'), [{ count: 4 }])
})
