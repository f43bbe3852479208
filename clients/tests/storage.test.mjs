// Every method of the official client for files: buckets, uploads in all forms, downloads, lists, links, moves and copies; first as the
// operator's programs call them, then as members of two companies do.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { done, owner, service, visitor } from './house.mjs'

const text = async (blob) => Buffer.from(await blob.arrayBuffer()).toString()

/** Somebody's files in a bucket that is new. */
async function bucket(options = { public: false }) {
  const name = `bucket-${randomUUID()}`
  const { storage } = service()
  assert.deepEqual(done(await storage.createBucket(name, options)), { name })
  return { name, storage, files: storage.from(name) }
}

test('buckets', async () => {
  const { name, storage, files } = await bucket({ public: true, fileSizeLimit: '20mb', allowedMimeTypes: ['image/*', 'text/plain'] })
  const made = done(await storage.getBucket(name))
  assert.deepEqual(Object.keys(made).sort(), ['allowed_mime_types', 'created_at', 'file_size_limit', 'id', 'name', 'owner', 'public', 'updated_at'])
  assert.equal(made.file_size_limit, 20_000_000)
  assert.ok(done(await storage.listBuckets()).some((one) => one.id === name && one.type === 'STANDARD'))
  assert.deepEqual(done(await storage.listBuckets({ limit: 1, offset: 0, sortColumn: 'created_at', sortOrder: 'desc', search: name })).map(({ id }) => id), [name])
  assert.deepEqual(done(await storage.updateBucket(name, { public: false })), { message: 'Successfully updated' })
  const { error } = await storage.createBucket(name)
  assert.deepEqual([error.message, error.status, error.statusCode], ['The resource already exists', 400, '409'])
  const wrong = (await files.upload('a.html', '<p>', { contentType: 'text/html' })).error
  assert.deepEqual([wrong.message, wrong.statusCode], ['mime type text/html is not supported', '415'])
  done(await storage.updateBucket(name, { public: false, fileSizeLimit: '1kb' }))
  assert.equal((await files.upload('a.txt', 'x'.repeat(1001))).error.message, 'The object exceeded the maximum allowed size')
  done(await files.upload('a.txt', 'x'.repeat(1000)))
  assert.equal((await storage.deleteBucket(name)).error.statusCode, '409')
  assert.match(done(await storage.emptyBucket(name)).message, /^Empty bucket has been queued/)
  assert.deepEqual(done(await storage.deleteBucket(name)), { message: 'Successfully deleted' })
  assert.deepEqual([(await storage.getBucket(name)).error.message], ['Bucket not found'])
})

test('uploads of all forms, and downloads', async () => {
  const { name, files } = await bucket()
  const up = done(await files.upload('folder/a.txt', 'as text', { metadata: { by: 'Ann' }, cacheControl: '60' }))
  assert.deepEqual([up.path, up.fullPath, typeof up.id], ['folder/a.txt', `${name}/folder/a.txt`, 'string'])
  done(await files.upload('blob.txt', new Blob(['as a blob'], { type: 'text/plain' }), { metadata: { by: 'Ben' } }))
  const form = new FormData()
  form.append('file', new Blob(['as a form']))
  done(await files.upload('form.txt', form))
  done(await files.upload('buffer.bin', Buffer.from([0, 1, 255]), { contentType: 'application/octet-stream' }))
  const stream = new ReadableStream({ start: (one) => { one.enqueue(new TextEncoder().encode('as a stream')); one.close() } })
  done(await files.upload('stream.txt', stream, { duplex: 'half' }))
  const said = async (path) => text(done(await files.download(path)))
  assert.deepEqual(await Promise.all(['folder/a.txt', 'blob.txt', 'form.txt', 'stream.txt'].map(said)), ['as text', 'as a blob', 'as a form', 'as a stream'])
  assert.deepEqual([...Buffer.from(await done(await files.download('buffer.bin')).arrayBuffer())], [0, 1, 255])
  const streamed = done(await files.download('folder/a.txt').asStream())
  assert.equal(await new Response(streamed).text(), 'as text')
  const info = done(await files.info('folder/a.txt'))
  assert.deepEqual([info.size, info.metadata, info.bucketId, info.contentType], [7, { by: 'Ann' }, name, 'text/plain;charset=UTF-8'])
  assert.equal(done(await files.info('blob.txt')).metadata.by, 'Ben')
  assert.deepEqual([done(await files.exists('folder/a.txt')), (await files.exists('none.txt')).data], [true, false])
  assert.equal((await files.upload('folder/a.txt', 'again')).error.statusCode, '409')
  done(await files.upload('folder/a.txt', 'replaced', { upsert: true }))
  done(await files.update('blob.txt', 'updated'))
  assert.deepEqual([await said('folder/a.txt'), await said('blob.txt')], ['replaced', 'updated'])
  const missing = await files.download('none.txt')
  assert.equal(missing.data, null)
})

