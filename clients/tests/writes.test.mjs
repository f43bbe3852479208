// Everything the client can say of a write, on the parcels of clients/project. Each test has a run of its own and looks only at that.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { done, owner, person, visitor } from './house.mjs'

const library = visitor()
/** A run: its name, a row of it, and what it has now. */
function begin() {
  const run = randomUUID()
  const parcels = () => library.from('parcels')
  const kept = async () => done(await parcels().select('label, weight').eq('run', run).order('label'))
  return { run, parcels, kept, row: (label, more = {}) => ({ run, label, ...more }) }
}

test('insert', async () => {
  const { parcels, row, kept } = begin()
  const quiet = await parcels().insert(row('a'))
  assert.deepEqual([quiet.status, quiet.statusText, quiet.data, quiet.error], [201, 'Created', null, null])
  const told = await parcels().insert(row('b', { reader_name: 'ada', contents: { books: [1, 'two'] } })).select('label, weight, contents, readers(name)').single()
  assert.deepEqual([told.status, told.data], [201, { label: 'b', weight: 7, contents: { books: [1, 'two'] }, readers: { name: 'ada' } }])
  const several = await parcels().insert([row('c', { weight: 1 }), row('d', { weight: 2 })], { count: 'exact' }).select('label')
  assert.deepEqual([several.count, several.data], [2, [{ label: 'c' }, { label: 'd' }]])
  assert.deepEqual(await kept(), [{ label: 'a', weight: 7 }, { label: 'b', weight: 7 }, { label: 'c', weight: 1 }, { label: 'd', weight: 2 }])
  const none = await parcels().insert([]).select()
  assert.deepEqual([none.status, none.data], [201, []])
})

test('rows of different keys: what is missing is null, or its default', async () => {
  const { parcels, row, kept } = begin()
  const uneven = [row('a', { weight: 3 }), row('b', { note: 'fragile' })]
  const refused = await parcels().insert(uneven)
  assert.deepEqual([refused.status, refused.error.code], [400, '23502'])
  const made = await parcels().insert(uneven, { defaultToNull: false }).select('label, weight, note')
  assert.deepEqual(made.data, [{ label: 'a', weight: 3, note: null }, { label: 'b', weight: 7, note: 'fragile' }])
  assert.equal((await kept()).length, 2)
})

test('upsert', async () => {
  const { parcels, row, kept } = begin()
  const onConflict = 'run,label'
  const first = await parcels().upsert(row('a', { weight: 1 }), { onConflict }).select('label, weight').single()
  assert.deepEqual([first.status, first.data], [201, { label: 'a', weight: 1 }])
  const second = await parcels().upsert(row('a', { weight: 2 }), { onConflict, count: 'exact' }).select('label, weight').single()
  assert.deepEqual([second.status, second.count, second.data], [200, 1, { label: 'a', weight: 2 }])
  const ignored = await parcels().upsert([row('a', { weight: 9 }), row('b', { weight: 3 })], { onConflict, ignoreDuplicates: true }).select('label, weight')
  assert.deepEqual([ignored.status, ignored.data], [201, [{ label: 'b', weight: 3 }]])
  const defaulted = await parcels().upsert([row('a'), row('c', { weight: 4 })], { onConflict, defaultToNull: false }).select('label, weight').order('label')
  assert.deepEqual(defaulted.data, [{ label: 'a', weight: 7 }, { label: 'c', weight: 4 }])
  assert.deepEqual(await kept(), [{ label: 'a', weight: 7 }, { label: 'b', weight: 3 }, { label: 'c', weight: 4 }])
  // Without a word about it the primary key counts.
  const { id } = done(await parcels().insert(row('d')).select('id').single())
  done(await parcels().upsert({ id, ...row('d', { weight: 5 }) }))
  assert.deepEqual((await kept()).at(-1), { label: 'd', weight: 5 })
  const refused = await parcels().upsert(row('a'), { onConflict: 'label' })
  assert.deepEqual([refused.status, refused.error.code], [400, '42P10'])
})

