// Signing in with an account at a provider, as nobody, and with codes (PKCE): each method of the official client for it, against the
// provider in stand-ins/.

import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { createClient } from '@supabase/supabase-js'
import { ANON_KEY, PASSWORD, SERVICE_KEY, URL, address, call, claims, done, message, person, service, visitor } from './house.mjs'

const PROVIDER = process.env.PROVIDER_URL

/** A client that keeps its verifier, as an application does. */
function application(options = {}) {
  const kept = new Map()
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value), removeItem: (key) => void kept.delete(key) }
  const auth = { flowType: 'pkce', storage, persistSession: true, autoRefreshToken: false, detectSessionInUrl: false, ...options }
  return createClient(URL, ANON_KEY, { auth })
}

/** A browser that goes where it is sent, with the cookies of our server, until it is led to a page of ours. */
async function browse(start) {
  let [at, cookie] = [start, '']
  for (let hops = 0; hops < 5; hops += 1) {
    const answer = await fetch(at, { redirect: 'manual', headers: at.startsWith(URL) && cookie ? { cookie } : {} })
    assert.ok([302, 303].includes(answer.status), `${at} answered ${answer.status}: ${await answer.text()}`)
    cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? cookie
    at = answer.headers.get('location')
    if (at.startsWith(`${URL}/welcome`)) return new globalThis.URL(at)
  }
  assert.fail(`nowhere: ${at}`)
}

const options = (login_hint) => ({ redirectTo: `${URL}/welcome`, skipBrowserRedirect: true, queryParams: { login_hint } })
const code = (page) => page.searchParams.get('code')

test('an application signs somebody in with a provider', async () => {
  const sub = randomUUID()
  const client = application()
  const { url } = done(await client.auth.signInWithOAuth({ provider: 'oidc', options: options(sub) }))
  const page = await browse(url)
  assert.equal(page.hash, '')
  const { session, user } = done(await client.auth.exchangeCodeForSession(code(page)))
  assert.deepEqual([session.provider_token, session.provider_refresh_token], [`access-${sub}`, `refresh-${sub}`])
  assert.deepEqual([user.email, user.app_metadata], [`${sub}@provider.example`, { provider: 'oidc', providers: ['oidc'] }])
  assert.equal(user.user_metadata.full_name, `Somebody ${sub}`)
  assert.equal(claims(session).amr[0].method, 'oauth')
  assert.equal(done(await client.auth.getUser()).user.id, user.id)
  assert.ok(done(await client.auth.refreshSession()).session)
  // The code was used; and nobody else's client can use one.
  const again = await call('POST', '/auth/v1/token?grant_type=pkce', { body: { auth_code: code(page), code_verifier: 'x' } })
  assert.deepEqual([again.status, again.body.error_code], [404, 'flow_state_not_found'])
  const mine = application()
  const second = await browse(done(await mine.auth.signInWithOAuth({ provider: 'oidc', options: options(sub) })).url)
  const stolen = await call('POST', '/auth/v1/token?grant_type=pkce', { body: { auth_code: code(second), code_verifier: 'a'.repeat(43) } })
  assert.deepEqual([stolen.status, stolen.body.error_code], [400, 'bad_code_verifier'])
})

test('without a challenge the session is in the fragment, for the browser that began', async () => {
  const sub = randomUUID()
  const client = visitor()
  const { url } = done(await client.auth.signInWithOAuth({ provider: 'oidc', options: options(sub) }))
  const page = await browse(url)
  const said = new URLSearchParams(page.hash.slice(1))
  const tokens = { access_token: said.get('access_token'), refresh_token: said.get('refresh_token') }
  assert.equal(done(await client.auth.setSession(tokens)).user.email, `${sub}@provider.example`)
  assert.equal(said.get('provider_token'), `access-${sub}`)
})

test('who does not agree, and a provider that is busy, lead back with an error', async () => {
  for (const [hint, error, errorCode] of [
    ['deny', 'access_denied', 'bad_oauth_callback'],
    ['busy', 'server_error', 'unexpected_failure'],
  ]) {
    const client = application()
    const page = await browse(done(await client.auth.signInWithOAuth({ provider: 'oidc', options: options(hint) })).url)
    assert.deepEqual([page.searchParams.get('error'), page.searchParams.get('error_code'), code(page)], [error, errorCode, null])
  }
  const off = await fetch(done(await visitor().auth.signInWithOAuth({ provider: 'github', options: { skipBrowserRedirect: true } })).url)
  assert.deepEqual([off.status, (await off.json()).msg], [400, 'Unsupported provider: provider is not enabled'])
})

