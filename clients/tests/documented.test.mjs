// The rest of the names that programs written for other installations call: figures, search, audit, partitions, notes, the archive. Each as its
// company's owner, and as another company's.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { call, done, member, owner, service } from './house.mjs'

const YEAR_START = '2027-01-04'

/** A company with one customer, one job done in two hours, one invoice of 100.00 and 40.00 paid of it; and a company of somebody else. */
async function shop() {
  const ann = await owner('ann')
  const tech = await member(ann.company, 'technician')
  const { client } = ann
  const ada = done(await client.from('customers').insert({ first_name: 'Ada', last_name: 'Baker', email: 'ada@example.com' }).select().single())
  const job = done(await client.from('jobs')
    .insert({ customer_id: ada.id, title: 'Boiler', assigned_to: tech.user.id, status: 'quoted' }).select().single())
  const change = async (table, id, values) => done(await client.from(table).update(values).eq('id', id).select().single())
  await change('jobs', job.id, { status: 'scheduled', scheduled_start: `${YEAR_START}T09:00:00Z`, scheduled_end: `${YEAR_START}T11:00:00Z` })
  await change('jobs', job.id, { status: 'in_progress', actual_start: `${YEAR_START}T09:00:00Z` })
  await change('jobs', job.id, { status: 'completed', actual_end: `${YEAR_START}T11:00:00Z` })
  const invoice = done(await client.from('invoices')
    .insert({ customer_id: ada.id, line_items: [{ description: 'Work', quantity: 2, unit_price: 5000 }] }).select().single())
  const issued = await change('invoices', invoice.id, { status: 'sent' })
  done(await client.from('payments')
    .insert({ customer_id: ada.id, invoice_id: invoice.id, amount: 4000, payment_method: 'cash', status: 'completed' }))
  return { ...ann, tech, ada, job, month: `${issued.issued_at.slice(0, 7)}-01`, eve: await owner('eve') }
}

test('company_kpis and the figures called mv_* are one company\'s, fresh at once', async () => {
  const { client, company, ada, tech, month, eve } = await shop()
  const figures = async (who, name, columns) => done(await who.client.rpc(name)).map((row) => columns.map((column) => row[column]))
  const ours = { client }
  const kpis = ['company_id', 'total_customers', 'total_jobs', 'completed_jobs', 'total_invoices', 'total_revenue', 'collected_revenue', 'outstanding_revenue']
  assert.deepEqual(await figures(ours, 'company_kpis', kpis), [[company.id, 1, 1, 1, 1, 10000, 4000, 6000]])
  assert.deepEqual(await figures(eve, 'company_kpis', kpis), [[eve.company.id, 0, 0, 0, 0, 0, 0, 0]])

  const worth = ['customer_id', 'customer_name', 'total_jobs', 'total_invoices', 'total_revenue', 'total_paid', 'average_invoice_value']
  assert.deepEqual(await figures(ours, 'mv_customer_lifetime_value', worth), [[ada.id, 'Ada Baker', 1, 1, 10000, 4000, 10000]])
  assert.deepEqual(await figures(eve, 'mv_customer_lifetime_value', worth), [])

  const work = ['technician_id', 'jobs_completed', 'avg_job_duration_hours', 'review_count']
  assert.deepEqual(await figures(ours, 'mv_technician_performance', work), [[tech.user.id, 1, 2, 0]])
  assert.deepEqual(await figures(eve, 'mv_technician_performance', work), [])

  const revenue = ['month', 'currency', 'invoice_count', 'total_revenue', 'total_paid', 'total_outstanding', 'collected']
  assert.deepEqual(await figures(ours, 'mv_monthly_revenue', revenue), [[month, 'USD', 1, 10000, 4000, 6000, 4000]])
  assert.deepEqual(await figures(eve, 'mv_monthly_revenue', revenue), [])

  const { status, error } = await tech.client.rpc('company_kpis')
  assert.deepEqual([status, error.code], [403, 'permission_denied'])
})

test('rpc search_customers finds by a misspelt name, in its company alone', async () => {
  const { client, ada, eve } = await shop()
  assert.deepEqual(done(await client.rpc('search_customers', { query: 'Ada Bakre' })).map((row) => row.id), [ada.id])
  assert.deepEqual(done(await eve.client.rpc('search_customers', { query: 'Ada Baker' })), [])
})

test('audit_log shows what was written, and rpc log_audit_event adds only what is one\'s own', async () => {
  const { client, user, company, ada, eve } = await shop()
  const event = { p_organization_id: company.id, p_user_id: user.id, p_action: 'delete', p_resource_type: 'customers', p_resource_id: ada.id, p_metadata: {} }
  assert.match(done(await client.rpc('log_audit_event', event)), /^[0-9a-f-]{36}$/)
  const seen = (who) => who.from('audit_log').select('table_name, operation, user_id, reported_action')
    .eq('record_id', ada.id).in('operation', ['INSERT', 'DELETE', 'REPORTED']).order('operation')
  assert.deepEqual(done(await seen(client)), [
    { table_name: 'customers', operation: 'INSERT', user_id: user.id, reported_action: null },
    { table_name: 'customers', operation: 'REPORTED', user_id: user.id, reported_action: 'delete' },
  ])
  assert.deepEqual(done(await seen(eve.client)), [])
  const forged = await eve.client.rpc('log_audit_event', event)
  assert.deepEqual([forged.status, forged.error.code], [403, 'audit_other_company'])
})

