// Names that programs written for other installations call: each works, called as those programs call it.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { URL, call, done, owner, person, service } from './house.mjs'

test('rpc get_current_tenant_id answers the active company', async () => {
  const { client, company } = await owner('ann')
  assert.equal(done(await client.rpc('get_current_tenant_id')), company.id)
})

test('rpc create_company_with_owner takes name, slug and industry', async () => {
  const { client, user } = await owner('ann')
  const slug = `second-${Date.now()}-${Math.floor(Math.random() * 1e6)}`
  const company = done(await client.rpc('create_company_with_owner', { name: 'Second', slug, industry: 'hvac' }))
  assert.equal(company.slug, slug)
  const row = done(await service().from('team_members').select('role').eq('company_id', company.id).eq('user_id', user.id).single())
  assert.equal(row.role, 'owner')
})

test('rpc set_config takes the tenant from the service key and nothing else from nobody', async () => {
  const { client, company } = await owner('ann')
  const set = (who, setting_name, setting_value) => who.rpc('set_config', { setting_name, setting_value })
  assert.equal(done(await set(service(), 'app.current_tenant_id', company.id)), company.id)
  for (const refused of [await set(client, 'app.current_tenant_id', company.id), await set(service(), 'role', 'postgres')]) {
    assert.deepEqual([refused.status, refused.error.code], [403, 'setting_not_allowed'])
  }
})

test('organizations, organization_memberships and profiles have the documented columns', async () => {
  const { client, company, user } = await owner('ann')
  const organization = done(await client.from('organizations').select('id, clerk_org_id, name, slug, subscription_tier, max_seats, settings').single())
  assert.equal(organization.id, company.id)
  const membership = done(await client.from('organization_memberships').select('organization_id, user_id, role').single())
  assert.deepEqual(membership, { organization_id: company.id, user_id: user.id, role: 'owner' })
  const profile = done(await client.from('profiles').select('id, email, full_name, current_organization_id').eq('id', user.id).single())
  assert.equal(profile.current_organization_id, company.id)
})

test('the schemas shared and home_services show the same rows', async () => {
  const { client, company } = await owner('ann')
  const customer = done(await client.from('customers').insert({ phone: '+15550100', first_name: 'Ben', last_name: 'Baker' }).select().single())
  done(await client.from('jobs').insert({ customer_id: customer.id, title: 'Fix', status: 'quoted' }))
  assert.equal(done(await client.schema('shared').from('tenants').select('id, subdomain').single()).id, company.id)
  assert.equal(done(await client.schema('shared').from('users').select('tenant_id, role').single()).tenant_id, company.id)
  const shared = done(await client.schema('shared').from('customers').select('id, tenant_id, first_name').single())
  assert.deepEqual(shared, { id: customer.id, tenant_id: company.id, first_name: 'Ben' })
  const order = done(await client.schema('home_services').from('work_orders').select('tenant_id, customer_id, title').single())
  assert.deepEqual(order, { tenant_id: company.id, customer_id: customer.id, title: 'Fix' })
  const { client: other } = await owner('bob')
  assert.deepEqual(done(await other.schema('home_services').from('work_orders').select('id')), [])
})

test('GET /api/health says how it is', async () => {
  const response = await fetch(`${URL}/api/health`)
  assert.equal(response.status, 200)
  const { timestamp, ...health } = await response.json()
  assert.equal(new Date(timestamp).toISOString(), timestamp)
  assert.deepEqual(health, { status: 'healthy', services: { database: 'healthy', redis: 'not_configured' } })
})

test('rpc increment_rate_limit counts by a key, and rate_limits shows the count', async () => {
  const key = `ratelimit:${randomUUID()}`
  const count = async () => done(await service().rpc('increment_rate_limit', { key }))
  const shown = async () => (await service().from('rate_limits').select('count').eq('key', key).single()).data?.count
  assert.equal(await shown(), undefined)
  // Between two calls a minute may end, and not twice.
  const twice = async () => [await count(), await count(), await shown()]
  const [first, second, now] = await twice()
  if (second === first + 1 && now === second) return
  const [again, next, then] = await twice()
  assert.deepEqual([next, then], [again + 1, next])
})

test('whoever asks is told what is left of his limit', async () => {
  const { session } = await person('ann')
  const answer = await call('GET', '/rest/v1/users?select=id', { token: session.access_token })
  assert.match(answer.headers.get('ratelimit-policy'), /^"read";q=1200;w=60$/)
  assert.match(answer.headers.get('ratelimit'), /^"read";r=\d+;t=\d+$/)
  assert.equal(answer.headers.get('ratelimit-limit'), '1200')
})
