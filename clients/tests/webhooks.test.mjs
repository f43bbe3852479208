// A company's program is told of what happens, and verifies that it is told the truth with the library of the standard.

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { Webhook } from 'standardwebhooks'
import { call, done, member, owner } from './house.mjs'

/** A receiver on this machine, which keeps what it was sent. */
async function receiver(context) {
  const told = []
  let hear
  const heard = () => (told.length > 0 ? Promise.resolve(told.shift()) : new Promise((resolve) => (hear = resolve)))
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const part of request) body += part
    response.end()
    const one = { body, headers: request.headers }
    if (hear) {
      hear(one)
      hear = undefined
    } else {
      told.push(one)
    }
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  context.after(() => server.close())
  return { url: `http://127.0.0.1:${server.address().port}/in`, heard }
}

test('what supabase-js writes is told to a receiver, signed', async (context) => {
  const { client, company } = await owner('ann')
  const token = done(await client.auth.getSession()).session.access_token
  const { url, heard } = await receiver(context)
  const wanted = { name: 'Accounting', url, events: ['customer.created'], custom_headers: { 'X-Shop': '7' } }
  const made = await call('POST', '/api/v1/webhooks', { token, body: wanted })
  assert.equal(made.status, 201, made.text)
  const { secret, id } = made.body.data
  assert.match(secret, /^whsec_/)

  const customer = done(await client.from('customers').insert({ phone: '+15550100', first_name: 'Ada' }).select().single())
  const call1 = await heard()
  const told = new Webhook(secret).verify(call1.body, call1.headers)
  assert.deepEqual([told.type, told.company_id, told.data.id, told.data.first_name], ['customer.created', company.id, customer.id, 'Ada'])
  assert.equal(call1.headers['x-shop'], '7')
  assert.throws(() => new Webhook(secret).verify(call1.body.replace('Ada', 'Eve'), call1.headers))

  const seen = done(await client.from('webhooks').select('secret, custom_headers, is_active').eq('id', id).single())
  assert.deepEqual(seen, { secret: null, custom_headers: { 'X-Shop': '***' }, is_active: true })
  const tested = await call('POST', `/api/v1/webhooks/${id}/test`, { token })
  assert.equal(tested.status, 202, tested.text)
  const call2 = await heard()
  assert.equal(new Webhook(secret).verify(call2.body, call2.headers).type, 'webhook.test')

  const technician = await member(company, 'technician')
  const theirs = done(await technician.client.auth.getSession()).session.access_token
  assert.equal((await call('GET', '/api/v1/webhooks', { token: theirs })).status, 403)
  assert.equal((await call('GET', '/api/v1/webhooks', {})).status, 401)
  const bob = await owner('bob')
  const others = done(await bob.client.auth.getSession()).session.access_token
  assert.equal((await call('GET', `/api/v1/webhooks/${id}`, { token: others })).status, 404)
})
