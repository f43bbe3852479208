// Every method of the official client for signing in has a program here that calls it: those that no other program calls, and the proof
// that none is missing.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { PASSWORD, address, done, person, service, visitor } from './house.mjs'

const refused = async (answer, code) => assert.equal((await answer).error?.code, code)

/** The file whose programs call a method. */
const PROGRAMS = {
  factors: [
    'mfa.enroll', 'mfa.challenge', 'mfa.verify', 'mfa.challengeAndVerify', 'mfa.unenroll', 'mfa.listFactors', 'mfa.getAuthenticatorAssuranceLevel',
    'mfa.recoveryCodes.generate', 'mfa.recoveryCodes.regenerate', 'mfa.recoveryCodes.getStatus', 'mfa.recoveryCodes.verify',
    'mfa.recoveryCodes.unenroll', 'admin.mfa.listFactors', 'admin.mfa.deleteFactor',
  ],
  keys: [
    'mfa.webauthn.enroll', 'mfa.webauthn.register', 'mfa.webauthn.authenticate', 'mfa.webauthn.challenge', 'mfa.webauthn.verify', 'passkey.startRegistration', 'passkey.verifyRegistration',
    'passkey.startAuthentication', 'passkey.verifyAuthentication', 'passkey.list', 'passkey.update', 'passkey.delete', 'registerPasskey',
    'signInWithPasskey', 'admin.passkey.listPasskeys', 'admin.passkey.deletePasskey',
  ],
  methods: [
    'admin.createUser', 'admin.listUsers', 'admin.getUserById', 'admin.updateUserById', 'admin.deleteUser', 'admin.signOut', 'initialize',
    'isThrowOnErrorEnabled', 'onAuthStateChange', 'startAutoRefresh', 'stopAutoRefresh', 'dispose', 'signInWithSSO', 'signInWithWeb3', 'signOut',
  ],
  oauth_server: [
    'oauth.getAuthorizationDetails', 'oauth.approveAuthorization', 'oauth.denyAuthorization', 'oauth.listGrants', 'oauth.revokeGrant',
    'admin.oauth.listClients', 'admin.oauth.createClient', 'admin.oauth.getClient', 'admin.oauth.updateClient', 'admin.oauth.deleteClient',
    'admin.oauth.regenerateClientSecret', 'getClaims',
  ],
  one_time: ['signInWithOtp', 'verifyOtp', 'reauthenticate', 'resend', 'resetPasswordForEmail', 'updateUser', 'getUser', 'setSession',
    'admin.inviteUserByEmail', 'admin.generateLink'],
  providers: [
    'signInAnonymously', 'signInWithOAuth', 'exchangeCodeForSession', 'signInWithIdToken', 'getUserIdentities', 'linkIdentity', 'unlinkIdentity',
    'admin.customProviders.listProviders', 'admin.customProviders.createProvider', 'admin.customProviders.getProvider',
    'admin.customProviders.updateProvider', 'admin.customProviders.deleteProvider',
  ],
  story: ['signInWithPassword'],
  house: ['signUp', 'getSession', 'refreshSession'],
}
/** What is private in TypeScript and there all the same. */
const PRIVATE = [
  'logger', 'fetch', 'admin.fetch', 'fetchJwk', 'signInWithEthereum', 'signInWithSolana', 'linkIdentityOAuth', 'linkIdentityIdToken',
]
const PARTS = ['admin', 'mfa', 'oauth', 'passkey', 'customProviders', 'recoveryCodes', 'webauthn']

/** The names of all methods that an object and its parts have. */
function methods(object, path = []) {
  const names = new Set()
  for (let one = object; one && one !== Object.prototype; one = Object.getPrototypeOf(one)) {
    for (const name of Object.getOwnPropertyNames(one)) names.add(name)
  }
  return [...names].filter((name) => !name.startsWith('_') && name !== 'constructor').flatMap((name) => {
    if (typeof object[name] === 'function') return [[...path, name].join('.')]
    return PARTS.includes(name) && object[name] ? methods(object[name], [...path, name]) : []
  })
}

