// Programs of S3 against the same buckets: the AWS SDK for JavaScript, and rclone where it is installed.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { promisify } from 'node:util'
import * as s3 from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { ANON_KEY, call, done, member, owner } from './house.mjs'
import { BUCKET, ENDPOINT, client, keyOf, of, refused, token } from './s3_house.mjs'

const run = promisify(execFile)

test('the AWS SDK writes, reads, lists, copies and deletes', async () => {
  const ann = await owner('ann')
  const aws = of(await keyOf(ann))
  const place = (name) => ({ Bucket: BUCKET, Key: `${ann.company.id}/${name}` })
  const buckets = await aws.send(new s3.ListBucketsCommand({}))
  assert.ok(buckets.Buckets.some(({ Name, CreationDate }) => Name === BUCKET && CreationDate instanceof Date))
  await aws.send(new s3.HeadBucketCommand({ Bucket: BUCKET }))

  const put = { ...place('jobs/a & b.txt'), Body: 'hello world', ContentType: 'text/plain', Metadata: { who: 'ann' } }
  const { ETag } = await aws.send(new s3.PutObjectCommand(put))
  const got = await aws.send(new s3.GetObjectCommand(place('jobs/a & b.txt')))
  assert.deepEqual([await got.Body.transformToString(), got.ContentType, got.Metadata, got.ETag], ['hello world', 'text/plain', { who: 'ann' }, ETag])
  const part = await aws.send(new s3.GetObjectCommand({ ...place('jobs/a & b.txt'), Range: 'bytes=6-' }))
  assert.deepEqual([await part.Body.transformToString(), part.ContentRange], ['world', 'bytes 6-10/11'])
  const head = await aws.send(new s3.HeadObjectCommand(place('jobs/a & b.txt')))
  assert.equal(head.ContentLength, 11)
  // Again in its place, as a stream in signed chunks or with a sum behind it, and what official clients see of it.
  const bytes = randomBytes(300_000)
  const stream = { ...place('jobs/a & b.txt'), Body: Readable.from([bytes.subarray(0, 70_000), bytes.subarray(70_000)]), ContentLength: bytes.length }
  await aws.send(new s3.PutObjectCommand(stream))
  const seen = done(await ann.client.storage.from(BUCKET).download(`${ann.company.id}/jobs/a & b.txt`))
  assert.deepEqual(Buffer.from(await seen.arrayBuffer()), bytes)
  await aws.send(new s3.PutObjectCommand({ ...place('sums.txt'), Body: 'x', ChecksumAlgorithm: 'SHA256' }))
  await aws.send(new s3.PutObjectCommand({ ...place('sums64.txt'), Body: 'x', ChecksumAlgorithm: 'CRC32C' }))

  await aws.send(new s3.CopyObjectCommand({ ...place('copy.txt'), CopySource: encodeURI(`${BUCKET}/${ann.company.id}/sums.txt`) }))
  for (let n = 0; n < 5; n += 1) await aws.send(new s3.PutObjectCommand({ ...place(`many/${n}.txt`), Body: String(n) }))
  const keys = []
  for await (const page of s3.paginateListObjectsV2({ client: aws, pageSize: 2 }, { Bucket: BUCKET, Prefix: `${ann.company.id}/` })) {
    keys.push(...page.Contents.map(({ Key }) => Key.slice(37)))
  }
  assert.deepEqual(keys, ['copy.txt', 'jobs/a & b.txt', 'many/0.txt', 'many/1.txt', 'many/2.txt', 'many/3.txt', 'many/4.txt', 'sums.txt', 'sums64.txt'])
  const folder = await aws.send(new s3.ListObjectsV2Command({ Bucket: BUCKET, Prefix: `${ann.company.id}/`, Delimiter: '/' }))
  assert.deepEqual(folder.CommonPrefixes.map(({ Prefix }) => Prefix.slice(37)), ['jobs/', 'many/'])
  assert.equal(folder.KeyCount, 5)
  const first = await aws.send(new s3.ListObjectsCommand({ Bucket: BUCKET, Prefix: `${ann.company.id}/many/`, MaxKeys: 3 }))
  assert.deepEqual([first.Contents.length, first.IsTruncated, first.Contents[0].Size], [3, true, 1])
  const next = await aws.send(new s3.ListObjectsCommand({ Bucket: BUCKET, Prefix: `${ann.company.id}/many/`, Marker: first.Contents[2].Key }))
  assert.deepEqual(next.Contents.map(({ Key }) => Key.slice(-5)), ['3.txt', '4.txt'])

  const Objects = [0, 1, 9].map((n) => ({ Key: `${ann.company.id}/many/${n}.txt` }))
  const gone = await aws.send(new s3.DeleteObjectsCommand({ Bucket: BUCKET, Delete: { Objects } }))
  assert.deepEqual([gone.Deleted.length, gone.Errors], [3, undefined])
  await aws.send(new s3.DeleteObjectCommand(place('many/2.txt')))
  await refused(aws.send(new s3.GetObjectCommand(place('many/2.txt'))), 'NoSuchKey', 404)
  // What is said of another version does not fall on the object that there is.
  const named = [{ Key: `${ann.company.id}/many/3.txt`, VersionId: 'v1' }, { Key: `${ann.company.id}/many/4.txt`, VersionId: 'null' }]
  const some = await aws.send(new s3.DeleteObjectsCommand({ Bucket: BUCKET, Delete: { Objects: named } }))
  assert.deepEqual([some.Deleted.map(({ Key }) => Key), some.Errors.map(({ Key, Code }) => [Key, Code])], [[named[1].Key], [[named[0].Key, 'NotImplemented']]])
  assert.equal((await aws.send(new s3.HeadObjectCommand(place('many/3.txt')))).ContentLength, 1)
  await refused(aws.send(new s3.HeadObjectCommand(place('many/2.txt'))), 'NotFound', 404)
  await refused(aws.send(new s3.ListObjectsV2Command({ Bucket: 'no-such-bucket' })), 'NoSuchBucket', 404)
  await refused(aws.send(new s3.GetBucketPolicyCommand({ Bucket: BUCKET })), 'NotImplemented', 501)
})

