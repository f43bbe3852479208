// What a role may and may not, as db/permissions.toml has it, seen from the client.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { done, member, owner, service } from './house.mjs'

test('a viewer reads and writes nothing', async () => {
  const { client: boss, company } = await owner('ann')
  const customer = done(await boss.from('customers').insert({ phone: '+15550100', first_name: 'Ben', last_name: 'Baker' }).select().single())
  const { client } = await member(company, 'viewer')
  assert.equal(done(await client.from('customers').select('id')).length, 1)
  const created = await client.from('customers').insert({ phone: '+15550100', first_name: 'X', last_name: 'Y' })
  assert.deepEqual([created.status, created.error.code], [403, '42501'])
  assert.deepEqual(done(await client.from('customers').update({ notes: 'x' }).eq('id', customer.id).select()), [])
  assert.deepEqual(done(await client.from('customers').delete().eq('id', customer.id).select()), [])
})

test('a technician sees the jobs that are his', async () => {
  const { client: boss, company } = await owner('ann')
  const { client, user } = await member(company, 'technician')
  const customer = done(await boss.from('customers').insert({ phone: '+15550100', first_name: 'Ben', last_name: 'Baker' }).select().single())
  const job = (title, assigned_to) => ({ customer_id: customer.id, title, status: 'quoted', assigned_to })
  done(await boss.from('jobs').insert([job('his', user.id), job('nobody\'s', null)]))
  assert.deepEqual(done(await client.from('jobs').select('title')), [{ title: 'his' }])
  assert.deepEqual(done(await client.from('jobs').update({ notes: 'done' }).neq('title', '').select('title')), [{ title: 'his' }])
  const created = await client.from('jobs').insert(job('new', user.id))
  assert.deepEqual([created.status, created.error.code], [403, '42501'])
})

test('nobody makes himself more than he is', async () => {
  const { company } = await owner('ann')
  const { client, user } = await member(company, 'manager')
  const raised = await client.from('team_members').update({ role: 'owner' }).eq('user_id', user.id).select()
  assert.ok(raised.error || raised.data.length === 0)
  const role = done(await service().from('team_members').select('role').eq('company_id', company.id).eq('user_id', user.id).single())
  assert.equal(role.role, 'manager')
})

test('what is deleted is gone for all but whoever may restore it', async () => {
  const { client: boss, company } = await owner('ann')
  const { client: manager } = await member(company, 'manager')
  const customer = done(await boss.from('customers').insert({ phone: '+15550100', first_name: 'Ben', last_name: 'Baker' }).select().single())
  done(await boss.from('customers').update({ deleted_at: new Date().toISOString() }).eq('id', customer.id))
  assert.deepEqual(done(await boss.from('customers').select('id')), [])
  const seen = (client) => client.from('customers').select('id').setHeader('Prefer', 'deleted=include')
  assert.equal(done(await seen(boss)).length, 1)
  assert.deepEqual(done(await seen(manager)), [])
  done(await boss.from('customers').update({ deleted_at: null }).eq('id', customer.id).setHeader('Prefer', 'deleted=include'))
  assert.equal(done(await manager.from('customers').select('id')).length, 1)
})
