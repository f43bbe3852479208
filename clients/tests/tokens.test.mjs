// Who is believed, and for how long: tokens of this server, of programs that share its secret, and of everybody else.

import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'node:test'
import { ANON_KEY, JWT_SECRET, call, claims, done, owner, visitor } from './house.mjs'

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
const now = () => Math.floor(Date.now() / 1000)

/** A token as programs make it that share a secret with the server. */
function shared(payload, secret = JWT_SECRET, header = { alg: 'HS256', typ: 'JWT' }) {
  const text = `${encode(header)}.${encode(payload)}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}

/** The same claims under a key of another installation. */
function foreign(token) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const text = token.split('.', 2).join('.')
  return `${text}.${sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

async function signedIn() {
  const one = await owner('ann')
  const session = done(await one.client.auth.getSession()).session
  return { ...one, token: session.access_token, payload: claims(session) }
}

const read = (token) => call('GET', '/rest/v1/customers', { token })

test('tokens that are not ours are refused', async () => {
  const { token, payload } = await signedIn()
  const [header, body, signature] = token.split('.')
  const more = { ...payload, role: 'service_role' }
  const bad = {
    'no token': 'nonsense',
    'another payload': `${header}.${encode(more)}.${signature}`,
    'no signature': `${header}.${body}.`,
    'alg none': `${encode({ alg: 'none', typ: 'JWT' })}.${encode(more)}.`,
    'a key of another installation': foreign(token),
    'a secret of somebody else': shared(payload, 'super-secret-jwt-token-with-at-least-32-characters-long'),
    'a public key as a secret': shared(more, ANON_KEY),
    'the secret under the name of our key': shared(more, JWT_SECRET, JSON.parse(Buffer.from(header, 'base64url'))),
  }
  // The name of our key belongs to another algorithm: whoever knows the secret signs in his own name.
  bad['the secret and the name of our key'] = shared(more, JWT_SECRET, { ...JSON.parse(Buffer.from(header, 'base64url')), alg: 'HS256' })
  for (const [what, forged] of Object.entries(bad)) {
    const answer = await read(forged)
    assert.deepEqual([answer.status, answer.body.code], [401, 'PGRST301'], what)
    assert.match(answer.headers.get('www-authenticate'), /^Bearer error="invalid_token"/, what)
  }
  assert.equal((await read(token)).status, 200)
})

test('a token is believed until it is over, and not before its time', async () => {
  const { user, payload } = await signedIn()
  const mine = { sub: user.id, session_id: payload.session_id, role: 'authenticated', aud: 'authenticated' }
  assert.equal((await read(shared({ ...mine, exp: now() + 60 }))).status, 200)
  const over = await read(shared({ ...mine, exp: now() - 60 }))
  assert.deepEqual([over.status, over.body], [401, { code: 'PGRST303', details: null, hint: null, message: 'JWT expired' }])
  assert.match(over.headers.get('www-authenticate'), /error_description="JWT expired"/)
  const early = await read(shared({ ...mine, exp: now() + 600, nbf: now() + 300 }))
  assert.deepEqual([early.status, early.body.code], [401, 'PGRST303'])
  const self = await call('GET', '/auth/v1/user', { token: shared({ ...mine, exp: now() - 60 }) })
  assert.deepEqual([self.status, self.body.error_code], [403, 'bad_jwt'])
})

test('keys that were signed with the secret open what their role says', async () => {
  const { company } = await signedIn()
  const key = (role) => shared({ iss: 'supabase', role, iat: now() - 60, exp: now() + 3600 })
  const rows = done(await visitor(key('service_role')).from('companies').select('id').eq('id', company.id))
  assert.deepEqual(rows, [{ id: company.id }])
  const { error } = await visitor(key('anon')).from('companies').select('id')
  assert.equal(error.code, '42501')
  for (const role of ['postgres', 'app_owner', 'thorbis_server']) {
    const refused = await visitor(key(role)).from('companies').select('id')
    assert.equal(refused.status, 401, role)
    assert.ok(refused.error.code, role)
  }
})

test('another person\'s session cannot be named', async () => {
  const ann = await signedIn()
  const eve = await signedIn()
  const mixed = shared({ sub: eve.user.id, session_id: ann.payload.session_id, role: 'authenticated', aud: 'authenticated', exp: now() + 60 })
  const answer = await read(mixed)
  assert.deepEqual([answer.status, answer.body.code], [401, 'session_not_found'])
})