test('update', async () => {
  const { run, parcels, row, kept } = begin()
  done(await parcels().insert([row('a'), row('b'), row('c')]))
  const quiet = await parcels().update({ weight: 1 }).eq('run', run).eq('label', 'a')
  assert.deepEqual([quiet.status, quiet.data], [204, null])
  const told = await parcels().update({ weight: 2, note: null }, { count: 'exact' }).eq('run', run).in('label', ['b', 'c']).select('label, weight').order('label')
  assert.deepEqual([told.status, told.count, told.data], [200, 2, [{ label: 'b', weight: 2 }, { label: 'c', weight: 2 }]])
  const nobody = await parcels().update({ weight: 3 }).eq('run', run).eq('label', 'x').select()
  assert.deepEqual([nobody.status, nobody.data], [200, []])
  const single = await parcels().update({ weight: 4 }).eq('run', run).select().single()
  assert.deepEqual([single.status, single.error.code], [406, 'PGRST116'])
  const either = await parcels().update({ weight: 5 }).eq('run', run).or('label.eq.a,label.eq.b').select('label').order('label', { ascending: false })
  assert.deepEqual(either.data, [{ label: 'b' }, { label: 'a' }])
  assert.deepEqual(await kept(), [{ label: 'a', weight: 5 }, { label: 'b', weight: 5 }, { label: 'c', weight: 2 }])
})

test('delete', async () => {
  const { run, parcels, row, kept } = begin()
  done(await parcels().insert([row('a'), row('b', { reader_name: 'ben' }), row('c'), row('d')]))
  const quiet = await parcels().delete().eq('run', run).eq('label', 'a')
  assert.deepEqual([quiet.status, quiet.data], [204, null])
  const told = await parcels().delete().eq('run', run).eq('label', 'b').select('label, readers(name)').single()
  assert.deepEqual([told.status, told.data], [200, { label: 'b', readers: { name: 'ben' } }])
  const counted = await parcels().delete({ count: 'exact' }).eq('run', run).not('label', 'eq', 'd')
  assert.deepEqual([counted.status, counted.count], [204, 1])
  assert.deepEqual(await kept(), [{ label: 'd', weight: 7 }])
})

test('more rows than were meant', async () => {
  const { run, parcels, row, kept } = begin()
  done(await parcels().insert([row('a'), row('b')]))
  for (const refused of [await parcels().update({ weight: 1 }).eq('run', run).maxAffected(1), await parcels().delete().eq('run', run).maxAffected(1).select()]) {
    assert.deepEqual([refused.status, refused.error.code, refused.error.details], [400, 'PGRST124', 'The query affects 2 rows'])
  }
  assert.deepEqual(await kept(), [{ label: 'a', weight: 7 }, { label: 'b', weight: 7 }])
  done(await parcels().update({ weight: 1 }).eq('run', run).maxAffected(2))
  assert.deepEqual(await kept(), [{ label: 'a', weight: 1 }, { label: 'b', weight: 1 }])
})

test('rollback does everything and keeps nothing', async () => {
  const { run, parcels, row, kept } = begin()
  const tried = await parcels().insert(row('a')).select('label').rollback()
  assert.deepEqual([tried.status, tried.data], [201, [{ label: 'a' }]])
  assert.deepEqual(await kept(), [])
  done(await parcels().insert(row('b')))
  assert.equal(done(await parcels().update({ weight: 1 }).eq('run', run).select().rollback())[0].weight, 1)
  assert.equal(done(await parcels().delete().eq('run', run).select().rollback()).length, 1)
  assert.deepEqual(await kept(), [{ label: 'b', weight: 7 }])
})