test('what the AWS SDK asks beside that is answered as elsewhere', async () => {
  const ann = await owner('ann')
  const aws = of(await keyOf(ann))
  const place = (name) => ({ Bucket: BUCKET, Key: `${ann.company.id}/${name}` })
  const bucket = await aws.send(new s3.HeadBucketCommand({ Bucket: BUCKET }))
  assert.equal(bucket.BucketRegion, 'auto')
  assert.equal((await aws.send(new s3.GetBucketLocationCommand({ Bucket: BUCKET }))).LocationConstraint, 'auto')
  assert.equal((await aws.send(new s3.GetBucketVersioningCommand({ Bucket: BUCKET }))).Status, 'Suspended')

  // An empty folder is held open by what official clients put there.
  const folder = await aws.send(new s3.PutObjectCommand(place('empty/')))
  assert.match(folder.ETag, /^"[0-9a-f]{32}-1"$/)
  const held = done(await ann.client.storage.from(BUCKET).list(`${ann.company.id}/empty`))
  assert.deepEqual(held.map(({ name }) => name), ['.emptyFolderPlaceholder'])
  await refused(aws.send(new s3.PutObjectCommand({ ...place('full/'), Body: 'x' })), 'InvalidKey', 400)
  // By the name under which it was put it is there, and goes.
  assert.equal((await aws.send(new s3.HeadObjectCommand(place('empty/')))).ContentLength, 0)
  assert.equal(await (await aws.send(new s3.GetObjectCommand(place('empty/')))).Body.transformToString(), '')
  await aws.send(new s3.DeleteObjectCommand(place('empty/')))
  await refused(aws.send(new s3.HeadObjectCommand(place('empty/'))), 'NotFound', 404)
  await aws.send(new s3.PutObjectCommand(place('empty/')))
  const emptied = await aws.send(new s3.DeleteObjectsCommand({ Bucket: BUCKET, Delete: { Objects: [{ Key: place('empty/').Key }] } }))
  assert.deepEqual(emptied.Deleted.map(({ Key }) => Key), [place('empty/').Key])
  await refused(aws.send(new s3.GetObjectCommand(place('empty/'))), 'NoSuchKey', 404)
  // Nobody is told that everybody may write.
  await refused(aws.send(new s3.PutObjectCommand({ ...place('open.txt'), Body: 'x', ACL: 'public-read-write' })), 'AccessControlListNotSupported', 400)
  await refused(aws.send(new s3.CreateBucketCommand({ Bucket: 'open-to-all', ACL: 'public-read-write' })), 'AccessControlListNotSupported', 400)

  const put = await aws.send(new s3.PutObjectCommand({ ...place('a.txt'), Body: 'hello', ContentType: 'text/plain', Metadata: { a: '1' } }))
  const CopySource = `${BUCKET}/${ann.company.id}/a.txt`
  const other = { MetadataDirective: 'REPLACE', ContentType: 'text/csv', CacheControl: 'max-age=9', Metadata: { b: '2' } }
  await aws.send(new s3.CopyObjectCommand({ ...place('b.csv'), CopySource, ...other, CopySourceIfMatch: put.ETag }))
  const copied = await aws.send(new s3.HeadObjectCommand(place('b.csv')))
  assert.deepEqual([copied.ContentType, copied.CacheControl, copied.Metadata], ['text/csv', 'private, max-age=9', { b: '2' }])
  for (const unmet of [
    { CopySourceIfMatch: '"x"' },
    { CopySourceIfNoneMatch: put.ETag },
    { CopySourceIfModifiedSince: new Date('2100-01-01') },
    { CopySourceIfUnmodifiedSince: new Date('2000-01-01') },
  ]) {
    await refused(aws.send(new s3.CopyObjectCommand({ ...place('c.txt'), CopySource, ...unmet })), 'PreconditionFailed', 412)
    const { UploadId } = await aws.send(new s3.CreateMultipartUploadCommand(place('c.txt')))
    const part = { ...place('c.txt'), UploadId, PartNumber: 1, CopySource }
    await refused(aws.send(new s3.UploadPartCopyCommand({ ...part, ...unmet })), 'PreconditionFailed', 412)
    await aws.send(new s3.AbortMultipartUploadCommand({ ...place('c.txt'), UploadId }))
  }

  const said = { ResponseContentType: 'text/html', ResponseContentDisposition: 'attachment; filename="x.txt"', ResponseCacheControl: 'no-store' }
  const get = await getSignedUrl(aws, new s3.GetObjectCommand({ ...place('a.txt'), ...said, ResponseContentLanguage: 'de' }), { expiresIn: 60 })
  const { headers } = await fetch(get)
  const names = ['content-type', 'content-disposition', 'cache-control', 'content-language', 'content-security-policy']
  const sandbox = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
  assert.deepEqual(names.map((name) => headers.get(name)), ['text/html', 'attachment; filename="x.txt"', 'no-store', 'de', sandbox])
  const broken = new s3.GetObjectCommand({ ...place('a.txt'), ResponseContentType: 'text/plain\r\nx-evil: 1' })
  assert.equal((await fetch(await getSignedUrl(aws, broken, { expiresIn: 60 }))).status, 400)

  const page = await aws.send(new s3.ListObjectsV2Command({ Bucket: BUCKET, StartAfter: `${ann.company.id}/a.txt`, MaxKeys: 1 }))
  assert.deepEqual([page.StartAfter, page.Contents.length], [`${ann.company.id}/a.txt`, 1])
  const next = await aws.send(new s3.ListObjectsV2Command({ Bucket: BUCKET, ContinuationToken: page.NextContinuationToken }))
  assert.equal(next.ContinuationToken, page.NextContinuationToken)
  await refused(aws.send(new s3.DeleteObjectCommand({ Bucket: 'no-such-bucket', Key: 'a' })), 'NoSuchBucket', 404)
})

