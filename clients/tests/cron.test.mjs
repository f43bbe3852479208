// What comes again and again: the service's SQL by the names of pg_cron, and members' tasks.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { done, member, owner, service, visitor } from './house.mjs'

test('the service schedules SQL, changes it and takes it back', async () => {
  const cron = service().schema('cron')
  const name = `kpis ${randomUUID()}`
  const id = done(await cron.rpc('schedule', { job_name: name, schedule: '*/5 * * * *', command: 'select refresh_reporting_views()' }))
  const columns = 'jobid, schedule, command, nodename, nodeport, database, username, active, jobname'
  const job = done(await cron.from('job').select(columns).eq('jobid', id).single())
  assert.deepEqual(
    { ...job, database: null },
    { jobid: id, schedule: '*/5 * * * *', command: 'select refresh_reporting_views()', nodename: 'localhost', nodeport: 5432, database: null,
      username: 'service_role', active: true, jobname: name },
  )
  done(await cron.rpc('alter_job', { job_id: id, schedule: '@daily', active: false }))
  const altered = done(await cron.from('job').select('schedule, active').eq('jobid', id).single())
  assert.deepEqual(altered, { schedule: '@daily', active: false })
  const wrong = await cron.rpc('schedule', { job_name: name, schedule: '61 * * * *', command: 'select 1' })
  assert.deepEqual([wrong.status, wrong.error.code, wrong.error.message], [400, '22023', 'invalid schedule: 61 * * * *'])
  assert.equal((await cron.rpc('schedule_in_database', { job_name: name, schedule: '@daily', command: 'select 1', database: 'other' })).error.code, '0A000')
  assert.equal(done(await cron.rpc('unschedule', { job_name: name })), true)
  assert.deepEqual(done(await cron.from('job').select('jobid').eq('jobid', id)), [])
})

test('what a schedule ran is told with its status', async () => {
  const cron = service().schema('cron')
  const name = `now ${randomUUID()}`
  const id = done(await cron.rpc('schedule', { job_name: name, schedule: '* * * * *', command: 'select 1' }))
  const deadline = Date.now() + 90_000
  let run
  do {
    assert.ok(Date.now() < deadline, 'it never came')
    await new Promise((resolve) => setTimeout(resolve, 250))
    run = done(await cron.from('job_run_details').select('jobid, username, command, status, return_message').eq('jobid', id).limit(1).maybeSingle())
  } while (!['succeeded', 'failed'].includes(run?.status))
  assert.deepEqual(run, { jobid: id, username: 'service_role', command: 'select 1', status: 'succeeded', return_message: '1 row' })
  done(await cron.rpc('unschedule', { job_name: name }))
})

test('members schedule tasks and never SQL', async () => {
  const { client, company } = await owner('ann')
  done(await client.from('customers').insert({ phone: '+15550100', first_name: 'Ada', email: 'ada@example.com' }))
  const payload = { to: 'ada@example.com', subject: 'Filter', text: 'Change the filter.' }
  const id = done(await client.rpc('schedule_task', { name: 'filter', schedule: '0 9 1 * *', kind: 'send_email', payload, time_zone: 'America/New_York' }))
  const seen = done(await client.from('scheduled_tasks').select('id, schedule, time_zone, job_type, payload, is_active').single())
  assert.deepEqual(seen, { id, schedule: '0 9 1 * *', time_zone: 'America/New_York', job_type: 'send_email', payload, is_active: true })
  for (const someone of [client, (await member(company, 'technician')).client, (await owner('bob')).client, visitor()]) {
    const refused = await someone.schema('cron').rpc('schedule', { schedule: '@daily', command: 'select 1' })
    assert.equal(refused.error.code, '42501', JSON.stringify(refused.error))
  }
  const jobs = done(await client.schema('cron').from('job').select('jobid, username, jobname'))
  assert.deepEqual(jobs, [{ jobid: id, username: 'authenticated', jobname: 'filter' }])
  assert.deepEqual(done(await (await owner('carl')).client.schema('cron').from('job').select('jobid')), [])
  assert.equal(done(await client.rpc('unschedule_task', { name: 'filter' })), true)
})
