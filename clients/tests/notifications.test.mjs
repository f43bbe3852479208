// Somebody is given a job, and hears of it: a message in his feed and a mail, as he chose.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { call, done, member, message, owner, service } from './house.mjs'

/** What a query answers, once it is what is waited for: it is decided after the answer. */
async function until(ask, isThere) {
  const end = Date.now() + 20_000
  for (;;) {
    const found = done(await ask())
    if (isThere(found)) return found
    if (Date.now() >= end) throw new Error(`it never came; there is ${JSON.stringify(found)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const feed = (client) =>
  client.from('notification_queue').select('id, type, subject, body, entity_id, status').eq('channel', 'in_app').is('archived_at', null)

test('a member is assigned a job, sees it in his mail and in his feed', async () => {
  const ann = await owner('ann')
  const tom = await member(ann.company, 'technician')
  const bob = await owner('bob')
  const customer = done(await ann.client.from('customers').insert({ first_name: 'Ben', last_name: 'Baker', phone: '+15550100' }).select().single())
  const job = done(await ann.client.from('jobs')
    .insert({ customer_id: customer.id, title: 'Fix the boiler', assigned_to: tom.user.id }).select().single())

  const [told] = await until(() => feed(tom.client), (rows) => rows.length > 0)
  assert.deepEqual([told.type, told.subject, told.entity_id, told.status],
    ['job_assigned', `You lead job ${job.job_number}`, job.id, 'sent'])
  const { text } = await message(tom.email)
  assert.match(text, /^Fix the boiler for Ben Baker/)
  await until(() => tom.client.from('notification_queue').select('status').eq('channel', 'email'), (rows) => rows[0]?.status === 'sent')
  assert.deepEqual(done(await feed(ann.client)), [], 'it was her own act')
  assert.deepEqual(done(await feed(bob.client)), [], 'another company')

  assert.equal(done(await tom.client.rpc('unread_notifications')), 1)
  assert.equal(done(await tom.client.rpc('mark_notifications_read', { ids: [told.id] })), 1)
  assert.equal(done(await tom.client.rpc('unread_notifications')), 0)
  assert.equal(done(await tom.client.rpc('mark_notifications_archived')), 1)
  assert.deepEqual(done(await feed(tom.client)), [])

  const why = done(await tom.client.rpc('why_not_notified', { entity_id: job.id }))
  const reasons = Object.fromEntries(why.map((one) => [one.channel, `${one.decision} ${one.reason}`]))
  assert.deepEqual([reasons.in_app, reasons.email, reasons.push], ['sent topic_default', 'sent topic_default', 'withheld no_device'])
  assert.equal((await tom.client.rpc('why_not_notified', { entity_id: job.id, user_id: ann.user.id })).error.code, 'permission_denied')
  assert.equal(done(await ann.client.rpc('why_not_notified', { entity_id: job.id }))[0].reason, 'not_in_audience')
})

test('what he chose and a program of the operator says', async () => {
  const ann = await owner('ann')
  const tom = await member(ann.company, 'technician')
  done(await tom.client.from('notification_choices').insert({ topic: 'alert', channel: 'email', enabled: false }))
  const settings = done(await tom.client.rpc('my_notification_settings'))
  assert.deepEqual(settings.filter((one) => one.topic === 'alert').map((one) => [one.channel, one.enabled, one.reason]),
    [['in_app', true, 'mandatory'], ['email', false, 'chosen_off'], ['sms', false, 'topic_default'], ['push', true, 'topic_default']])
  const alert = { topic: 'alert', company_id: ann.company.id, user_ids: [tom.user.id], params: { subject: 'Gas leak', body: 'Leave the house.' } }
  const id = done(await service().rpc('notify', { ...alert, unique_key: 'leak' }))
  assert.equal(done(await service().rpc('notify', { ...alert, unique_key: 'leak' })), id)
  const [told] = await until(() => feed(tom.client), (rows) => rows.length > 0)
  assert.deepEqual([told.subject, told.body], ['Gas leak', 'Leave the house.'])
  const why = done(await tom.client.rpc('why_not_notified', { event_id: id }))
  assert.equal(why.find((one) => one.channel === 'email').reason, 'chosen_off')
  assert.ok((await tom.client.rpc('notify', alert)).error, 'a member tells nobody')
  const token = done(await tom.client.auth.getSession()).session.access_token
  const refused = await call('PATCH', `/rest/v1/notification_queue?id=eq.${told.id}`, { token, body: { body: 'x' } })
  assert.equal(refused.status, 403)
})