test('an upload in parts is put together in order', async () => {
  const ann = await owner('ann')
  const aws = of(await keyOf(ann))
  const place = { Bucket: BUCKET, Key: `${ann.company.id}/film.bin` }
  const [one, two] = [randomBytes(400_000), randomBytes(100_000)]
  const { UploadId } = await aws.send(new s3.CreateMultipartUploadCommand({ ...place, ContentType: 'video/mp4' }))
  const send = (PartNumber, Body) => aws.send(new s3.UploadPartCommand({ ...place, UploadId, PartNumber, Body }))
  const second = await send(2, two)
  await send(1, two)
  const first = await send(1, one)
  const listed = await aws.send(new s3.ListPartsCommand({ ...place, UploadId }))
  assert.deepEqual(listed.Parts.map(({ PartNumber, Size }) => [PartNumber, Size]), [[1, 400_000], [2, 100_000]])
  const complete = (Parts) => aws.send(new s3.CompleteMultipartUploadCommand({ ...place, UploadId, MultipartUpload: { Parts } }))
  const [partOne, partTwo] = [{ PartNumber: 1, ETag: first.ETag }, { PartNumber: 2, ETag: second.ETag }]
  await refused(complete([partTwo, partOne]), 'InvalidPartOrder', 400)
  await refused(complete([partOne, { ...partTwo, ETag: first.ETag }]), 'InvalidPart', 400)
  const whole = await complete([partOne, partTwo])
  assert.match(whole.ETag, /^"[0-9a-f]{32}-2"$/)
  const got = await aws.send(new s3.GetObjectCommand(place))
  assert.deepEqual(Buffer.from(await got.Body.transformToByteArray()), Buffer.concat([one, two]))
  assert.deepEqual([got.ContentType, got.ETag], ['video/mp4', whole.ETag])
  const begun = await aws.send(new s3.CreateMultipartUploadCommand(place))
  const uploads = await aws.send(new s3.ListMultipartUploadsCommand({ Bucket: BUCKET }))
  assert.deepEqual(uploads.Uploads.map(({ UploadId }) => UploadId), [begun.UploadId])
  await aws.send(new s3.AbortMultipartUploadCommand({ ...place, UploadId: begun.UploadId }))
  await refused(aws.send(new s3.ListPartsCommand({ ...place, UploadId: begun.UploadId })), 'NoSuchUpload', 404)
})

