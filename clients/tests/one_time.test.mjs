// Links and codes by mail and SMS, asked for with the official client and read back from the mailbox of a development server.

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { test } from 'node:test'
import { PASSWORD, URL, address, call, claims, done, message, person, service, visitor } from './house.mjs'

const number = () => `+1555${randomInt(1_000_000, 9_999_999)}`

test('a code by mail signs somebody up, and later in', async () => {
  const client = visitor()
  const email = address('ann')
  const asked = await client.auth.signInWithOtp({ email, options: { data: { name: 'Ann' } } })
  assert.deepEqual([asked.error, asked.data], [null, { user: null, session: null }])
  const { code } = await message(email)
  const wrong = await client.auth.verifyOtp({ email, token: code === '000000' ? '000001' : '000000', type: 'email' })
  assert.deepEqual([wrong.error.status, wrong.error.code], [403, 'otp_expired'])
  const { user, session } = done(await client.auth.verifyOtp({ email, token: code, type: 'email' }))
  assert.deepEqual([user.email, user.user_metadata.name, claims(session).amr[0].method], [email, 'Ann', 'otp'])
  assert.equal(done(await client.auth.getUser()).user.id, user.id)
  const soon = await visitor().auth.signInWithOtp({ email })
  assert.deepEqual([soon.error.status, soon.error.code], [429, 'over_email_send_rate_limit'])
  const nobody = await visitor().auth.signInWithOtp({ email: address('nobody'), options: { shouldCreateUser: false } })
  assert.deepEqual([nobody.error.status, nobody.error.code, nobody.error.message], [422, 'otp_disabled', 'Signups not allowed for otp'])
})

test('a link by mail carries a session, once', async () => {
  const email = address('ann')
  done(await visitor().auth.signInWithOtp({ email, options: { emailRedirectTo: `${URL}/welcome` } }))
  const { link } = await message(email)
  const first = await fetch(link, { redirect: 'manual' })
  assert.equal(first.status, 303)
  const [page, fragment] = first.headers.get('location').split('#')
  assert.equal(page, `${URL}/welcome`)
  const values = new URLSearchParams(fragment)
  assert.deepEqual([values.get('type'), values.get('token_type')], ['magiclink', 'bearer'])
  const client = visitor()
  const tokens = { access_token: values.get('access_token'), refresh_token: values.get('refresh_token') }
  assert.equal(done(await client.auth.setSession(tokens)).user.email, email)
  assert.ok(done(await client.auth.refreshSession()).session)
  const second = await fetch(link, { redirect: 'manual' })
  assert.equal(new URLSearchParams(second.headers.get('location').split('#')[1]).get('error_code'), 'otp_expired')
})

test('a forgotten password is chosen anew', async () => {
  const { email } = await person('ann')
  const client = visitor()
  done(await client.auth.resetPasswordForEmail(email, { redirectTo: 'https://evil.example/' }))
  const { token, link } = await message(email)
  assert.equal(new globalThis.URL(link).searchParams.get('redirect_to'), `${URL}/`)
  done(await client.auth.verifyOtp({ token_hash: token, type: 'recovery' }))
  done(await client.auth.updateUser({ password: 'another good password' }))
  const old = await visitor().auth.signInWithPassword({ email, password: PASSWORD })
  assert.equal(old.error.code, 'invalid_credentials')
  done(await visitor().auth.signInWithPassword({ email, password: 'another good password' }))
  assert.equal((await visitor().auth.resetPasswordForEmail(address('nobody'))).error, null)
})

test('a code by SMS signs somebody up, and a number is added to an account', async () => {
  const client = visitor()
  const phone = number()
  done(await client.auth.signInWithOtp({ phone }))
  const { code } = await message(phone)
  const { user } = done(await client.auth.verifyOtp({ phone, token: code, type: 'sms' }))
  assert.equal(user.phone, phone.slice(1))
  const bad = await client.auth.signInWithOtp({ phone: 'invalid' })
  assert.deepEqual([bad.error.status, bad.error.message], [400, 'Invalid phone number format (E.164 required)'])

  const { client: ann } = await person('ann')
  const other = number()
  assert.equal(done(await ann.auth.updateUser({ phone: other })).user.new_phone, other.slice(1))
  const added = await message(other)
  assert.equal(done(await ann.auth.verifyOtp({ phone: other, token: added.code, type: 'phone_change' })).user.phone, other.slice(1))
  const again = await ann.auth.resend({ phone, type: 'sms' })
  assert.deepEqual([again.error.status, again.error.code], [429, 'over_sms_send_rate_limit'])
})

test('somebody proves that he is still there', async () => {
  const { client, email } = await person('ann')
  assert.equal((await client.auth.reauthenticate()).error, null)
  const { code } = await message(email)
  done(await client.auth.updateUser({ password: 'another good password', nonce: code }))
})

test('the operator invites, and generates links', async () => {
  const admin = service().auth.admin
  const email = address('ben')
  const { user } = done(await admin.inviteUserByEmail(email, { data: { name: 'Ben' } }))
  assert.ok(user.invited_at)
  const { token } = await message(email)
  assert.equal(done(await visitor().auth.verifyOtp({ token_hash: token, type: 'invite' })).user.id, user.id)

  const signup = address('cid')
  const made = done(await admin.generateLink({ type: 'signup', email: signup, password: PASSWORD, options: { data: { a: 1 } } }))
  assert.deepEqual([made.user.email, made.user.user_metadata, made.properties.verification_type], [signup, { a: 1 }, 'signup'])
  const link = new globalThis.URL(made.properties.action_link)
  assert.equal(link.searchParams.get('token'), made.properties.hashed_token)
  const session = done(await visitor().auth.verifyOtp({ email: signup, token: made.properties.email_otp, type: 'signup' })).session
  assert.ok(session)
  const changed = address('lee')
  const change = { email: signup, newEmail: changed }
  const [old, fresh] = [
    done(await admin.generateLink({ type: 'email_change_current', ...change })).properties,
    done(await admin.generateLink({ type: 'email_change_new', ...change })).properties,
  ]
  const client = visitor()
  const first = await client.auth.verifyOtp({ token_hash: fresh.hashed_token, type: 'email_change' })
  // Where addresses are not confirmed, one of both is enough.
  assert.equal(done(first).user.email, changed)
  const second = await client.auth.verifyOtp({ token_hash: old.hashed_token, type: 'email_change' })
  assert.deepEqual([second.error.status, second.error.code], [403, 'otp_expired'])
  const missing = await admin.generateLink({ type: 'recovery', email: address('nobody') })
  assert.deepEqual([missing.error.status, missing.error.code], [404, 'user_not_found'])
})

test('the mailbox is the operator’s alone', async () => {
  const { session } = await person('eve')
  for (const options of [{}, { token: session.access_token }]) {
    const { status, text } = await call('GET', '/mailbox/api/v1/messages', options)
    assert.ok(status === 401 || status === 403, text)
  }
})
