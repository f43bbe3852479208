// Realtime with the official client, in both versions of the protocol: joining, broadcast, presence, changed rows, private channels, tokens.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { RealtimeClient } from '@supabase/realtime-js'
import { ANON_KEY, URL, call, done, member, owner, service, visitor } from './house.mjs'

const WAIT = 20_000

/** Waits for a value that a callback brings. */
function awaited(what) {
  let bring
  const value = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what} did not come`)), WAIT)
    bring = (found) => { clearTimeout(timer); resolve(found) }
  })
  return { value, bring }
}

/** Subscribes and waits for the answer. */
async function subscribed(channel, expected = 'SUBSCRIBED') {
  const { value, bring } = awaited(expected)
  channel.subscribe((status, error) => {
    if (status === expected) bring(error)
    else if (['CHANNEL_ERROR', 'TIMED_OUT'].includes(status)) bring(new Error(`${status}: ${error?.message}`))
  })
  const error = await value
  if (expected === 'SUBSCRIBED' && error) throw error
  return error
}

/** Subscribes to changed rows and waits until they are told. */
async function live(channel) {
  const { value, bring } = awaited('the subscription')
  channel.on('system', {}, (said) => { if (said.extension === 'postgres_changes') bring(said) })
  await subscribed(channel)
  const said = await value
  assert.deepEqual([said.status, said.message], ['ok', 'Subscribed to PostgreSQL'])
}

const room = () => `room-${randomUUID()}`

for (const vsn of ['1.0.0', '2.0.0']) {
  const client = () => new RealtimeClient(`${URL.replace('http', 'ws')}/realtime/v1`, { params: { apikey: ANON_KEY }, vsn })

  test(`${vsn}: broadcasts come to the others, are acknowledged, and come back where that is wanted`, async () => {
    const [ann, bob, name] = [client(), client(), room()]
    const heard = awaited('the broadcast')
    const own = awaited('the own broadcast')
    const hers = ann.channel(name, { config: { broadcast: { ack: true, self: true } } }).on('broadcast', { event: 'hi' }, own.bring)
    const his = bob.channel(name).on('broadcast', { event: 'hi' }, heard.bring)
    await Promise.all([subscribed(hers), subscribed(his)])
    assert.equal(await hers.send({ type: 'broadcast', event: 'hi', payload: { text: 'ä', list: [1, null] } }), 'ok')
    for (const said of [await heard.value, await own.value]) {
      assert.deepEqual([said.type, said.event, said.payload], ['broadcast', 'hi', { text: 'ä', list: [1, null] }])
    }
    assert.equal(await his.unsubscribe(), 'ok')
    await Promise.all([ann.disconnect(), bob.disconnect()])
  })

  test(`${vsn}: presence is known to everybody, changes, and ends with the socket`, async () => {
    const [ann, bob, name] = [client(), client(), room()]
    const channel = (of, key) => of.channel(name, { config: { presence: { key, enabled: true } } })
    const [hers, his] = [channel(ann, 'ann'), channel(bob, 'bob')]
    const [joined, left, both] = [awaited('the join'), awaited('the leave'), awaited('both')]
    hers.on('presence', { event: 'join' }, ({ key, newPresences }) => { if (key === 'bob') joined.bring(newPresences) })
      .on('presence', { event: 'leave' }, ({ key }) => { if (key === 'bob') left.bring(key) })
      .on('presence', { event: 'sync' }, () => { if (Object.keys(hers.presenceState()).length === 2) both.bring(hers.presenceState()) })
    his.on('presence', { event: 'sync' }, () => {})
    await Promise.all([subscribed(hers), subscribed(his)])
    assert.equal(await hers.track({ at: 'office' }), 'ok')
    assert.equal(await his.track({ at: 'home' }), 'ok')
    assert.equal((await joined.value)[0].at, 'home')
    assert.deepEqual(Object.keys(await both.value).sort(), ['ann', 'bob'])
    await bob.disconnect()
    await left.value
    assert.equal(await hers.untrack(), 'ok')
    await ann.disconnect()
  })
}

test('bytes are told as bytes', async () => {
  const [ann, bob, name] = [visitor(), visitor(), room()]
  const heard = awaited('the bytes')
  const his = bob.channel(name).on('broadcast', { event: 'raw' }, heard.bring)
  const hers = ann.channel(name, { config: { broadcast: { ack: true } } })
  await Promise.all([subscribed(hers), subscribed(his)])
  assert.equal(await hers.send({ type: 'broadcast', event: 'raw', payload: new Uint8Array([0, 255, 7]).buffer }), 'ok')
  assert.deepEqual([...new Uint8Array((await heard.value).payload)], [0, 255, 7])
  await Promise.all([ann.removeAllChannels(), bob.removeAllChannels()])
})

test('a broadcast by request comes to the channel', async () => {
  const [ann, bob, name] = [visitor(), visitor(), room()]
  const [first, second] = [awaited('the first'), awaited('the second')]
  const his = bob.channel(name).on('broadcast', { event: 'one' }, first.bring).on('broadcast', { event: 'two' }, second.bring)
  await subscribed(his)
  assert.deepEqual(await ann.channel(name).httpSend('one', { n: 1 }), { success: true })
  assert.deepEqual((await first.value).payload, { n: 1 })
  const body = { messages: [{ topic: name, event: 'two', payload: { n: 2 } }] }
  assert.equal((await call('POST', '/realtime/v1/api/broadcast', { body })).status, 202)
  assert.deepEqual((await second.value).payload, { n: 2 })
  await bob.removeAllChannels()
})

test('changed rows come to members who may read them, and to nobody else', async () => {
  const [ann, carl] = [await owner('ann'), await owner('carl')]
  const told = []
  const [inserted, updated, gone] = [awaited('the insert'), awaited('the update'), awaited('the delete')]
  const channel = ann.client.channel(room())
    .on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'customers' }, inserted.bring)
    .on('postgres_changes', { event: 'UPDATE', schema: 'public', table: 'customers', filter: 'first_name=eq.Bea' }, updated.bring)
    .on('postgres_changes', { event: 'DELETE', schema: 'public', table: 'tags' }, gone.bring)
  const foreign = carl.client.channel(room()).on('postgres_changes', { event: '*', schema: 'public' }, (change) => told.push(change))
  await Promise.all([live(channel), live(foreign)])
  const row = done(await ann.client.from('customers').insert({ first_name: 'Ben', phone: '+15550100' }).select().single())
  const change = await inserted.value
  assert.deepEqual([change.eventType, change.schema, change.table, change.errors], ['INSERT', 'public', 'customers', null])
  assert.deepEqual([change.new.id, change.new.first_name], [row.id, 'Ben'])
  done(await ann.client.from('customers').update({ first_name: 'Bea' }).eq('id', row.id))
  assert.equal((await updated.value).new.first_name, 'Bea')
  const tag = done(await ann.client.from('tags').insert({ name: 'Loud' }).select().single())
  done(await ann.client.from('tags').delete().eq('id', tag.id))
  assert.equal((await gone.value).old.id, tag.id)
  assert.deepEqual(told, [])
  await Promise.all([ann.client.removeAllChannels(), carl.client.removeAllChannels()])
})

test('a company\'s channels are its members\', and whoever leaves is out', async () => {
  const [ann, carl] = [await owner('ann'), await owner('carl')]
  const tom = await member(ann.company, 'technician')
  const name = `company:${ann.company.id}:board`
  const config = { config: { private: true, broadcast: { ack: true } } }
  const refused = await subscribed(carl.client.channel(name, config), 'CHANNEL_ERROR')
  assert.match(refused.message, /Unauthorized: You do not have permissions to read from this Channel topic/)
  const [heard, out] = [awaited('the broadcast'), awaited('the end')]
  const his = tom.client.channel(name, config).on('broadcast', { event: 'hi' }, heard.bring).on('system', {}, out.bring)
  const hers = ann.client.channel(name, config)
  await Promise.all([subscribed(his), subscribed(hers)])
  assert.equal(await hers.send({ type: 'broadcast', event: 'hi', payload: {} }), 'ok')
  await heard.value
  done(await service().from('team_members').update({ status: 'suspended' }).eq('user_id', tom.user.id))
  assert.equal((await out.value).status, 'error')
  await Promise.all([ann.client, carl.client, tom.client].map((client) => client.removeAllChannels()))
})

test('a fresh token keeps a private channel', async () => {
  const ann = await owner('ann')
  const name = `company:${ann.company.id}:board`
  const heard = awaited('the broadcast')
  const channel = ann.client.channel(name, { config: { private: true } }).on('broadcast', { event: 'hi' }, heard.bring)
  await subscribed(channel)
  done(await ann.client.auth.refreshSession())
  await ann.client.realtime.setAuth()
  assert.deepEqual(await ann.client.channel(name, { config: { private: true } }).httpSend('hi', { n: 1 }), { success: true })
  assert.deepEqual((await heard.value).payload, { n: 1 })
  await ann.client.removeAllChannels()
})
