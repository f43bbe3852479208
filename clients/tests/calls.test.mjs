// Functions, batches, headers and what the client does about a request itself, on the library of clients/project.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { URL, call, done, owner, visitor } from './house.mjs'

const library = visitor()
/** Calls, and expects just this. */
async function expect(asked, answer) {
  assert.deepEqual(done(await asked), answer)
}
const run = (name, values, options) => library.rpc(name, values, options)

test('what a function gives', async () => {
  await expect(run('add_numbers', { a: 1, b: 2 }), 3)
  await expect(run('add_numbers', { a: 1 }), 11)
  await expect(run('status_of', { reader: 'ben' }), 'OFFLINE')
  await expect(run('status_of', { reader: 'nobody' }), null)
  await expect(run('reader_named', { wanted: 'ada' }).select('name, trusted').single(), { name: 'ada', trusted: true })
  await expect(run('letter_counts'), [{ reader: 'ada', letters: 2 }, { reader: 'ben', letters: 1 }, { reader: null, letters: 1 }])
  await expect(run('first_squares', { until: 3 }), [1, 4, 9])
  await expect(run('nth', { list: [10, 20, 30], place: 2 }), 20)
  await expect(run('joined_words', { words: ['a', 'b c', 'd'] }), 'a-b c-d')
  await expect(run('surface', { side: 3 }), 9)
  await expect(run('surface', { width: 3, height: 4 }), 12)
  await expect(run('keys_of', { b: 1, a: { c: 2 } }), ['a', 'b'])
  const nothing = await run('nothing')
  assert.deepEqual([nothing.status, nothing.data], [204, null])
})

test('by GET and by HEAD', async () => {
  await expect(run('add_numbers', { a: 1, b: 2 }, { get: true }), 3)
  await expect(run('nth', { list: [10, 20, 30], place: 3 }, { get: true }), 30)
  await expect(run('readers_of', { wanted: 'ONLINE' }, { get: true }).select('name').order('name').limit(1), [{ name: 'ada' }])
  const head = await run('readers_of', { wanted: 'ONLINE' }, { head: true, count: 'exact' })
  assert.deepEqual([head.status, head.count, head.data], [200, 2, null])
  const written = await run('send_parcel', { run: 'x', label: 'y' }, { get: true })
  assert.deepEqual([written.status, written.error.code], [405, '25006'])
})

test('rows of a function are read like a table', async () => {
  const online = (columns) => run('readers_of', { wanted: 'ONLINE' }).select(columns)
  await expect(online('name').order('name', { ascending: false }), [{ name: 'cleo' }, { name: 'ada' }])
  await expect(online('name, letters(message)').order('name').order('id', { referencedTable: 'letters' }), [
    { name: 'ada', letters: [{ message: 'Hello' }, { message: 'Again' }] }, { name: 'cleo', letters: [] },
  ])
  await expect(online('name').eq('trusted', true).contains('languages', ['fr']), [{ name: 'ada' }])
  await expect(online('name').or('name.eq.cleo,name.eq.ben').maybeSingle(), { name: 'cleo' })
  const counted = await run('readers_of', { wanted: 'ONLINE' }, { count: 'exact' }).select('name').order('name').range(1, 1)
  assert.deepEqual([counted.status, counted.count, counted.data], [206, 2, [{ name: 'cleo' }]])
  await expect(run('letter_counts').select('letters').eq('reader', 'ada').single(), { letters: 2 })
  await expect(run('letter_counts').csv(), 'reader,letters\nada,2\nben,1\n,1')
})

test('functions that write', async () => {
  const own = randomUUID()
  const parcel = done(await run('send_parcel', { run: own, label: 'a' }).select('label, weight').single())
  assert.deepEqual(parcel, { label: 'a', weight: 7 })
  done(await run('send_parcel', { run: own, label: 'b' }).rollback())
  done(await run('send_parcel', { run: own, label: 'c' }))
  const refused = await run('repack', { run: own }).maxAffected(1)
  assert.deepEqual([refused.status, refused.error.code], [400, 'PGRST124'])
  const unfit = await run('nothing').maxAffected(1)
  assert.deepEqual([unfit.status, unfit.error.code], [400, 'PGRST128'])
  const repacked = await run('repack', { run: own }).maxAffected(2).select('label, weight').order('label')
  assert.deepEqual(repacked.data, [{ label: 'a', weight: 8 }, { label: 'c', weight: 8 }])
})

