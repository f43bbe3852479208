// Second factors with the official client: enrol, prove, list, lose and recover.

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { createClient } from '@supabase/supabase-js'
import { ANON_KEY, PASSWORD, URL, done, person, service } from './house.mjs'

/** What an authenticator app shows for a secret, some steps of 30 seconds from now. */
function code(secret, steps = 0) {
  const bits = [...secret].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('')
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000) + steps))
  const digest = createHmac('sha1', key).update(counter).digest()
  const number = digest.readUInt32BE(digest[19] & 15) & 0x7fffffff
  return String(number % 1_000_000).padStart(6, '0')
}

const refused = async (answer, code) => assert.equal((await answer).error?.code, code)

test('an authenticator app, from the first code to its loss', async () => {
  const { client, email } = await person('ann')
  const levels = async (one) => {
    const { currentLevel, nextLevel } = done(await one.auth.mfa.getAuthenticatorAssuranceLevel())
    return [currentLevel, nextLevel]
  }
  assert.deepEqual(await levels(client), ['aal1', 'aal1'])
  const factor = done(await client.auth.mfa.enroll({ factorType: 'totp', friendlyName: 'Phone', issuer: 'Shop' }))
  assert.deepEqual([factor.type, factor.friendly_name], ['totp', 'Phone'])
  // A page shows the address as it is: nothing in it ends it.
  assert.match(factor.totp.qr_code, /^data:image\/svg\+xml;utf-8,<\?xml[^#]*<\/svg>$/)
  await refused(client.auth.mfa.enroll({ factorType: 'totp', friendlyName: 'Phone' }), 'mfa_factor_name_conflict')
  await refused(client.auth.mfa.enroll({ factorType: 'phone', phone: '+15550100123' }), 'mfa_phone_enroll_not_enabled')

  const challenge = done(await client.auth.mfa.challenge({ factorId: factor.id }))
  assert.deepEqual([challenge.type, typeof challenge.expires_at], ['totp', 'number'])
  await refused(client.auth.mfa.verify({ factorId: factor.id, challengeId: challenge.id, code: 'abcdef' }), 'mfa_verification_failed')
  const right = code(factor.totp.secret)
  done(await client.auth.mfa.verify({ factorId: factor.id, challengeId: challenge.id, code: right }))
  assert.deepEqual(await levels(client), ['aal2', 'aal2'])
  const { totp, all } = done(await client.auth.mfa.listFactors())
  assert.deepEqual([totp.length, all.length, totp[0].id, totp[0].status], [1, 1, factor.id, 'verified'])
  await refused(client.auth.mfa.challengeAndVerify({ factorId: factor.id, code: right }), 'mfa_verification_failed')

  // The password alone is not enough any more; the next code is.
  const experimental = { persistSession: false, autoRefreshToken: false, experimental: { recoveryCodes: true } }
  const other = createClient(URL, ANON_KEY, { auth: experimental })
  done(await other.auth.signInWithPassword({ email, password: PASSWORD }))
  assert.deepEqual(await levels(other), ['aal1', 'aal2'])
  await refused(other.auth.mfa.unenroll({ factorId: factor.id }), 'insufficient_aal')
  await refused(other.auth.mfa.recoveryCodes.generate(), 'insufficient_aal')
  done(await other.auth.mfa.challengeAndVerify({ factorId: factor.id, code: code(factor.totp.secret, 1) }))

  const codes = done(await other.auth.mfa.recoveryCodes.generate({ friendlyName: 'Paper' }))
  assert.deepEqual([codes.type, codes.friendly_name, codes.total, codes.codes.length], ['recovery_code', 'Paper', 10, 10])
  const third = createClient(URL, ANON_KEY, { auth: experimental })
  done(await third.auth.signInWithPassword({ email, password: PASSWORD }))
  done(await third.auth.mfa.recoveryCodes.verify({ code: codes.codes[0].match(/.{4}/g).join('-').toUpperCase() }))
  assert.deepEqual(await levels(third), ['aal2', 'aal2'])
  await refused(third.auth.mfa.recoveryCodes.verify({ code: codes.codes[0] }), 'mfa_verification_failed')
  const { total, remaining } = done(await third.auth.mfa.recoveryCodes.getStatus())
  assert.deepEqual([total, remaining], [10, 9])
  const fresh = done(await third.auth.mfa.recoveryCodes.regenerate())
  assert.deepEqual([fresh.id, fresh.codes.includes(codes.codes[1])], [codes.id, false])
  // What a session was raised by is gone: it is as sure as its password. The other one was raised by the app.
  done(await third.auth.mfa.recoveryCodes.unenroll())
  await refused(third.auth.mfa.unenroll({ factorId: factor.id }), 'insufficient_aal')
  assert.equal(done(await other.auth.mfa.unenroll({ factorId: factor.id })).id, factor.id)
  assert.deepEqual(done(await other.auth.mfa.listFactors()).all, [])
})

test('the service key removes the factor of somebody who lost it', async () => {
  const { client, user } = await person('ben')
  const factor = done(await client.auth.mfa.enroll({ factorType: 'totp' }))
  done(await client.auth.mfa.challengeAndVerify({ factorId: factor.id, code: code(factor.totp.secret) }))
  const admin = service().auth.admin.mfa
  const { factors } = done(await admin.listFactors({ userId: user.id }))
  assert.deepEqual(factors.map(({ id, status }) => [id, status]), [[factor.id, 'verified']])
  // This method of the client wraps the answer twice.
  assert.equal(done(await admin.deleteFactor({ userId: user.id, id: factor.id })).data.id, factor.id)
  assert.deepEqual(done(await admin.listFactors({ userId: user.id })).factors, [])
  await refused(client.auth.mfa.unenroll({ factorId: factor.id }), 'mfa_factor_not_found')
})