test('what is refused, and what is told of it', async () => {
  const { run, parcels, row, kept } = begin()
  done(await parcels().insert(row('a')))
  const cases = [
    [parcels().insert(row('a')), 409, '23505', 'duplicate key value violates unique constraint "parcels_run_label_key"'],
    [parcels().insert(row('b', { reader_name: 'nobody' })), 409, '23503', 'insert or update on table "parcels" violates foreign key constraint "parcels_reader_name_fkey"'],
    [parcels().insert(row('b', { weight: 0 })), 400, '23514', 'new row for relation "parcels" violates check constraint "parcels_weight_check"'],
    [parcels().insert(row('b', { weight: 'heavy' })), 400, '22P02', 'invalid input syntax for type integer: "heavy"'],
    [parcels().insert(row('b', { colour: 'red' })), 400, 'PGRST204', "Could not find the 'colour' column of 'parcels' in the schema cache"],
    [parcels().insert([row('a'), row('b')]), 409, '23505', 'duplicate key value violates unique constraint "parcels_run_label_key"'],
  ]
  for (const [asked, status, code, message] of cases) {
    const { error, data, ...answer } = await asked
    assert.deepEqual([answer.status, error.code, error.message, data], [status, code, message, null])
  }
  assert.deepEqual(await kept(), [{ label: 'a', weight: 7 }], 'nothing half written')
  await assert.rejects(async () => parcels().insert(row('a')).throwOnError(), {
    name: 'PostgrestError', code: '23505', message: 'duplicate key value violates unique constraint "parcels_run_label_key"',
    details: `Key (run, label)=(${run}, a) already exists.`, hint: 'Another row has this value of the fields "run" (text), "label" (text) together already.',
  })
})

test('rows of whoever wrote them', async () => {
  const [ann, bob] = await Promise.all([person('ann'), person('bob')])
  const page = done(await ann.client.from('diaries').insert({ page: 'Mine' }).select('id, owner_id, page').single())
  assert.equal(page.owner_id, ann.user.id)
  assert.deepEqual(done(await bob.client.from('diaries').select()), [])
  assert.deepEqual(done(await bob.client.from('diaries').update({ page: 'His' }).eq('id', page.id).select()), [])
  assert.deepEqual(done(await bob.client.from('diaries').delete().eq('id', page.id).select()), [])
  const signed = await bob.client.from('diaries').insert({ page: 'Hers', owner_id: ann.user.id })
  assert.deepEqual([signed.status, signed.error.code], [403, '42501'])
  const nobody = await library.from('diaries').insert({ page: 'Nobody' })
  assert.deepEqual([nobody.status, nobody.error.code], [401, '42501'])
  assert.deepEqual(done(await library.from('diaries').select()), [])
  assert.deepEqual(done(await ann.client.from('diaries').select('page')), [{ page: 'Mine' }])
})

test("a company's rows: its column is implied in keys, hints and conflicts", async () => {
  const { client } = await owner('ann')
  const [id, other] = [randomUUID(), randomUUID()]
  const customers = () => client.from('customers')
  done(await customers().insert([{ id, first_name: 'Ada', phone: '+15550100' }, { id: other, first_name: 'Ben', phone: '+15550101' }]))
  done(await customers().upsert({ id, first_name: 'Adele', phone: '+15550100' }, { onConflict: 'id' }))
  done(await customers().upsert({ id: other, first_name: 'Benno', phone: '+15550101' }))
  done(await client.from('jobs').insert([{ customer_id: id, title: 'Boiler', status: 'quoted' }, { customer_id: id, title: 'Tap', status: 'quoted' }]))
  assert.deepEqual(done(await client.from('jobs').select('title, customer:customer_id(first_name)').order('title')), [
    { title: 'Boiler', customer: { first_name: 'Adele' } }, { title: 'Tap', customer: { first_name: 'Adele' } },
  ])
  assert.deepEqual(done(await customers().select('first_name, jobs!jobs_customer_id_fkey(count)').order('first_name')), [
    { first_name: 'Adele', jobs: [{ count: 2 }] }, { first_name: 'Benno', jobs: [{ count: 0 }] },
  ])
  const { client: stranger } = await owner('bob')
  assert.deepEqual(done(await stranger.from('jobs').select('title, customers(first_name)')), [])
  // An id is a company's own: the same one elsewhere is another row.
  done(await stranger.from('customers').upsert({ id, first_name: 'Carl', phone: '+15550102' }, { onConflict: 'id' }))
  assert.deepEqual(done(await customers().select('first_name').eq('id', id)), [{ first_name: 'Adele' }])
})
