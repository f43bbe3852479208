// What programs of S3 begin with: keys to sign with, a client that signs, refusals by their codes.

import assert from 'node:assert/strict'
import * as s3 from '@aws-sdk/client-s3'
import { URL, call, done } from './house.mjs'

export const ENDPOINT = `${URL}/storage/v1/s3`
export const BUCKET = 'company-files'
const PERMISSIONS = ['files:read', 'files:create', 'files:update', 'files:delete']

export const token = async ({ client }) => done(await client.auth.getSession()).session.access_token

/** A key to sign with that somebody makes for a program. */
export async function keyOf(one, permissions = PERMISSIONS) {
  const asked = { token: await token(one) }
  const made = await call('POST', '/auth/v1/api-keys', { ...asked, body: { name: 'Backup', permissions } })
  assert.equal(made.status, 201, made.text)
  const key = await call('POST', '/api/v1/s3-keys', { ...asked, body: { api_key_id: made.body.id } })
  assert.equal(key.status, 201, key.text)
  return { ...key.body.data, api_key: made.body.id }
}

export function client(credentials) {
  return new s3.S3Client({ endpoint: ENDPOINT, region: 'auto', forcePathStyle: true, credentials, maxAttempts: 1 })
}

export const of = (key) => client({ accessKeyId: key.access_key_id, secretAccessKey: key.secret_access_key })
export const refused = (work, code, status) =>
  assert.rejects(work, (error) => {
    assert.deepEqual([error.name, error.$metadata?.httpStatusCode], [code, status], String(error))
    return true
  })
