// Forms that somebody signed, by which pages in browsers upload: the AWS SDK, and policies that are signed by hand.

import assert from 'node:assert/strict'
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import * as s3 from '@aws-sdk/client-s3'
import { createPresignedPost } from '@aws-sdk/s3-presigned-post'
import { ANON_KEY, done, owner } from './house.mjs'
import { BUCKET, ENDPOINT, keyOf, of, refused, token } from './s3_house.mjs'

/** Signs a policy by hand, as a program in another language does it. */
function form(key, policy, time = new Date()) {
  const date = time.toISOString().replace(/[-:]|\.\d+/g, '')
  const scope = [date.slice(0, 8), 'auto', 's3', 'aws4_request']
  const fields = { 'x-amz-algorithm': 'AWS4-HMAC-SHA256', 'x-amz-credential': [key.access_key_id, ...scope].join('/'), 'x-amz-date': date }
  const conditions = [...policy.conditions, ...Object.entries(fields).map(([name, value]) => ({ [name]: value }))]
  const encoded = Buffer.from(JSON.stringify({ ...policy, conditions })).toString('base64')
  const signing = scope.reduce((secret, word) => createHmac('sha256', secret).update(word).digest(), `AWS4${key.secret_access_key}`)
  return { ...fields, policy: encoded, 'x-amz-signature': createHmac('sha256', signing).update(encoded).digest('hex') }
}

async function post(bucket, fields, file, name = 'a b.png') {
  const body = new FormData()
  for (const [field, value] of Object.entries(fields)) body.append(field, value)
  if (file !== undefined) body.append('file', new Blob([file]), name)
  const answer = await fetch(`${ENDPOINT}/${bucket}`, { method: 'POST', body, redirect: 'manual' })
  const text = await answer.text()
  return { status: answer.status, text, headers: answer.headers, code: /<Code>(.*)<\/Code>/.exec(text)?.[1], message: /<Message>(.*)<\/Message>/.exec(text)?.[1] }
}

test('a page uploads with a form that was signed', async () => {
  const ann = await owner('ann')
  const aws = of(await keyOf(ann))
  const Key = `${ann.company.id}/inbox/\${filename}`
  const Conditions = [['starts-with', '$Content-Type', 'image/'], ['starts-with', '$success_action_status', ''], ['content-length-range', 3, 300_000]]
  const signed = await createPresignedPost(aws, { Bucket: BUCKET, Key, Conditions, Expires: 60, Fields: { 'x-amz-meta-from': 'page' } })
  assert.equal(signed.url.replace(/\/$/, ''), `${ENDPOINT}/${BUCKET}`)
  const send = (more, file, name) => post(BUCKET, { ...signed.fields, 'Content-Type': 'image/png', ...more }, file, name)
  const bytes = randomBytes(300_000)
  const sent = await send({ success_action_status: '201' }, bytes, 'C:\\photos\\ä b.png')
  const place = { Bucket: BUCKET, Key: `${ann.company.id}/inbox/ä b.png` }
  assert.deepEqual([sent.status, /<Key>(.*)<\/Key>/.exec(sent.text)?.[1]], [201, place.Key], sent.text)
  const got = await aws.send(new s3.GetObjectCommand(place))
  assert.deepEqual(Buffer.from(await got.Body.transformToByteArray()), bytes)
  assert.deepEqual([got.ContentType, got.Metadata, got.ETag], ['image/png', { from: 'page' }, sent.headers.get('etag')])
  assert.equal(sent.headers.get('location'), `${ENDPOINT}/${BUCKET}/${ann.company.id}/inbox/${encodeURIComponent('ä b.png')}`)
  assert.equal((await send({ 'x-ignore-this': 'x' }, 'abc', 'empty.png')).status, 204)
  for (const [more, file, status, code] of [
    [{}, randomBytes(300_001), 413, 'EntityTooLarge'],
    [{}, 'ab', 400, 'EntityTooSmall'],
    [{ 'Content-Type': 'text/html' }, 'abc', 403, 'AccessDenied'],
    [{ 'Content-Type': 'image/png, text/html' }, 'abc', 403, 'AccessDenied'],
    [{ key: `${ann.company.id}/other.png` }, 'abc', 403, 'AccessDenied'],
    [{ 'x-amz-meta-from': 'elsewhere' }, 'abc', 403, 'AccessDenied'],
    [{ 'cache-control': 'max-age=1' }, 'abc', 403, 'AccessDenied'],
    [{ bucket: 'attachments' }, 'abc', 400, 'InvalidArgument'],
    [{ 'X-Amz-Signature': '0'.repeat(64) }, 'abc', 403, 'SignatureDoesNotMatch'],
    [{ Policy: Buffer.from('{}').toString('base64') }, 'abc', 403, 'SignatureDoesNotMatch'],
    [{}, undefined, 400, 'InvalidArgument'],
    [{ Key: 'twice' }, 'abc', 400, 'InvalidArgument'],
    [{ 'x-ignore-much': 'x'.repeat(30_000) }, 'abc', 400, 'MaxPostPreDataLengthExceeded'],
  ]) {
    const refused = await send(more, file, 'refused.png')
    assert.deepEqual([refused.status, refused.code], [status, code], `${JSON.stringify(more).slice(0, 80)}: ${refused.text}`)
  }
  await refused(aws.send(new s3.HeadObjectCommand({ ...place, Key: `${ann.company.id}/inbox/refused.png` })), 'NotFound', 404)
  // Of another bucket than the policy's nothing is taken.
  const elsewhere = Object.fromEntries(Object.entries(signed.fields).filter(([name]) => name !== 'bucket'))
  assert.equal((await post('documents', { ...elsewhere, 'Content-Type': 'image/png' }, 'abc')).code, 'AccessDenied')
  assert.equal((await post(BUCKET, { key: Key }, 'abc')).code, 'AccessDenied')
})

