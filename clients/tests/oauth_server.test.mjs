// Programs of others with the official client: registered by the service key, let in and sent away by a person.

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { URL as SERVER, call, claims, done, owner, person, service, visitor } from './house.mjs'

const CALLBACK = 'https://planner.example.com/callback'
const admin = service().auth.admin.oauth
const refused = async (answer, code) => assert.equal((await answer).error?.code, code)

const planner = async (more = {}) => done(await admin.createClient({ client_name: 'Planner', redirect_uris: [CALLBACK], ...more }))

/** Begins a request as a browser does, and returns what the site's page is told, with the word that proves it. */
async function begin(client, scope = 'openid email') {
  const verifier = randomBytes(32).toString('base64url')
  const challenge = createHash('sha256').update(verifier).digest('base64url')
  const query = new URLSearchParams({
    client_id: client.client_id, redirect_uri: CALLBACK, response_type: 'code', scope, state: 's', nonce: 'n',
    code_challenge: challenge, code_challenge_method: 'S256',
  })
  const answer = await fetch(`${SERVER}/auth/v1/oauth/authorize?${query}`, { redirect: 'manual' })
  assert.equal(answer.status, 302)
  const page = new URL(answer.headers.get('location'))
  assert.equal(page.pathname, '/oauth/consent')
  return { verifier, id: page.searchParams.get('authorization_id') }
}

/** Sends what a program with a secret sends. */
async function form(path, client, fields) {
  const basic = Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64')
  const answer = await fetch(`${SERVER}/auth/v1${path}`, { method: 'POST', headers: { authorization: `Basic ${basic}` }, body: new URLSearchParams(fields) })
  const text = await answer.text()
  return { status: answer.status, body: text && JSON.parse(text) }
}

async function exchange(client, redirectUrl, verifier) {
  const { searchParams } = new URL(redirectUrl)
  assert.deepEqual([searchParams.get('state'), searchParams.get('iss')], ['s', `${SERVER}/auth/v1`])
  const answer = await form('/oauth/token', client, { grant_type: 'authorization_code', code: searchParams.get('code'), code_verifier: verifier })
  assert.equal(answer.status, 200, JSON.stringify(answer.body))
  return answer.body
}

test('the service key has programs in its hands', async () => {
  const made = await planner({ client_uri: 'https://planner.example.com', token_endpoint_auth_method: 'client_secret_post' })
  assert.deepEqual([made.client_type, made.registration_type, made.token_endpoint_auth_method], ['confidential', 'manual', 'client_secret_post'])
  const { client_secret: secret, ...known } = made
  assert.deepEqual(done(await admin.getClient(made.client_id)), known)
  const renamed = done(await admin.updateClient(made.client_id, { client_name: 'Planner 2', logo_uri: 'https://planner.example.com/l.png' }))
  assert.deepEqual([renamed.client_name, renamed.logo_uri], ['Planner 2', 'https://planner.example.com/l.png'])
  const listed = done(await admin.listClients())
  assert.ok(listed.total >= 1 && listed.clients.some(({ client_id }) => client_id === made.client_id))
  assert.equal(done(await admin.listClients({ page: 1, perPage: 1 })).clients.length, 1)
  const other = done(await admin.regenerateClientSecret(made.client_id))
  assert.ok(other.client_secret && other.client_secret !== secret)
  await refused(admin.createClient({ client_name: 'Nowhere', redirect_uris: [] }), 'validation_failed')
  await refused((await person('ann')).client.auth.admin.oauth.listClients(), 'not_admin')
  assert.equal((await admin.deleteClient(made.client_id)).error, null)
  await refused(admin.getClient(made.client_id), 'oauth_client_not_found')
})