test('what an upload in parts is completed with is there, in its order', async () => {
  const ann = await owner('ann')
  const aws = of(await keyOf(ann))
  const place = { Bucket: BUCKET, Key: `${ann.company.id}/ä b.bin` }
  const { UploadId } = await aws.send(new s3.CreateMultipartUploadCommand(place))
  const { ETag } = await aws.send(new s3.UploadPartCommand({ ...place, UploadId, PartNumber: 2, Body: 'hello' }))
  const address = await getSignedUrl(aws, new s3.CompleteMultipartUploadCommand({ ...place, UploadId }), { expiresIn: 60 })
  const complete = async (body) => {
    const answer = await fetch(address, { method: 'POST', body })
    const text = await answer.text()
    return { status: answer.status, text, code: /<Code>(.*)<\/Code>/.exec(text)?.[1] }
  }
  const list = (...parts) => `<CompleteMultipartUpload>${parts.map(([n, tag]) => `<Part><PartNumber>${n}</PartNumber><ETag>${tag}</ETag></Part>`).join('')}</CompleteMultipartUpload>`
  for (const [body, code] of [
    ['', 'MalformedXML'],
    ['{}', 'MalformedXML'],
    [list(), 'MalformedXML'],
    ['<CompleteMultipartUpload><Part><PartNumber>2</PartNumber></Part></CompleteMultipartUpload>', 'MalformedXML'],
    [list([2, ETag], [1, ETag]), 'InvalidPartOrder'],
    [list([2, ETag], [2, ETag]), 'InvalidPartOrder'],
    [list([1, ETag]), 'InvalidPart'],
    [list([2, 'f'.repeat(32)]), 'InvalidPart'],
  ]) {
    const answer = await complete(body)
    assert.deepEqual([answer.status, answer.code], [400, code], `${body}: ${answer.text}`)
  }
  const whole = await complete(list([2, ETag]))
  assert.equal(whole.status, 200, whole.text)
  assert.equal(/<Location>(.*)<\/Location>/.exec(whole.text)[1], `${ENDPOINT}/${BUCKET}/${ann.company.id}/${encodeURIComponent('ä b.bin')}`)
  // Whoever lost the answer asks again.
  assert.deepEqual(await complete(list([2, ETag])), whole)
  assert.equal((await complete(list([1, ETag], [2, ETag]))).code, 'NoSuchUpload')
})

