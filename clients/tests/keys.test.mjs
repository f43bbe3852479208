// Security keys and passkeys with the official client, and a device in software: what a browser would hand it, and what it hands back.

import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { test } from 'node:test'
import { PASSWORD, claims, done, person, service, visitor } from './house.mjs'

const sha256 = (bytes) => createHash('sha256').update(bytes).digest()
const text = (bytes) => Buffer.from(bytes).toString('base64url')
const refused = async (answer, code) => assert.equal((await answer).error?.code, code)

/** A device with one key for a page. */
class Device {
  constructor(origin = 'http://localhost:3000') {
    this.origin = origin
    this.pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.id = randomBytes(32)
    this.counter = 0
  }

  #data(domain, flags) {
    const counter = Buffer.alloc(4)
    counter.writeUInt32BE(this.counter)
    return Buffer.concat([sha256(domain), Buffer.from([flags]), counter])
  }

  #client(type, challenge) {
    const said = { type, challenge: typeof challenge === 'string' ? challenge : text(challenge), origin: this.origin }
    return Buffer.from(JSON.stringify(said))
  }

  #answer(response) {
    const json = { id: text(this.id), rawId: text(this.id), type: 'public-key', response, clientExtensionResults: {} }
    // What clients make of the browser's object.
    return { ...json, toJSON: () => json }
  }

  create({ rp, user, challenge }) {
    this.handle = typeof user.id === 'string' ? user.id : text(user.id)
    const { x, y } = this.pair.publicKey.export({ format: 'jwk' })
    const key = ['a5010203262001215820', Buffer.from(x, 'base64url').toString('hex'), '225820', Buffer.from(y, 'base64url').toString('hex')]
    const data = Buffer.concat([
      this.#data(rp.id, 0x45),
      Buffer.alloc(16),
      Buffer.from([0, this.id.length]),
      this.id,
      Buffer.from(key.join(''), 'hex'),
    ])
    // CBOR: {"fmt": "none", "attStmt": {}, "authData": the data}
    const head = Buffer.from('\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58', 'latin1')
    const object = Buffer.concat([head, Buffer.from([data.length]), data])
    return this.#answer({ attestationObject: text(object), clientDataJSON: text(this.#client('webauthn.create', challenge)) })
  }

  get({ rpId, challenge }) {
    this.counter += 1
    const data = this.#data(rpId, 0x05)
    const client = this.#client('webauthn.get', challenge)
    const signature = sign('sha256', Buffer.concat([data, sha256(client)]), this.pair.privateKey)
    return this.#answer({
      authenticatorData: text(data),
      clientDataJSON: text(client),
      signature: text(signature),
      userHandle: this.handle,
    })
  }
}

const page = { rpId: 'localhost', rpOrigins: ['http://localhost:3000'] }

/** Asks a key and hands the answer back. */
async function prove(client, factorId, device) {
  const { id, webauthn } = done(await client.auth.mfa.challenge({ factorId, webauthn: page }))
  const { publicKey } = webauthn.credential_options
  const credential_response = webauthn.type === 'create' ? device.create(publicKey) : device.get(publicKey)
  return client.auth.mfa.verify({ factorId, challengeId: id, webauthn: { ...page, type: webauthn.type, credential_response } })
}

test('a security key as a second factor', async () => {
  const { client, email } = await person('ann')
  const factor = done(await client.auth.mfa.webauthn.enroll({ friendlyName: 'Key' }))
  assert.deepEqual([factor.type, factor.friendly_name], ['webauthn', 'Key'])
  const device = new Device()
  await refused(prove(client, factor.id, new Device('https://evil.example')), 'mfa_verification_failed')
  done(await prove(client, factor.id, device))
  assert.equal(done(await client.auth.mfa.getAuthenticatorAssuranceLevel()).currentLevel, 'aal2')
  const { webauthn, totp } = done(await client.auth.mfa.listFactors())
  assert.deepEqual([webauthn.map(({ id, status }) => [id, status]), totp], [[[factor.id, 'verified']], []])

  const other = visitor()
  done(await other.auth.signInWithPassword({ email, password: PASSWORD }))
  await refused(other.auth.mfa.unenroll({ factorId: factor.id }), 'insufficient_aal')
  await refused(prove(other, factor.id, Object.assign(new Device(), { id: device.id })), 'mfa_verification_failed')
  done(await prove(other, factor.id, device))
  assert.deepEqual(claims(done(await other.auth.getSession()).session).amr.map(({ method }) => method), ['mfa/webauthn', 'password'])
  assert.equal(done(await other.auth.mfa.unenroll({ factorId: factor.id })).id, factor.id)
})