test('a person lets a program in, sees it, and sends it away', async () => {
  const client = await planner({ client_uri: 'https://planner.example.com' })
  const ann = await owner('ann')
  const { oauth } = ann.client.auth
  const asked = await begin(client)
  const details = done(await oauth.getAuthorizationDetails(asked.id))
  assert.deepEqual(details, {
    authorization_id: asked.id,
    redirect_uri: CALLBACK,
    client: { id: client.client_id, name: 'Planner', uri: 'https://planner.example.com', logo_uri: '' },
    user: { id: ann.user.id, email: ann.email },
    scope: 'email openid',
  })
  await refused((await person('bob')).client.auth.oauth.getAuthorizationDetails(asked.id), 'oauth_authorization_not_found')
  const { redirect_url: url } = done(await oauth.approveAuthorization(asked.id, { skipBrowserRedirect: true }))
  const tokens = await exchange(client, url, asked.verifier)

  // The program works in the company of the person, and reaches nothing of the account.
  const program = visitor()
  const bearer = { token: tokens.access_token }
  const said = claims(tokens)
  assert.deepEqual([said.client_id, said.scope, said.company_id], [client.client_id, 'email openid', ann.company.id])
  const rows = await call('GET', '/rest/v1/companies?select=id', bearer)
  assert.deepEqual(rows.body, [{ id: ann.company.id }])
  const id = done(await program.auth.getClaims(tokens.id_token)).claims
  assert.deepEqual([id.aud, id.nonce, id.sub, id.email], [client.client_id, 'n', ann.user.id, ann.email])
  assert.equal((await call('GET', '/auth/v1/oauth/userinfo', bearer)).body.email, ann.email)
  assert.equal(done(await program.auth.getUser(tokens.access_token)).user.id, ann.user.id)
  assert.equal((await call('PUT', '/auth/v1/user', { ...bearer, body: { password: 'another long password' } })).body.error_code, 'oauth_client_not_allowed')
  await refused(program.auth.refreshSession({ refresh_token: tokens.refresh_token }), 'refresh_token_not_found')
  const next = await form('/oauth/token', client, { grant_type: 'refresh_token', refresh_token: tokens.refresh_token })
  assert.equal(next.status, 200)

  // He agreed once: at once the next time. And what he let in he ends.
  const again = await begin(client, 'openid')
  await exchange(client, done(await oauth.getAuthorizationDetails(again.id)).redirect_url, again.verifier)
  const grants = done(await oauth.listGrants())
  assert.deepEqual(grants.map(({ client, scopes }) => [client.name, scopes]), [['Planner', ['email', 'openid']]])
  done(await oauth.revokeGrant({ clientId: client.client_id }))
  assert.deepEqual(done(await oauth.listGrants()), [])
  assert.equal((await call('GET', '/rest/v1/companies?select=id', { token: next.body.access_token })).status, 401)
  await refused(oauth.revokeGrant({ clientId: client.client_id }), 'oauth_consent_not_found')
})

test('a person says no, and a program registers itself and gives back what it holds', async () => {
  const document = await (await fetch(`${SERVER}/.well-known/oauth-authorization-server/auth/v1`)).json()
  assert.equal(document.issuer, `${SERVER}/auth/v1`)
  const wish = { client_name: 'Helper', redirect_uris: [CALLBACK] }
  const headers = { 'content-type': 'application/json' }
  const registered = await fetch(document.registration_endpoint, { method: 'POST', headers, body: JSON.stringify(wish) })
  assert.equal(registered.status, 201)
  const client = await registered.json()
  const ann = await person('ann')
  const { oauth } = ann.client.auth
  const first = await begin(client)
  done(await oauth.getAuthorizationDetails(first.id))
  const denied = new URL(done(await oauth.denyAuthorization(first.id, { skipBrowserRedirect: true })).redirect_url)
  assert.deepEqual([denied.searchParams.get('error'), denied.searchParams.get('code')], ['access_denied', null])
  await refused(oauth.approveAuthorization(first.id), 'validation_failed')
  const second = await begin(client)
  done(await oauth.getAuthorizationDetails(second.id))
  const tokens = await exchange(client, done(await oauth.approveAuthorization(second.id, { skipBrowserRedirect: true })).redirect_url, second.verifier)
  assert.equal((await form('/oauth/revoke', client, { token: tokens.access_token })).status, 200)
  assert.equal((await call('GET', '/auth/v1/user', { token: tokens.access_token })).status, 403)
  await refused(visitor().auth.oauth.getAuthorizationDetails(second.id), undefined)
})