test('parts and uploads are listed page by page', async () => {
  const ann = await owner('ann')
  const aws = of(await keyOf(ann))
  const folder = `${ann.company.id}/`
  const begin = async (name) => (await aws.send(new s3.CreateMultipartUploadCommand({ Bucket: BUCKET, Key: folder + name }))).UploadId
  const place = { Bucket: BUCKET, Key: `${folder}a.bin`, UploadId: await begin('a.bin') }
  for (const PartNumber of [1, 2, 5]) await aws.send(new s3.UploadPartCommand({ ...place, PartNumber, Body: String(PartNumber) }))
  const page = async (MaxParts, PartNumberMarker) => {
    const listed = await aws.send(new s3.ListPartsCommand({ ...place, MaxParts, PartNumberMarker }))
    return [(listed.Parts ?? []).map(({ PartNumber }) => PartNumber), listed.IsTruncated, listed.NextPartNumberMarker, listed.MaxParts]
  }
  assert.deepEqual(await page(2), [[1, 2], true, '2', 2])
  assert.deepEqual(await page(2, '2'), [[5], false, undefined, 2])
  assert.deepEqual(await page(0), [[], false, undefined, 0])
  assert.deepEqual(await page(5000, '4'), [[5], false, undefined, 1000])
  await refused(page(2, 'two'), 'InvalidArgument', 400)
  await refused(page(-1), 'InvalidArgument', 400)

  const more = { second: await begin('a.bin'), one: await begin('film/1.bin'), two: await begin('film/2 b.bin'), last: await begin('z.bin') }
  const uploads = async (asked) => {
    const listed = await aws.send(new s3.ListMultipartUploadsCommand({ Bucket: BUCKET, ...asked }))
    const keys = [...(listed.Uploads ?? []), ...(listed.CommonPrefixes ?? [])].map(({ Key, Prefix }) => (Key ?? Prefix).slice(folder.length))
    return { keys, listed }
  }
  assert.deepEqual((await uploads({})).keys, ['a.bin', 'a.bin', 'film/1.bin', 'film/2 b.bin', 'z.bin'])
  assert.deepEqual((await uploads({ Prefix: `${folder}film/` })).keys, ['film/1.bin', 'film/2 b.bin'])
  assert.deepEqual((await uploads({ Prefix: folder, Delimiter: '/' })).keys, ['a.bin', 'a.bin', 'z.bin', 'film/'])
  assert.deepEqual((await uploads({ KeyMarker: `${folder}a.bin` })).keys, ['film/1.bin', 'film/2 b.bin', 'z.bin'])
  // One page after the other, with folders and without.
  for (const Delimiter of [undefined, '/']) {
    const [seen, ids] = [[], new Set()]
    let asked = { MaxUploads: 1, Prefix: folder, Delimiter }
    for (let pages = 0; asked; pages += 1) {
      assert.ok(pages < 9)
      const { keys, listed } = await uploads(asked)
      seen.push(...keys)
      for (const { UploadId } of listed.Uploads ?? []) ids.add(UploadId)
      const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = listed
      asked = listed.IsTruncated && { ...asked, KeyMarker, UploadIdMarker }
    }
    assert.deepEqual(seen, Delimiter ? ['a.bin', 'a.bin', 'film/', 'z.bin'] : ['a.bin', 'a.bin', 'film/1.bin', 'film/2 b.bin', 'z.bin'])
    assert.equal(ids.size, Delimiter ? 3 : 5)
  }
  const raw = await getSignedUrl(aws, new s3.ListMultipartUploadsCommand({ Bucket: BUCKET, EncodingType: 'url', Prefix: `${folder}film/2 ` }), { expiresIn: 60 })
  assert.match(await (await fetch(raw)).text(), /<Key>[^<]*\/film\/2%20b\.bin<\/Key><UploadId>/)
  await refused(uploads({ MaxUploads: -1 }), 'InvalidArgument', 400)
  await refused(uploads({ Bucket: 'no-such-bucket' }), 'NoSuchBucket', 404)
  // Another one sees none of them.
  const others = of(await keyOf(await owner('bob')))
  assert.equal((await others.send(new s3.ListMultipartUploadsCommand({ Bucket: BUCKET, Prefix: folder }))).Uploads, undefined)
  await refused(others.send(new s3.ListPartsCommand(place)), 'NoSuchUpload', 404)
})

