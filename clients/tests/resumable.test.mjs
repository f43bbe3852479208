// Uploads that go on where they broke off, with the official client of TUS; and on a server of its own that is killed in the middle.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createClient } from '@supabase/supabase-js'
import * as tus from 'tus-js-client'
import { PASSWORD, URL, done, owner } from './house.mjs'

const BUCKET = 'company-files'

/** Uploads; `onProgress` may abort. Resolves with the address. */
function upload(body, { url, token, name, ...options }) {
  return new Promise((resolve, reject) => {
    const one = new tus.Upload(body, {
      endpoint: `${url}/storage/v1/upload/resumable`,
      headers: { authorization: `Bearer ${token}` },
      metadata: { bucketName: BUCKET, objectName: name, contentType: 'application/octet-stream', cacheControl: '3600', metadata: '{"from":"tus"}' },
      retryDelays: [0, 200, 500, 1000, 2000, 3000, 5000, 5000, 5000, 5000],
      onError: reject,
      onSuccess: () => resolve(one),
      ...options,
      ...(options.onChunkComplete ? { onChunkComplete: (size, accepted, total) => options.onChunkComplete(one, accepted, total) } : {}),
    })
    one.start()
  })
}

const token = async (client) => done(await client.auth.getSession()).session.access_token

test('tus-js-client uploads in chunks, at once, and goes on with what it aborted', async () => {
  const { client, company } = await owner('ann')
  const asked = { url: URL, token: await token(client) }
  const body = randomBytes(700_000)
  const read = async (name) => Buffer.from(await done(await client.storage.from(BUCKET).download(`${company.id}/${name}`)).arrayBuffer())
  await upload(body, { ...asked, name: `${company.id}/chunks.bin`, chunkSize: 200_000 })
  assert.deepEqual(await read('chunks.bin'), body)
  await upload(body, { ...asked, name: `${company.id}/at-once.bin`, uploadDataDuringCreation: true })
  assert.deepEqual(await read('at-once.bin'), body)
  const info = done(await client.storage.from(BUCKET).info(`${company.id}/at-once.bin`))
  assert.deepEqual([info.size, info.metadata, info.cacheControl], [700_000, { from: 'tus' }, 'max-age=3600'])

  let address
  await new Promise((resolve) => {
    const onChunkComplete = (one) => {
      address = one.url
      one.abort().then(resolve)
    }
    upload(body, { ...asked, name: `${company.id}/aborted.bin`, chunkSize: 200_000, onChunkComplete }).catch(resolve)
  })
  const { error } = await client.storage.from(BUCKET).info(`${company.id}/aborted.bin`)
  assert.ok(error)
  let sent = 0
  await upload(body, { ...asked, name: `${company.id}/aborted.bin`, uploadUrl: address, onChunkComplete: (_, accepted) => (sent = accepted), chunkSize: 200_000 })
  assert.equal(sent, 700_000)
  assert.deepEqual(await read('aborted.bin'), body)
  await assert.rejects(upload(body, { ...asked, name: `${company.id}/chunks.bin`, retryDelays: [] }), /409|403/)

  const begun = await new Promise((resolve, reject) => {
    upload(body, { ...asked, name: `${company.id}/given-up.bin`, chunkSize: 200_000, onChunkComplete: (one) => one.abort(true).then(() => resolve(one.url), reject) }).catch(reject)
  })
  const head = await fetch(begun, { method: 'HEAD', headers: { 'tus-resumable': '1.0.0', authorization: `Bearer ${asked.token}` } })
  assert.equal(head.status, 404)
})

/** A free port of this machine. */
function freePort() {
  return new Promise((resolve) => {
    const one = createServer().listen(0, '127.0.0.1', () => {
      const { port } = one.address()
      one.close(() => resolve(port))
    })
  })
}

/** Starts a server and waits until it is ready. */
async function start(data, port) {
  const env = { ...process.env, THORBIS_STORAGE__PARTS__SAFE_BYTES: '65536' }
  for (const name of Object.keys(env)) if (/^(DATABASE_URL|MIGRATOR_URL|THORBIS_(URL|DATA_API__SCHEMAS|AUTH__EXTERNAL__.*))$/.test(name)) delete env[name]
  const words = ['serve', '--env', 'development', '--data', data, '--listen', `127.0.0.1:${port}`]
  const server = spawn(process.env.PROGRAM, words, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  server.said = ''
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (text) => (server.said += text))
  const deadline = Date.now() + 120_000
  for (;;) {
    const ready = await fetch(`http://127.0.0.1:${port}/health/ready`).then(({ ok }) => ok, () => false)
    if (ready && server.said.includes('anon key')) return server
    assert.ok(Date.now() < deadline && server.exitCode === null, server.said)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

const ended = (server) => (server.exitCode ?? server.signalCode) !== null ? Promise.resolve() : new Promise((resolve) => server.once('exit', resolve))

test('an upload outlives the server that took its first bytes', { skip: process.env.PROGRAM ? false : 'the program is not named' }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'thorbis-resumable-'))
  // A server that root starts runs PostgreSQL as another user, who has to get into the folder.
  await chmod(folder, 0o711)
  const data = join(folder, 'data')
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  let server = await start(data, port)
  try {
    const anon = /anon key\s+(\S+)/.exec(server.said)[1]
    const client = createClient(url, anon, { auth: { persistSession: false, autoRefreshToken: false } })
    done(await client.auth.signUp({ email: 'ann@example.com', password: PASSWORD }))
    const company = done(await client.rpc('create_company_with_owner', { name: 'Ann', industry: 'home_services' }))
    done(await client.auth.refreshSession())
    const body = randomBytes(3_000_000)
    let restarted
    const offsets = []
    await upload(body, {
      url,
      token: await token(client),
      name: `${company.id}/film.bin`,
      chunkSize: 500_000,
      onChunkComplete: (_, accepted) => {
        offsets.push(accepted)
        if (accepted === 1_000_000) {
          // Nothing is said to it: it dies where it is.
          server.kill('SIGKILL')
          restarted = ended(server).then(() => start(data, port)).then((again) => (server = again))
        }
      },
    })
    await restarted
    const read = done(await client.storage.from(BUCKET).download(`${company.id}/film.bin`))
    assert.deepEqual(Buffer.from(await read.arrayBuffer()), body)
    assert.equal(offsets.at(-1), 3_000_000)
  } finally {
    server.kill('SIGTERM')
    await ended(server)
    await rm(folder, { recursive: true, force: true })
  }
})