test('a policy ends, names what may come, and lets nobody do more than its signer', async () => {
  const [ann, bob] = [await owner('ann'), await owner('bob')]
  const key = await keyOf(ann)
  const at = (seconds) => new Date(Date.now() + seconds * 1000)
  const folder = `${ann.company.id}/`
  const policy = (conditions = [], expiration = at(60)) => ({
    expiration: expiration.toISOString(),
    conditions: [{ bucket: BUCKET }, ['starts-with', '$key', ''], ...conditions],
  })
  const sum = createHash('sha256').update('hello').digest('base64')
  const redirect = 'https://example.com/done?a=b'
  const spoken = [{ success_action_redirect: redirect }, ['eq', '$x-amz-checksum-sha256', sum]]
  const more = { key: `${folder}a.txt`, success_action_redirect: redirect, 'x-amz-checksum-sha256': sum }
  const sent = await post(BUCKET, { ...form(key, policy(spoken)), ...more }, 'hello')
  assert.equal(sent.status, 303, sent.text)
  const target = new globalThis.URL(sent.headers.get('location'))
  assert.deepEqual([target.host, target.searchParams.get('a'), target.searchParams.get('key')], ['example.com', 'b', `${folder}a.txt`])
  assert.equal((await post(BUCKET, { ...form(key, policy(spoken)), ...more }, 'other')).code, 'BadDigest')
  const plain = (name, conditions, who = key) => post(BUCKET, { ...form(who, policy(conditions)), key: name }, 'hello')
  assert.equal((await plain(`${folder}b.txt`)).status, 204)
  assert.equal((await post(BUCKET, { ...form(key, policy([], at(-1))), key: `${folder}c.txt` }, 'x')).message, 'Invalid according to Policy: Policy expired.')
  assert.equal((await post(BUCKET, { ...form(key, policy(), at(-8 * 86_400)), key: `${folder}c.txt` }, 'x')).code, 'AccessDenied')
  assert.equal((await plain(`${folder}c.txt`, [['like', '$x', 'y']])).code, 'InvalidPolicyDocument')
  const unnamed = { expiration: at(60).toISOString(), conditions: [['starts-with', '$key', '']] }
  assert.equal((await post(BUCKET, { ...form(key, unnamed), key: `${folder}c.txt` }, 'x')).message, 'Invalid according to Policy: Extra input fields: bucket')
  // The signer's rights are those of the upload: another company's folder, no permission, a type that the bucket does not take, a key that ended.
  assert.equal((await plain(`${bob.company.id}/a.txt`)).code, 'AccessDenied')
  assert.equal((await plain(`${folder}a.txt`, [], await keyOf(ann, ['files:read']))).code, 'AccessDenied')
  const invoices = { expiration: at(60).toISOString(), conditions: [{ bucket: 'invoices' }, ['starts-with', '$key', ''], { 'Content-Type': 'text/html' }] }
  const html = { ...form(key, invoices), key: `${folder}a.html`, 'Content-Type': 'text/html' }
  assert.deepEqual([(await post('invoices', html, 'x')).code], ['InvalidMimeType'])
  assert.equal((await plain('', [])).code, 'InvalidArgument')
  assert.equal((await plain(`${folder}../x`)).code, 'InvalidKey')
  const broken = await fetch(`${ENDPOINT}/${BUCKET}`, { method: 'POST', headers: { 'content-type': 'multipart/form-data; boundary=x' }, body: '--x\r\nbroken' })
  assert.match(await broken.text(), /<Code>MalformedPOSTRequest<\/Code>/)
  done(await ann.client.from('api_keys').update({ revoked_at: new Date().toISOString() }).eq('id', key.api_key))
  assert.equal((await plain(`${folder}d.txt`)).code, 'AccessDenied')
  // A session signs with the public key, and its token is a field that the policy names.
  const session = { access_key_id: 'thorbis', secret_access_key: ANON_KEY }
  const held = { 'x-amz-security-token': await token(ann) }
  const own = { ...form(session, policy([held])), ...held, key: `${folder}own.txt` }
  assert.equal((await post(BUCKET, own, 'hello')).status, 204)
  assert.equal((await post(BUCKET, { ...own, 'x-amz-security-token': await token(bob) }, 'hello')).code, 'AccessDenied')
})
