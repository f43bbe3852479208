// What is wrong gets a clear answer with a stable code, and changes nothing.

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { ANON_KEY, PASSWORD, address, call, done, owner, visitor } from './house.mjs'

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')

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

test('tokens that are not ours', async () => {
  const { client } = await owner('ann')
  const token = done(await client.auth.getSession()).session.access_token
  const [header, body, signature] = token.split('.')
  const payload = JSON.parse(Buffer.from(body, 'base64url'))
  const signed = (claims, secret) => {
    const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
  }
  const bad = {
    'no token': 'nonsense',
    'another payload': `${header}.${encode({ ...payload, role: 'service_role' })}.${signature}`,
    'no signature': `${header}.${body}.`,
    'alg none': `${encode({ alg: 'none', typ: 'JWT' })}.${encode({ ...payload, role: 'service_role' })}.`,
    'a secret of somebody else': signed(payload, 'super-secret-jwt-token-with-at-least-32-characters-long'),
    'the public key as a secret': signed({ ...payload, role: 'service_role' }, ANON_KEY),
  }
  for (const [what, forged] of Object.entries(bad)) {
    const answer = await call('GET', '/rest/v1/customers', { token: forged })
    assert.equal(answer.status, 401, what)
    assert.match(answer.body.code, /^PGRST30[13]$/, what)
    assert.match(answer.headers.get('www-authenticate'), /^Bearer/, what)
  }
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