test('notes are on anything, and one company\'s', async () => {
  const { client, job, eve } = await shop()
  done(await client.from('notes').insert({ entity_type: 'job', entity_id: job.id, content: 'Rang twice' }))
  const notes = (who) => who.from('notes').select('entity_type, entity_id, content').eq('entity_id', job.id)
  assert.deepEqual(done(await notes(client)), [{ entity_type: 'job', entity_id: job.id, content: 'Rang twice' }])
  assert.deepEqual(done(await notes(eve.client)), [])
  const pointed = await eve.client.from('notes').insert({ entity_type: 'job', entity_id: job.id, content: 'Mine' })
  const nothing = await eve.client.from('notes').insert({ entity_type: 'job', entity_id: randomUUID(), content: 'Mine' })
  assert.deepEqual([pointed.status, pointed.error?.code], [nothing.status, nothing.error?.code])
  assert.ok(pointed.error)
})

test('jobs_archive is read by whoever reads jobs and written by nobody but the upkeep', async () => {
  const { client, company, job } = await shop()
  // A job of today is not in it; what the upkeep moves there is shown where time can be set back.
  assert.deepEqual(done(await client.from('jobs_archive').select('id, job_number, title, status, job, children').eq('id', job.id)), [])
  const old = { company_id: company.id, id: job.id, job_number: 'JOB-2024-0001', title: 'Old', status: 'completed', job: {} }
  for (const who of [client, service()]) {
    for (const refused of [await who.from('jobs_archive').insert(old), await who.from('jobs_archive').update({ title: 'New' }).eq('id', job.id).eq('company_id', company.id)]) {
      assert.deepEqual([refused.status, refused.error.code], [403, '42501'])
    }
  }
})

test('create_monthly_partition and refresh_reporting_views are the service\'s', async () => {
  const { client } = await owner('ann')
  const partition = { table_name: 'activities', start_date: '2030-02-01' }
  assert.equal(done(await service().rpc('create_monthly_partition', partition)), 'activities_2030_02')
  assert.equal(done(await service().rpc('create_monthly_partition', partition)), 'activities_2030_02')
  done(await service().rpc('refresh_reporting_views'))
  for (const refused of [await client.rpc('create_monthly_partition', partition), await client.rpc('refresh_reporting_views')]) {
    assert.deepEqual([refused.status, refused.error.code], [403, '42501'])
  }
})

test('what makes policies and triggers, and the schema auth, is for migrations', async () => {
  const { client, session } = await owner('ann')
  const policy = { schema_name: 'public', table_name: 'customers', policy_name: 'open' }
  for (const who of [client, service()]) {
    const refused = await who.rpc('create_tenant_policy', policy)
    assert.deepEqual([refused.status, refused.error.code], [403, '42501'])
  }
  for (const name of ['update_updated_at_column', 'audit_trigger_function']) {
    assert.deepEqual([(await client.rpc(name)).status, (await client.rpc(name)).error.code], [404, 'PGRST202'], name)
  }
  const hidden = await call('POST', '/rest/v1/rpc/get_user_company_id', { token: session.access_token, body: {}, headers: { 'content-profile': 'auth' } })
  assert.deepEqual([hidden.status, hidden.body.code], [406, 'PGRST106'])
})

test('update_updated_at_column moves updated_at with every change', async () => {
  const { client, ada, eve } = await shop()
  const changed = done(await client.from('customers').update({ notes: 'x' }).eq('id', ada.id).select('updated_at').single())
  assert.ok(changed.updated_at > ada.updated_at)
  assert.deepEqual(done(await eve.client.from('customers').update({ notes: 'y' }).eq('id', ada.id).select('id')), [])
})

test('views under other names are written through, by their own company', async () => {
  const { client, company, ada, job, eve } = await shop()
  const shared = client.schema('shared')
  assert.equal(done(await client.from('organizations').update({ name: 'Ann and Sons' }).eq('id', company.id).select('name').single()).name, 'Ann and Sons')
  assert.equal(done(await shared.from('tenants').select('name').single()).name, 'Ann and Sons')
  assert.equal(done(await shared.from('customers').update({ last_name: 'Byron' }).eq('id', ada.id).select('last_name').single()).last_name, 'Byron')
  const orders = (who) => who.schema('home_services').from('work_orders').update({ notes: 'Ring first' }).eq('id', job.id).select('tenant_id, notes')
  assert.deepEqual(done(await orders(client)), [{ tenant_id: company.id, notes: 'Ring first' }])
  assert.deepEqual(done(await orders(eve.client)), [])
  const theirs = [
    await eve.client.from('organizations').update({ name: 'Eve' }).eq('id', company.id).select('id'),
    await eve.client.from('organization_memberships').select('user_id').eq('organization_id', company.id),
    await eve.client.from('profiles').select('id').eq('email', ada.email),
    await eve.client.schema('shared').from('tenants').select('id').eq('id', company.id),
    await eve.client.schema('shared').from('users').select('id').eq('tenant_id', company.id),
    await eve.client.schema('shared').from('customers').select('id').eq('id', ada.id),
  ]
  for (const answer of theirs) assert.deepEqual(done(answer), [])
})