test('a former version is read and copied', async () => {
  const [ann, bob] = [await owner('ann'), await owner('bob')]
  const aws = of(await keyOf(ann))
  const place = (name) => ({ Bucket: BUCKET, Key: `${ann.company.id}/${name}` })
  await aws.send(new s3.PutObjectCommand({ ...place('plan.txt'), Body: 'first' }))
  const { version } = done(await ann.client.storage.from(BUCKET).info(place('plan.txt').Key))
  await aws.send(new s3.PutObjectCommand({ ...place('plan.txt'), Body: 'second one' }))
  const text = async (name, VersionId) => {
    const got = await aws.send(new s3.GetObjectCommand({ ...place(name), VersionId }))
    return [await got.Body.transformToString(), got.VersionId]
  }
  assert.deepEqual(await text('plan.txt', version), ['first', version])
  assert.deepEqual(await text('plan.txt'), ['second one', undefined])
  const CopySource = `${BUCKET}/${ann.company.id}/plan.txt?versionId=${version}`
  const copied = await aws.send(new s3.CopyObjectCommand({ ...place('old.txt'), CopySource }))
  assert.equal(copied.CopySourceVersionId, version)
  assert.deepEqual(await text('old.txt'), ['first', undefined])
  const { UploadId } = await aws.send(new s3.CreateMultipartUploadCommand(place('part.txt')))
  const part = { ...place('part.txt'), UploadId, PartNumber: 1 }
  const { CopyPartResult } = await aws.send(new s3.UploadPartCopyCommand({ ...part, CopySource, CopySourceRange: 'bytes=1-4' }))
  const Parts = [{ PartNumber: 1, ETag: CopyPartResult.ETag }]
  await aws.send(new s3.CompleteMultipartUploadCommand({ ...place('part.txt'), UploadId, MultipartUpload: { Parts } }))
  assert.deepEqual(await text('part.txt'), ['irst', undefined])
  for (const [odd, code, status] of [
    [CopySource.replace(version, '00000000-0000-4000-8000-000000000000'), 'NoSuchVersion', 404],
    [CopySource.replace('plan.txt', 'old.txt'), 'NoSuchVersion', 404],
    [CopySource.replace('versionId', 'version'), 'InvalidArgument', 400],
  ]) {
    await refused(aws.send(new s3.CopyObjectCommand({ ...place('x.txt'), CopySource: odd })), code, status)
  }
  await refused(aws.send(new s3.DeleteObjectCommand({ ...place('plan.txt'), VersionId: version })), 'NotImplemented', 501)
  // What an object is has no name among versions, and is what lists of them have.
  const seen = []
  let KeyMarker
  do {
    const listed = await aws.send(new s3.ListObjectVersionsCommand({ Bucket: BUCKET, Prefix: `${ann.company.id}/`, MaxKeys: 2, KeyMarker }))
    seen.push(...listed.Versions.map(({ Key, VersionId, IsLatest, Size }) => [Key.slice(37), VersionId, IsLatest, Size]))
    KeyMarker = listed.NextKeyMarker
  } while (KeyMarker)
  assert.deepEqual(seen, [['old.txt', 'null', true, 5], ['part.txt', 'null', true, 4], ['plan.txt', 'null', true, 10]])
  assert.deepEqual(await text('plan.txt', 'null'), ['second one', 'null'])
  await aws.send(new s3.DeleteObjectCommand({ ...place('part.txt'), VersionId: 'null' }))
  await refused(aws.send(new s3.HeadObjectCommand(place('part.txt'))), 'NotFound', 404)
  const others = of(await keyOf(bob))
  await refused(others.send(new s3.CopyObjectCommand({ Bucket: BUCKET, Key: `${bob.company.id}/x`, CopySource })), 'NoSuchVersion', 404)
  await refused(others.send(new s3.GetObjectCommand({ ...place('plan.txt'), VersionId: version })), 'NoSuchVersion', 404)
})

test('a part is copied from an object, whole or a range of it', async () => {
  const [ann, bob] = [await owner('ann'), await owner('bob')]
  const aws = of(await keyOf(ann))
  const place = (name, who = ann) => ({ Bucket: BUCKET, Key: `${who.company.id}/${name}` })
  const source = randomBytes(300_000)
  await aws.send(new s3.PutObjectCommand({ ...place('a source.bin'), Body: source }))
  const CopySource = encodeURI(`${BUCKET}/${ann.company.id}/a source.bin`)
  const { UploadId } = await aws.send(new s3.CreateMultipartUploadCommand(place('copy.bin')))
  const copy = (PartNumber, CopySourceRange) => aws.send(new s3.UploadPartCopyCommand({ ...place('copy.bin'), UploadId, PartNumber, CopySource, CopySourceRange }))
  const parts = [await copy(1, 'bytes=100000-299999'), await copy(2)]
  assert.match(parts[0].CopyPartResult.ETag, /^"[0-9a-f]{32}"$/)
  assert.ok(parts[0].CopyPartResult.LastModified instanceof Date)
  const own = await aws.send(new s3.UploadPartCommand({ ...place('copy.bin'), UploadId, PartNumber: 3, Body: 'end' }))
  for (const range of ['bytes=0-300000', 'bytes=5-4', 'bytes=5-', 'all']) await refused(copy(4, range), 'InvalidArgument', 400)
  const Parts = [parts[0].CopyPartResult.ETag, parts[1].CopyPartResult.ETag, own.ETag].map((ETag, n) => ({ ETag, PartNumber: n + 1 }))
  await aws.send(new s3.CompleteMultipartUploadCommand({ ...place('copy.bin'), UploadId, MultipartUpload: { Parts } }))
  const got = await aws.send(new s3.GetObjectCommand(place('copy.bin')))
  assert.deepEqual(Buffer.from(await got.Body.transformToByteArray()), Buffer.concat([source.subarray(100_000), source, Buffer.from('end')]))
  // Nobody copies what he may not read, or into what another one began.
  const others = of(await keyOf(bob))
  const theirs = await others.send(new s3.CreateMultipartUploadCommand(place('mine.bin', bob)))
  const stolen = { ...place('mine.bin', bob), UploadId: theirs.UploadId, PartNumber: 1, CopySource }
  await refused(others.send(new s3.UploadPartCopyCommand(stolen)), 'NoSuchKey', 404)
  await refused(others.send(new s3.UploadPartCopyCommand({ ...stolen, ...place('copy.bin'), UploadId })), 'NoSuchUpload', 404)
  const again = await aws.send(new s3.CreateMultipartUploadCommand(place('copy.bin')))
  const gone = { ...place('copy.bin'), UploadId: again.UploadId, PartNumber: 1, CopySource: `${BUCKET}/${ann.company.id}/none.bin` }
  await refused(aws.send(new s3.UploadPartCopyCommand(gone)), 'NoSuchKey', 404)
})

