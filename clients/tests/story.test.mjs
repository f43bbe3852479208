// The first way through the house: sign up, found a company, enter a customer and a job, read them back; nobody else sees any of it.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile, writeFile, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { ANON_KEY, URL, done, owner, person, service, visitor } from './house.mjs'

test('a new user founds a company, enters a customer and a job, and reads them back', async () => {
  const { client, user, company } = await owner('ann')
  const customer = done(await client.from('customers')
    .insert({ first_name: 'Ben', last_name: 'Baker', email: 'ben@example.com', phone: '+15551234567' }).select().single())
  assert.equal(customer.company_id, company.id)
  const property = done(await client.from('properties')
    .insert({ customer_id: customer.id, name: 'Home', address: '1 Main Street', city: 'Springfield', state: 'IL', zip_code: '62701' }).select().single())
  const job = done(await client.from('jobs')
    .insert({ customer_id: customer.id, property_id: property.id, title: 'Fix the boiler', status: 'quoted' }).select().single())
  assert.match(job.job_number, /^JOB-\d{4}-0001$/)
  assert.equal(job.created_by ?? user.id, user.id)

  const read = done(await client.from('jobs').select('id, title, customer_id').eq('id', job.id).single())
  assert.deepEqual(read, { id: job.id, title: 'Fix the boiler', customer_id: customer.id })
  const { data, count } = await client.from('customers').select('display_name', { count: 'exact' }).ilike('email', 'BEN@%').order('created_at')
  assert.deepEqual([data.map((row) => row.display_name), count], [['Ben Baker'], 1])

  // A rule of the trade, and then the change as it has to be.
  const tooEarly = await client.from('jobs').update({ status: 'scheduled' }).eq('id', job.id)
  assert.deepEqual([tooEarly.error.code, tooEarly.error.details], ['job_requirement_missing', 'scheduled_start,scheduled_end'])
  const change = { status: 'scheduled', scheduled_start: '2027-01-04T09:00:00Z', scheduled_end: '2027-01-04T11:00:00Z' }
  const changed = done(await client.from('jobs').update(change).eq('id', job.id).select('status').single())
  assert.equal(changed.status, 'scheduled')
})

test('another company sees nothing of it and reaches nothing of it', async () => {
  const { client: ours, company } = await owner('ann')
  const customer = done(await ours.from('customers').insert({ phone: '+15550100', first_name: 'Ben', last_name: 'Baker' }).select().single())
  const job = done(await ours.from('jobs').insert({ customer_id: customer.id, title: 'Ours', status: 'quoted' }).select().single())
  const { client: theirs } = await owner('carl')

  for (const table of ['customers', 'jobs', 'companies', 'team_members']) {
    const rows = done(await theirs.from(table).select('*'))
    assert.ok(rows.every((row) => (row.company_id ?? row.id) !== company.id), table)
  }
  assert.deepEqual(done(await theirs.from('jobs').update({ title: 'Theirs' }).eq('id', job.id).select()), [])
  assert.deepEqual(done(await theirs.from('jobs').delete().eq('id', job.id).select()), [])
  const pointed = await theirs.from('jobs').insert({ customer_id: customer.id, title: 'Pointing', status: 'quoted' })
  assert.equal(pointed.error.code, '23503')
  const moved = await theirs.from('customers').insert({ company_id: company.id, phone: '+15550100', first_name: 'X', last_name: 'Y' })
  assert.equal(moved.error.code, '42501')
  assert.equal(done(await ours.from('jobs').select('title').eq('id', job.id).single()).title, 'Ours')
})

test('whoever is not signed in, or in no company, sees nothing', async () => {
  const { error } = await visitor().from('customers').select('id')
  assert.equal(error.code, '42501')
  const { client } = await person('dora')
  assert.deepEqual(done(await client.from('customers').select('id')), [])
  const refused = await client.from('customers').insert({ phone: '+15550100', first_name: 'X', last_name: 'Y' })
  assert.deepEqual([refused.status, refused.error.code], [403, 'company_required'])
})

test('the demo login works, in a company with customers and jobs', async () => {
  const client = visitor()
  done(await client.auth.signInWithPassword({ email: process.env.DEMO_EMAIL, password: process.env.DEMO_PASSWORD }))
  assert.ok(done(await client.from('customers').select('id')).length > 0)
  assert.ok(done(await client.from('jobs').select('id')).length > 0)
})

test('the service key reaches every company', async () => {
  const [{ company: one }, { company: two }] = await Promise.all([owner('ann'), owner('bob')])
  const rows = done(await service().from('companies').select('id').in('id', [one.id, two.id]))
  assert.equal(rows.length, 2)
})

test('the program in README.md does what README.md says', async () => {
  const readme = await readFile(new globalThis.URL('../../README.md', import.meta.url), 'utf8')
  const program = readme.match(/```js\n([\s\S]*?)```/)[1]
  const folder = await mkdtemp(join(tmpdir(), 'thorbis-readme-'))
  try {
    await writeFile(join(folder, 'first.mjs'), program)
    await symlink(new globalThis.URL('../node_modules', import.meta.url).pathname, join(folder, 'node_modules'))
    const env = { ...process.env, THORBIS_URL: URL, ANON_KEY }
    const { stdout } = await promisify(execFile)(process.execPath, ['first.mjs'], { cwd: folder, env })
    assert.match(stdout, /Ann's Plumbing \d+ Ben Baker/)
    assert.match(stdout, /Fix the boiler/)
    assert.match(stdout, /seen by the other company: \[\]/)
  } finally {
    await rm(folder, { recursive: true })
  }
})