test('an application brings an ID token', async () => {
  const nonce = randomUUID()
  const hashed = createHash('sha256').update(nonce).digest('hex')
  const answer = await fetch(`${PROVIDER}/id-token?login_hint=${randomUUID()}&nonce=${hashed}`)
  const { id_token: token } = await answer.json()
  const { user, session } = done(await visitor().auth.signInWithIdToken({ provider: 'oidc', token, nonce }))
  assert.deepEqual([user.app_metadata.provider, session.token_type], ['oidc', 'bearer'])
  const other = await visitor().auth.signInWithIdToken({ provider: 'oidc', token, nonce: 'other' })
  assert.deepEqual([other.error.status, other.error.message], [400, 'Nonces mismatch'])
  const bad = await visitor().auth.signInWithIdToken({ provider: 'oidc', token: 'x.y.z', nonce })
  assert.deepEqual([bad.error.status, bad.error.message], [400, 'Bad ID token'])
})

test('identities are listed, added and taken away', async () => {
  const client = application()
  const email = address('ann')
  done(await client.auth.signUp({ email, password: PASSWORD }))
  const { url } = done(await client.auth.linkIdentity({ provider: 'oidc', options: options(randomUUID()) }))
  const { user } = done(await client.auth.exchangeCodeForSession(code(await browse(url))))
  assert.deepEqual([user.email, user.app_metadata.providers], [email, ['email', 'oidc']])
  const { identities } = done(await client.auth.getUserIdentities())
  assert.deepEqual(identities.map((identity) => identity.provider), ['email', 'oidc'])
  const { id_token: token } = await (await fetch(`${PROVIDER}/id-token?login_hint=${randomUUID()}`)).json()
  const linked = done(await client.auth.linkIdentity({ provider: 'oidc', token }))
  assert.equal(linked.user.identities.length, 3)
  for (const identity of linked.user.identities.slice(1)) done(await client.auth.unlinkIdentity(identity))
  const last = await client.auth.unlinkIdentity(identities[0])
  assert.deepEqual([last.error.status, last.error.code], [422, 'single_identity_not_deletable'])
})

test('somebody begins as nobody and becomes somebody', async () => {
  const client = visitor()
  const { user, session } = done(await client.auth.signInAnonymously({ options: { data: { theme: 'dark' } } }))
  assert.deepEqual([user.is_anonymous, user.user_metadata, claims(session).is_anonymous], [true, { theme: 'dark' }, true])
  const email = address('ann')
  const named = done(await client.auth.updateUser({ email, password: PASSWORD }))
  assert.deepEqual([named.user.is_anonymous, named.user.id], [false, user.id])
  assert.equal(done(await visitor().auth.signInWithPassword({ email, password: PASSWORD })).user.id, user.id)
})

test('a link that an application asked for leads to a code', async () => {
  const client = application()
  const { email } = await person('ann')
  done(await client.auth.signInWithOtp({ email, options: { emailRedirectTo: `${URL}/welcome` } }))
  const { link } = await message(email)
  const { session } = done(await client.auth.exchangeCodeForSession(code(await browse(link))))
  assert.deepEqual([session.user.email, claims(session).amr[0].method], [email, 'magiclink'])
})

test('the operator adds a provider', async () => {
  const { customProviders } = service().auth.admin
  const identifier = `custom:acme-${randomUUID().slice(0, 8)}`
  const params = { provider_type: 'oidc', identifier, name: 'Acme', client_id: process.env.PROVIDER_CLIENT, client_secret: process.env.PROVIDER_SECRET }
  const made = done(await customProviders.createProvider({ ...params, issuer: PROVIDER }))
  assert.deepEqual([made.identifier, made.client_secret, made.discovery_document.issuer], [identifier, undefined, PROVIDER])
  const client = application()
  const sub = randomUUID()
  const { url } = done(await client.auth.signInWithOAuth({ provider: identifier, options: options(sub) }))
  const { user } = done(await client.auth.exchangeCodeForSession(code(await browse(url))))
  assert.equal(user.app_metadata.provider, identifier)
  assert.equal(done(await customProviders.updateProvider(identifier, { name: 'Acme Inc.' })).name, 'Acme Inc.')
  assert.equal(done(await customProviders.getProvider(identifier)).name, 'Acme Inc.')
  assert.ok(done(await customProviders.listProviders({ type: 'oidc' })).providers.some((provider) => provider.identifier === identifier))
  assert.equal((await customProviders.deleteProvider(identifier)).error, null)
  const gone = await customProviders.getProvider(identifier)
  assert.deepEqual([gone.error.status, gone.error.code], [404, 'custom_provider_not_found'])
  const refused = await call('GET', '/auth/v1/admin/custom-providers', {})
  assert.ok([401, 403].includes(refused.status))
  assert.ok(SERVICE_KEY)
})