test('a signed address needs nothing else, and is of one thing', async () => {
  const ann = await owner('ann')
  const aws = of(await keyOf(ann))
  const place = { Bucket: BUCKET, Key: `${ann.company.id}/ä b.txt` }
  const put = await getSignedUrl(aws, new s3.PutObjectCommand(place), { expiresIn: 60 })
  assert.equal((await fetch(put, { method: 'PUT', body: 'hello' })).status, 200)
  const get = await getSignedUrl(aws, new s3.GetObjectCommand(place), { expiresIn: 60 })
  assert.equal(await (await fetch(get)).text(), 'hello')
  const status = async (address, options) => (await fetch(address, options)).status
  assert.equal(await status(get, { method: 'DELETE' }), 403)
  assert.equal(await status(get.replace('%20b.txt', '%20c.txt')), 403)
  assert.equal(await status(get.replace('X-Amz-Expires=60', 'X-Amz-Expires=600')), 403)
  assert.equal(await status(get.split('?')[0]), 403)
})

test('nobody reaches what is another company’s, or what his key may not do', async () => {
  const [ann, bob] = [await owner('ann'), await owner('bob')]
  const key = await keyOf(ann)
  const place = { Bucket: BUCKET, Key: `${ann.company.id}/secret.txt` }
  await of(key).send(new s3.PutObjectCommand({ ...place, Body: 'ours' }))
  const others = of(await keyOf(bob))
  await refused(others.send(new s3.GetObjectCommand(place)), 'NoSuchKey', 404)
  await refused(others.send(new s3.PutObjectCommand({ ...place, Body: 'theirs' })), 'AccessDenied', 403)
  await refused(others.send(new s3.CopyObjectCommand({ Bucket: BUCKET, Key: `${bob.company.id}/x`, CopySource: `${BUCKET}/${place.Key}` })), 'NoSuchKey', 404)
  assert.equal((await others.send(new s3.ListObjectsV2Command({ Bucket: BUCKET, Prefix: `${ann.company.id}/` }))).KeyCount, 0)
  await others.send(new s3.DeleteObjectCommand(place))
  const reader = of(await keyOf(ann, ['files:read']))
  assert.equal(await (await reader.send(new s3.GetObjectCommand(place))).Body.transformToString(), 'ours')
  await refused(reader.send(new s3.PutObjectCommand({ ...place, Body: 'x' })), 'AccessDenied', 403)
  await refused(reader.send(new s3.DeleteObjectCommand(place)), 'AccessDenied', 403)
  const both = await reader.send(new s3.DeleteObjectsCommand({ Bucket: BUCKET, Delete: { Objects: [{ Key: place.Key }] } }))
  assert.deepEqual(both.Errors.map(({ Code }) => Code), ['AccessDenied'])
  await refused(of({ ...key, secret_access_key: 'wrong' }).send(new s3.GetObjectCommand(place)), 'SignatureDoesNotMatch', 403)
  await refused(of({ ...key, access_key_id: '0'.repeat(32) }).send(new s3.GetObjectCommand(place)), 'InvalidAccessKeyId', 403)
  await refused(of(key).send(new s3.CreateBucketCommand({ Bucket: 'mine' })), 'AccessDenied', 403)
  // A key is the maker's to make; once its API key is revoked it does nothing more.
  const [admin, viewer] = [await member(ann.company, 'admin'), await member(ann.company, 'viewer')]
  const foreign = await call('POST', '/api/v1/s3-keys', { token: await token(admin), body: { api_key_id: key.api_key } })
  assert.deepEqual([foreign.status, foreign.body.code], [403, 'permission_denied'])
  const none = await call('POST', '/api/v1/s3-keys', { token: await token(viewer), body: { api_key_id: key.api_key } })
  assert.deepEqual([none.status, none.body.code], [403, 'permission_denied'])
  const elsewhere = await call('POST', '/api/v1/s3-keys', { token: await token(bob), body: { api_key_id: key.api_key } })
  assert.deepEqual([elsewhere.status, elsewhere.body.code], [404, 'api_key_not_found'])
  assert.equal((await call('POST', '/api/v1/s3-keys', { token: await token(ann), body: {} })).body.code, 'validation_failed')
  const listed = await call('GET', '/api/v1/s3-keys', { token: await token(ann) })
  assert.ok(listed.body.data.some(({ access_key_id }) => access_key_id === key.access_key_id) && !listed.text.includes(key.secret_access_key))
  assert.equal((await call('DELETE', `/api/v1/s3-keys/${key.access_key_id}`, { token: await token(bob) })).status, 404)
  done(await ann.client.from('api_keys').update({ revoked_at: new Date().toISOString() }).eq('id', key.api_key))
  await refused(of(key).send(new s3.GetObjectCommand(place)), 'AccessDenied', 403)
})