test('a passkey, from the first day to the last', async () => {
  const { client, user } = await person('ben')
  const device = new Device()
  const begun = done(await client.auth.passkey.startRegistration())
  assert.equal(begun.options.authenticatorSelection.residentKey, 'required')
  const credential = device.create(begun.options).toJSON()
  const passkey = done(await client.auth.passkey.verifyRegistration({ challengeId: begun.challenge_id, credential }))
  await refused(client.auth.passkey.verifyRegistration({ challengeId: begun.challenge_id, credential }), 'webauthn_challenge_not_found')
  assert.deepEqual(done(await client.auth.passkey.list()), [{ id: passkey.id, created_at: passkey.created_at }])

  const signIn = async (one, with_ = device) => {
    const { challenge_id, options } = done(await one.auth.passkey.startAuthentication())
    assert.equal(options.allowCredentials, undefined)
    return one.auth.passkey.verifyAuthentication({ challengeId: challenge_id, credential: with_.get(options).toJSON() })
  }
  const other = visitor()
  const { session } = done(await signIn(other))
  assert.deepEqual([session.user.id, claims(session).aal, claims(session).amr[0].method], [user.id, 'aal1', 'passkey'])
  assert.equal(done(await other.auth.getUser()).user.id, user.id)
  await refused(signIn(visitor(), Object.assign(new Device(), { id: device.id, handle: device.handle })), 'webauthn_verification_failed')

  const renamed = done(await other.auth.passkey.update({ passkeyId: passkey.id, friendlyName: 'Phone' }))
  assert.deepEqual([renamed.friendly_name, typeof renamed.last_used_at], ['Phone', 'string'])
  const stranger = await person('eve')
  await refused(stranger.client.auth.passkey.delete({ passkeyId: passkey.id }), 'validation_failed')
  const admin = service().auth.admin.passkey
  assert.deepEqual(done(await admin.listPasskeys({ userId: user.id })).map(({ id }) => id), [passkey.id])
  done(await admin.deletePasskey({ userId: user.id, passkeyId: passkey.id }))
  await refused(signIn(visitor()), 'webauthn_verification_failed')
  const again = done(await client.auth.passkey.startRegistration())
  const fresh = device.create(again.options).toJSON()
  const { id } = done(await client.auth.passkey.verifyRegistration({ challengeId: again.challenge_id, credential: fresh }))
  done(await client.auth.passkey.delete({ passkeyId: id }))
  assert.deepEqual(done(await client.auth.passkey.list()), [])
})

/** Does something in a page of a browser that has this device. */
async function inBrowser(device, act) {
  class PublicKeyCredential {}
  const made = (answer) => Object.assign(Object.create(PublicKeyCredential.prototype), answer)
  const credentials = {
    create: async ({ publicKey }) => made(device.create(publicKey)),
    get: async ({ publicKey }) => made(device.get(publicKey)),
  }
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator')
  Object.defineProperty(globalThis, 'navigator', { value: { credentials }, configurable: true })
  const location = { hostname: 'localhost', origin: 'http://localhost:3000' }
  Object.assign(globalThis, { window: { PublicKeyCredential, location }, document: {}, PublicKeyCredential })
  try {
    return await act()
  } finally {
    Object.defineProperty(globalThis, 'navigator', before)
    for (const name of ['window', 'document', 'PublicKeyCredential']) delete globalThis[name]
  }
}

test('the whole ceremonies, as a page in a browser calls them', async () => {
  const { client, user, email } = await person('gus')
  const [second, third] = [visitor(), visitor()]
  const level = async (one) => done(await one.auth.mfa.getAuthenticatorAssuranceLevel()).currentLevel
  await inBrowser(new Device(), async () => {
    done(await client.auth.mfa.webauthn.register({ friendlyName: 'Key', webauthn: page }))
    assert.equal(await level(client), 'aal2')
    done(await second.auth.signInWithPassword({ email, password: PASSWORD }))
    const [factor] = done(await second.auth.mfa.listFactors()).webauthn
    done(await second.auth.mfa.webauthn.authenticate({ factorId: factor.id, webauthn: page }))
    assert.equal(await level(second), 'aal2')
    // The two halves of it, each by itself.
    const asked = done(await second.auth.mfa.webauthn.challenge({ factorId: factor.id, webauthn: page }))
    const { type, credential_response } = asked.webauthn
    const answer = { factorId: factor.id, challengeId: asked.challengeId, webauthn: { ...page, type, credential_response } }
    done(await second.auth.mfa.webauthn.verify(answer))
  })
  await inBrowser(new Device(), async () => {
    const { id } = done(await client.auth.registerPasskey())
    assert.equal(typeof id, 'string')
    assert.equal(done(await third.auth.signInWithPasskey()).session.user.id, user.id)
  })
})