test('what is refused', async () => {
  const unpaid = await run('pay')
  assert.deepEqual([unpaid.status, unpaid.error], [402, { code: 'PT402', message: 'Payment required', details: 'The fine is open', hint: 'Pay at the desk' }])
  await assert.rejects(async () => run('pay').throwOnError(), { name: 'PostgrestError', code: 'PT402', details: 'The fine is open' })
  const unknown = await run('ad_numbers', { a: 1 })
  assert.deepEqual([unknown.status, unknown.error.code, unknown.error.hint], [404, 'PGRST202', 'Perhaps you meant to call the function public.add_numbers'])
  const named = await run('add_numbers', { a: 1, c: 2 })
  assert.deepEqual([named.status, named.error.code, named.error.details], [
    404, 'PGRST202', 'Searched for the function public.add_numbers with parameters a, c or with a single unnamed json/jsonb parameter, but no matches were found in the schema cache.',
  ])
  assert.deepEqual([(await run('add_numbers', { a: 'one' })).error.code, (await run('add_numbers', { a: null })).data], ['22P02', null])
})

test('headers, of one request and of all', async () => {
  await expect(run('asked_with', { name: 'x-asked' }).setHeader('X-Asked', 'once'), 'once')
  await expect(visitor(undefined, { 'x-asked': 'always' }).rpc('asked_with', { name: 'x-asked' }), 'always')
  await expect(run('asked_with', { name: 'x-asked' }), null)
  await expect(run('asked_with', { name: 'x-client-info' }).select().setHeader('x-client-info', 'ours'), 'ours')
})

test('whoever gives up gets told', async () => {
  const begun = Date.now()
  const given = await run('wait_for', { seconds: 20 }).abortSignal(AbortSignal.timeout(50))
  assert.deepEqual([given.data, given.status], [null, 0])
  assert.match(given.error.message, /^(TimeoutError|AbortError)/)
  assert.ok(Date.now() - begun < 10_000)
})

test('a batch is all or nothing', async () => {
  const own = randomUUID()
  const batch = (requests) => call('POST', '/batch/v1', { body: { requests } })
  const kept = async () => done(await library.from('parcels').select('label, note').eq('run', own).order('label'))
  const made = await batch([
    { id: 'first', method: 'POST', path: '/parcels?select=id,label', headers: { Prefer: 'return=representation' }, body: { run: own, label: 'a' } },
    { method: 'POST', path: '/parcels', body: { run: own, label: 'b', note: { $result: 'first/0/label' } } },
    { method: 'PATCH', path: '/parcels?id=eq.${first/0/id}', body: { note: 'changed' } },
    { id: 'count', method: 'GET', path: `/parcels?select=count()&run=eq.${own}` },
  ])
  assert.equal(made.status, 200, made.text)
  assert.deepEqual(made.body.responses.map(({ status }) => status), [201, 201, 204, 200])
  assert.deepEqual(made.body.responses[3].body, [{ count: 2 }])
  assert.deepEqual(await kept(), [{ label: 'a', note: 'changed' }, { label: 'b', note: 'a' }])
  const refused = await batch([
    { method: 'POST', path: '/parcels', body: { run: own, label: 'c' } }, { id: 'again', method: 'POST', path: '/parcels', body: { run: own, label: 'a' } },
  ])
  assert.deepEqual([refused.status, refused.body.code, refused.body.request], [409, '23505', 'again'])
  assert.equal((await kept()).length, 2)
})

test('a batch has the walls that its requests have', async () => {
  const [ann, bob] = await Promise.all([owner('ann'), owner('bob')])
  const token = async ({ client }) => done(await client.auth.getSession()).session.access_token
  const requests = [
    { id: 'ada', method: 'POST', path: '/customers?select=id', headers: { Prefer: 'return=representation' }, body: { first_name: 'Ada', phone: '+15550100' } },
    { method: 'POST', path: '/jobs', body: { customer_id: { $result: 'ada/0/id' }, title: 'Tap', status: 'quoted' } },
  ]
  const made = await call('POST', '/batch/v1', { token: await token(ann), body: { requests } })
  assert.equal(made.status, 200, made.text)
  const { id } = made.body.responses[0].body[0]
  const read = { method: 'GET', path: `/customers?select=first_name,jobs!jobs_customer_id_fkey(title)&id=eq.${id}` }
  const seen = async (who) => (await call('POST', '/batch/v1', { token: await token(who), body: { requests: [read] } })).body.responses[0].body
  assert.deepEqual(await seen(ann), [{ first_name: 'Ada', jobs: [{ title: 'Tap' }] }])
  assert.deepEqual(await seen(bob), [])
  const nobody = await call('POST', '/batch/v1', { body: { requests: [read] } })
  assert.deepEqual([nobody.status, nobody.body.code], [401, '42501'])
})

test('a page asks whether it may', async () => {
  const asked = await fetch(`${URL}/rest/v1/readers`, {
    method: 'OPTIONS',
    headers: { origin: 'https://app.example.com', 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'authorization,apikey,prefer,x-client-info' },
  })
  assert.ok(asked.ok, `${asked.status}`)
  assert.match(asked.headers.get('access-control-allow-methods'), /PATCH/)
  assert.match(asked.headers.get('access-control-allow-headers').toLowerCase(), /x-client-info/)
})