test('a session signs with the public key and a token beside it', async () => {
  const [ann, bob] = [await owner('ann'), await owner('bob')]
  const sign = async (one) => client({ accessKeyId: 'thorbis', secretAccessKey: ANON_KEY, sessionToken: await token(one) })
  const place = { Bucket: BUCKET, Key: `${ann.company.id}/own.txt` }
  await (await sign(ann)).send(new s3.PutObjectCommand({ ...place, Body: 'ours' }))
  const got = await (await sign(ann)).send(new s3.GetObjectCommand(place))
  assert.equal(await got.Body.transformToString(), 'ours')
  await refused((await sign(bob)).send(new s3.GetObjectCommand(place)), 'NoSuchKey', 404)
  const nobody = client({ accessKeyId: 'thorbis', secretAccessKey: ANON_KEY })
  await refused(nobody.send(new s3.GetObjectCommand(place)), 'AccessDenied', 403)
  const forged = client({ accessKeyId: 'thorbis', secretAccessKey: ANON_KEY, sessionToken: 'a.b.c' })
  await refused(forged.send(new s3.GetObjectCommand(place)), 'InvalidToken', 403)
})

const hasRclone = await run('rclone', ['version']).then(() => true, () => false)

test('rclone brings a folder there and back', { skip: hasRclone ? false : 'rclone is not installed' }, async () => {
  const ann = await owner('ann')
  const key = await keyOf(ann)
  const folder = await mkdtemp(join(tmpdir(), 'thorbis-rclone-'))
  try {
    const config = { TYPE: 's3', PROVIDER: 'Other', ACCESS_KEY_ID: key.access_key_id, SECRET_ACCESS_KEY: key.secret_access_key, ENDPOINT, REGION: 'auto', CHUNK_SIZE: '5M', UPLOAD_CUTOFF: '6M', NO_CHECK_BUCKET: 'true' }
    // What this machine has for Amazon itself is none of its business.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_')))
    env.RCLONE_CONFIG = '/dev/null'
    for (const [name, value] of Object.entries(config)) env[`RCLONE_CONFIG_HERE_${name}`] = value
    const rclone = (...words) => run('rclone', [...words, '--retries', '1', '--low-level-retries', '1'], { env })
    const [small, large] = [Buffer.from('hello'), randomBytes(12_000_000)]
    await writeFile(join(folder, 'small (1).txt'), small)
    await writeFile(join(folder, 'large.bin'), large)
    const place = `here:${BUCKET}/${ann.company.id}/backup`
    await rclone('sync', folder, place)
    const { stdout } = await rclone('lsf', '-R', `here:${BUCKET}/${ann.company.id}`)
    assert.deepEqual(stdout.trim().split('\n').sort(), ['backup/', 'backup/large.bin', 'backup/small (1).txt'])
    await rclone('check', folder, place, '--download')
    const back = join(folder, 'back')
    await rclone('copy', place, back)
    assert.deepEqual(await readFile(join(back, 'large.bin')), large)
    await rclone('purge', place)
    assert.equal((await rclone('lsf', '-R', `here:${BUCKET}/${ann.company.id}`)).stdout, '')
  } finally {
    await rm(folder, { recursive: true })
  }
})