test('lists, moves, copies and what is removed', async () => {
  const { name, storage, files } = await bucket()
  const other = await bucket()
  for (const path of ['b.txt', 'a.txt', 'folder/c.txt']) done(await files.upload(path, path))
  assert.deepEqual(done(await files.list()).map((one) => [one.name, one.id === null]), [['a.txt', false], ['b.txt', false], ['folder', true]])
  assert.deepEqual(done(await files.list('folder')).map((one) => one.name), ['c.txt'])
  assert.deepEqual(done(await files.list('', { limit: 1, offset: 1, sortBy: { column: 'name', order: 'desc' } })).map((one) => one.name), ['b.txt'])
  assert.deepEqual(done(await files.list('', { search: 'b' })).map((one) => one.name), ['b.txt'])
  const page = done(await files.listV2({ prefix: '', limit: 2, with_delimiter: true }))
  assert.deepEqual([page.hasNext, page.objects.map((one) => one.name)], [true, ['a.txt', 'b.txt']])
  const rest = done(await files.listV2({ limit: 2, with_delimiter: true, cursor: page.nextCursor }))
  assert.deepEqual([rest.hasNext, rest.folders], [false, [{ key: 'folder', name: 'folder/' }]])
  assert.equal(done(await files.move('a.txt', 'moved.txt')).message, 'Successfully moved')
  assert.equal(done(await files.copy('moved.txt', 'copied.txt')).path, `${name}/copied.txt`)
  done(await files.copy('moved.txt', 'there.txt', { destinationBucket: other.name }))
  done(await files.move('b.txt', 'there/b.txt', { destinationBucket: other.name }))
  assert.equal(await text(done(await storage.from(other.name).download('there.txt'))), 'a.txt')
  const gone = done(await files.remove(['moved.txt', 'none.txt']))
  assert.deepEqual(gone.map((one) => [one.name, one.bucket_id]), [['moved.txt', name]])
})

test('links', async () => {
  const { name, storage, files } = await bucket()
  done(await files.upload('ä b/a.txt', 'linked'))
  const { signedUrl } = done(await files.createSignedUrl('ä b/a.txt', 60))
  assert.equal(await (await fetch(signedUrl)).text(), 'linked')
  const saved = await fetch(done(await files.createSignedUrl('ä b/a.txt', 60, { download: 'Bericht.txt' })).signedUrl)
  assert.match(saved.headers.get('content-disposition'), /^attachment; filename=Bericht.txt/)
  const many = done(await files.createSignedUrls(['ä b/a.txt', 'none.txt'], 60, { download: true }))
  assert.deepEqual(many.map(({ error }) => error === null), [true, false])
  assert.equal((await fetch(many[0].signedUrl)).headers.get('content-disposition'), 'attachment;')
  const link = done(await files.createSignedUploadUrl('by-link.txt'))
  assert.deepEqual(done(await visitor().storage.from(name).uploadToSignedUrl(link.path, link.token, 'by a link')).path, 'by-link.txt')
  assert.equal((await visitor().storage.from(name).uploadToSignedUrl(link.path, link.token, 'again')).error.statusCode, '409')
  assert.equal(await text(done(await files.download('by-link.txt'))), 'by a link')
  // Everybody reads a public bucket.
  const url = files.getPublicUrl('by-link.txt').data.publicUrl
  assert.equal((await (await fetch(url)).json()).message, 'Bucket not found')
  done(await storage.updateBucket(name, { public: true }))
  assert.equal(await (await fetch(url)).text(), 'by a link')
})

test('companies keep their files apart', async () => {
  const [ann, bob] = await Promise.all([owner('ann'), owner('bob')])
  const path = `${ann.company.id}/plan.txt`
  const [hers, his] = [ann, bob].map(({ client }) => client.storage.from('documents'))
  done(await hers.upload(path, 'of ann'))
  assert.equal(await text(done(await hers.download(path))), 'of ann')
  assert.equal((await his.upload(`${ann.company.id}/b.txt`, 'x')).error.message, 'new row violates row-level security policy')
  assert.equal((await his.upload(path, 'x', { upsert: true })).error.statusCode, '403')
  assert.equal((await his.createSignedUrl(path, 60)).error.message, 'Object not found')
  assert.deepEqual([done(await his.list(ann.company.id)), done(await his.remove([path]))], [[], []])
  assert.equal((await his.download(path)).data, null)
  assert.deepEqual(done(await ann.client.storage.listBuckets()), [])
  assert.equal((await ann.client.storage.createBucket('mine')).error.statusCode, '403')
})
