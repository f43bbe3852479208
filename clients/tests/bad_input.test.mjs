// What is wrong gets a clear answer with a stable code, and changes nothing.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PASSWORD, address, call, done, owner, visitor } from './house.mjs'

test('bodies, names, operators and types', async () => {
  const { client } = await owner('ann')
  const token = done(await client.auth.getSession()).session.access_token
  const rest = (method, path, options) => call(method, `/rest/v1/${path}`, { token, ...options })
  const cases = [
    [await rest('POST', 'customers', { raw: '{"first_name":' }), 400, 'PGRST102'],
    [await rest('POST', 'customers', { raw: '' }), 400, 'PGRST102'],
    [await rest('POST', 'customers', { body: [{ first_name: 'a', last_name: 'b' }, { first_name: 'c' }] }), 400, 'PGRST102'],
    [await rest('POST', 'customers', { body: { nick: 'x' } }), 400, 'PGRST204'],
    [await rest('GET', 'custmers'), 404, 'PGRST205'],
    [await rest('GET', 'customers?nick=eq.x'), 400, '42703'],
    [await rest('GET', 'customers?select=nick'), 400, '42703'],
    [await rest('GET', 'customers?first_name=is_like.x'), 400, 'PGRST100'],
    [await rest('GET', 'customers?id=eq.seven'), 400, '22P02'],
    [await rest('GET', 'customers?limit=-1'), 416, 'PGRST103'],
    [await rest('GET', 'customers?order=first_name.up'), 400, 'PGRST100'],
    [await rest('GET', 'customers', { headers: { accept: 'image/png' } }), 406, 'PGRST107'],
    [await rest('GET', 'customers', { headers: { 'accept-profile': 'auth' } }), 406, 'PGRST106'],
    [await rest('POST', 'rpc/no_such_function', { body: {} }), 404, 'PGRST202'],
    [await rest('DELETE', 'rpc/my_companies'), 405, 'PGRST101'],
    [await rest('GET', 'customers/7'), 404, 'PGRST125'],
    [await rest('POST', 'properties', { body: { name: 'Home' } }), 400, '23502'],
  ]
  for (const [answer, status, code] of cases) {
    assert.deepEqual([answer.status, answer.body?.code], [status, code], answer.text)
    assert.deepEqual(Object.keys(answer.body).sort(), ['code', 'details', 'hint', 'message'])
  }
  assert.match(cases[4][0].body.hint, /customers/)
  assert.deepEqual(done(await client.from('customers').select('id')), [])
})

test('a body over the limit', async () => {
  const { client } = await owner('ann')
  const token = done(await client.auth.getSession()).session.access_token
  const answer = await call('POST', '/rest/v1/customers', { token, body: { first_name: 'a'.repeat(11_000_000), last_name: 'b' } })
  assert.deepEqual([answer.status, answer.body.code], [413, 'body_too_large'])
})

test('the client is told what is wrong', async () => {
  const { client } = await owner('ann')
  const customer = done(await client.from('customers').insert({ phone: '+15550100', first_name: 'Ben', last_name: 'Baker' }).select().single())
  const cases = [
    [client.from('custmers').select(), 404, 'PGRST205'],
    [client.from('customers').select('nick'), 400, '42703'],
    [client.from('customers').select().eq('nick', 'x'), 400, '42703'],
    [client.from('customers').select().filter('first_name', 'sounds', 'x'), 400, 'PGRST100'],
    [client.from('customers').select().eq('id', 'seven'), 400, '22P02'],
    [client.from('customers').select().gt('created_at', 'soon'), 400, '22007'],
    [client.from('customers').select().or('first_name.eq'), 400, 'PGRST100'],
    [client.from('customers').insert({ phone: '+15550100', first_name: 'A', last_name: 'B', nick: 'C' }), 400, 'PGRST204'],
    [client.from('jobs').insert({ customer_id: 'seven', title: 'Fix' }), 400, '22P02'],
    [client.from('jobs').insert({ customer_id: customer.id, title: 'Fix', scheduled_start: 'soon' }), 400, '22007'],
    [client.from('jobs').insert({ customer_id: customer.id, title: null }), 400, '23502'],
    [client.from('jobs').insert({ customer_id: customer.id, title: 'Fix', status: 'finished' }), 400, '23514'],
    [client.from('customers').update({ id: 'seven' }).eq('id', customer.id), 400, '22P02'],
    [client.from('customers').select().eq('first_name', 'Nobody').single(), 406, 'PGRST116'],
    [client.rpc('create_company_with_owner', { label: 'A' }), 404, 'PGRST202'],
    [client.rpc('no_such_function'), 404, 'PGRST202'],
  ]
  for (const [number, [asked, status, code]] of cases.entries()) {
    const answer = await asked
    assert.deepEqual([answer.status, answer.error?.code], [status, code], `${number}: ${JSON.stringify(answer)}`)
    assert.ok(answer.error.message, `${number}`)
  }
  assert.deepEqual(done(await client.from('jobs').select('id')), [])
  assert.deepEqual(done(await client.from('customers').select('first_name')), [{ first_name: 'Ben' }])
})

test('sign-in says no more than it must', async () => {
  const email = address('ann')
  done(await visitor().auth.signUp({ email, password: PASSWORD }))
  const wrong = await visitor().auth.signInWithPassword({ email, password: 'wrong password' })
  const unknown = await visitor().auth.signInWithPassword({ email: address('nobody'), password: 'wrong password' })
  for (const { error } of [wrong, unknown]) {
    assert.deepEqual([error.status, error.code, error.message], [400, 'invalid_credentials', 'Invalid login credentials'])
  }
  const weak = await visitor().auth.signUp({ email: address('ann'), password: '12345' })
  assert.deepEqual([weak.error.status, weak.error.code], [422, 'weak_password'])
})
