// A person in several companies: which one a request works in, and who says so.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { call, choose, claims, done, member, owner, person, service } from './house.mjs'

async function inTwo() {
  const first = await owner('ann')
  const second = await owner('bob')
  done(await service().from('team_members').insert({ company_id: second.company.id, user_id: first.user.id, role: 'manager', status: 'active' }))
  for (const { client, company } of [first, second]) {
    done(await client.from('customers').insert({ phone: '+15550100', first_name: 'Of', last_name: company.name }))
  }
  return { ...first, second }
}

const names = async (client) => done(await client.from('customers').select('last_name')).map((row) => row.last_name)

test('my_companies lists them, POST /auth/v1/company makes one active', async () => {
  const { client, company, second } = await inTwo()
  const mine = done(await client.rpc('my_companies'))
  assert.deepEqual(mine.map((row) => row.id ?? row.company_id).sort(), [company.id, second.company.id].sort())
  assert.deepEqual(await names(client), [company.name])

  const { session } = await choose(client, second.company.id)
  assert.deepEqual([claims(session).company_id, claims(session).member_role], [second.company.id, 'manager'])
  assert.deepEqual(await names(client), [second.company.name])
})

test('X-Company-Id names the company of one request', async () => {
  const { session, client, company, second } = await inTwo()
  const token = done(await client.auth.getSession()).session.access_token
  assert.ok(session)
  const other = await call('GET', '/rest/v1/customers?select=last_name', { token, headers: { 'x-company-id': second.company.id } })
  assert.deepEqual(other.body, [{ last_name: second.company.name }])
  assert.deepEqual(await names(client), [company.name], 'and of no other')
})

test('a company that is not one\'s own is refused', async () => {
  const { client } = await owner('ann')
  const { company: strange } = await owner('eve')
  const token = done(await client.auth.getSession()).session.access_token
  for (const path of ['/rest/v1/customers', '/rest/v1/rpc/my_companies']) {
    const answer = await call('GET', path, { token, headers: { 'x-company-id': strange.id } })
    assert.deepEqual([answer.status, answer.body.code], [403, 'company_not_member'], path)
  }
  const chosen = await call('POST', '/auth/v1/company', { token, body: { company_id: strange.id } })
  assert.deepEqual([chosen.status, chosen.body.error_code], [403, 'company_not_member'])
  const nonsense = await call('GET', '/rest/v1/customers', { token, headers: { 'x-company-id': 'mine' } })
  assert.deepEqual([nonsense.status, nonsense.body.code], [400, 'invalid_company_id'])
})

test('whoever is removed is refused at the next request', async () => {
  const { company } = await owner('ann')
  const { client, user } = await member(company, 'dispatcher')
  done(await client.from('jobs').select('id'))
  done(await service().from('team_members').delete().eq('company_id', company.id).eq('user_id', user.id))
  const { status, error } = await client.from('jobs').select('id')
  assert.deepEqual([status, error.code], [403, 'company_not_member'])
})

test('the service key writes in one company, or says which', async () => {
  const { second, company } = await inTwo()
  const both = [company.id, second.company.id]
  const before = await service().from('customers').update({ notes: 'x' }).eq('first_name', 'Of')
  assert.deepEqual([before.status, before.error.code], [400, 'several_companies'])
  const named = done(await service().from('customers').update({ notes: 'y' }).in('company_id', both).select('notes'))
  assert.equal(named.length, 2)
  const one = done(await service({ 'x-company-id': company.id }).from('customers').update({ notes: 'z' }).eq('first_name', 'Of').select('company_id'))
  assert.deepEqual(one, [{ company_id: company.id }])
})

test('signing out ends the session for every request', async () => {
  const { client } = await person('fay')
  const token = done(await client.auth.getSession()).session.access_token
  assert.equal((await call('GET', '/rest/v1/users', { token })).status, 200)
  await client.auth.signOut()
  const after = await call('GET', '/rest/v1/users', { token })
  assert.deepEqual([after.status, after.body.code], [401, 'session_not_found'])
})