test('every method has a program', () => {
  const file = (name) => readFileSync(new URL(`./${name === 'house' ? 'house.mjs' : `${name}.test.mjs`}`, import.meta.url), 'utf8')
  const there = methods(visitor().auth).filter((name) => !PRIVATE.includes(name))
  const known = Object.entries(PROGRAMS).flatMap(([name, called]) => called.map((method) => [method, name]))
  assert.deepEqual(there.filter((name) => !known.some(([method]) => method === name)), [], 'no program calls these')
  assert.deepEqual(known.filter(([method]) => !there.includes(method)), [], 'the client has none of these any more')
  const missing = known.filter(([method, name]) => !new RegExp(`\\.${method.split('.').at(-1)}\\(`).test(file(name)))
  assert.deepEqual(missing, [], 'the file does not call it')
  assert.ok(there.length > 80, `${there.length} methods`)
})

test('the service key has accounts in its hands', async () => {
  const admin = service().auth.admin
  const email = address('ann')
  const wanted = { email, password: PASSWORD, user_metadata: { name: 'Ann' }, app_metadata: { plan: 'pro' } }
  const { user } = done(await admin.createUser(wanted))
  assert.deepEqual([user.email, user.user_metadata, user.app_metadata.plan, user.email_confirmed_at], [email, { name: 'Ann' }, 'pro', undefined])
  await refused(admin.createUser({ email }), 'email_exists')
  await refused(visitor().auth.signInWithPassword({ email, password: PASSWORD }), 'email_not_confirmed')

  const confirmed = done(await admin.updateUserById(user.id, { email_confirm: true, user_metadata: { name: 'Ann Lee' } })).user
  assert.ok(confirmed.email_confirmed_at)
  assert.equal(done(await admin.getUserById(user.id)).user.user_metadata.name, 'Ann Lee')
  assert.ok(done(await admin.listUsers()).users.length > 0)
  const page = done(await admin.listUsers({ page: 1, perPage: 5 }))
  assert.ok(page.total >= 1 && page.users.length >= 1 && page.users.length <= 5 && page.lastPage >= 1)

  // A session that the operator ends is over at its next request.
  const client = visitor()
  const { session } = done(await client.auth.signInWithPassword({ email, password: PASSWORD }))
  assert.equal((await admin.signOut(session.access_token, 'global')).error, null)
  assert.equal((await client.auth.getUser()).error?.name, 'AuthSessionMissingError')
  done(await admin.updateUserById(user.id, { ban_duration: '1h' }))
  await refused(visitor().auth.signInWithPassword({ email, password: PASSWORD }), 'user_banned')

  done(await admin.deleteUser(user.id, true))
  const left = done(await admin.getUserById(user.id)).user
  assert.deepEqual([left.id, left.email, typeof left.deleted_at], [user.id, '', 'string'])
  await refused(admin.deleteUser('01900000-0000-7000-8000-00000000dead'), 'user_not_found')
  for (const nobody of [visitor(), (await person('eve')).client]) {
    const { error } = await nobody.auth.admin.listUsers()
    assert.ok(['not_admin', 'no_authorization'].includes(error?.code), error?.code)
  }
})

test('an application hears of its sessions, and leaves', async () => {
  const { client, user } = await person('ann')
  assert.equal((await client.auth.initialize()).error, null)
  assert.ok(!client.auth.isThrowOnErrorEnabled())
  const heard = []
  const { data } = client.auth.onAuthStateChange((event, session) => heard.push([event, session?.user.id]))
  await client.auth.startAutoRefresh()
  await client.auth.stopAutoRefresh()
  done(await client.auth.refreshSession())
  assert.equal((await client.auth.signOut({ scope: 'local' })).error, null)
  // The first one comes when it comes.
  const events = heard.filter(([event]) => event !== 'INITIAL_SESSION')
  assert.deepEqual(events, [['TOKEN_REFRESHED', user.id], ['SIGNED_OUT', undefined]])
  data.subscription.unsubscribe()
  assert.equal((await client.auth.getUser()).error?.name, 'AuthSessionMissingError')
  await client.auth.dispose()
})

test('ways to sign in that are not there say so', async () => {
  await refused(visitor().auth.signInWithSSO({ domain: 'nowhere.example' }), 'saml_provider_disabled')
  await refused(visitor().auth.signInWithWeb3({ chain: 'ethereum', message: 'm', signature: '0x00' }), 'web3_provider_disabled')
})
