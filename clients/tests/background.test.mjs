// Background work by the names that programs and schedules written for other installations call, each with what comes of it.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { address, done, member, message, owner, service, visitor } from './house.mjs'

/** Asks until there is an answer. */
async function until(what, ask, millis = 30_000) {
  const deadline = Date.now() + millis
  for (;;) {
    const found = await ask()
    if (found) return found
    assert.ok(Date.now() < deadline, `never: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** A company with a customer who has an address of his own. */
async function shop(name) {
  const ann = await owner(name)
  const email = address('ben')
  const customer = done(await ann.client.from('customers').insert({ first_name: 'Ben', last_name: 'Baker', email }).select().single())
  return { ...ann, customer, to: email }
}

test('job_queue takes a mail, says how it is in its own words, and background_jobs in others', async () => {
  const { client, company, to } = await shop('ann')
  const payload = { to, subject: 'Your estimate', text: 'It is ready.' }
  done(await client.from('job_queue').insert({ company_id: company.id, job_type: 'send_email', payload, priority: 1 }))
  assert.match((await message(to)).text, /It is ready\./)
  const columns = 'job_type, status, priority, retry_count, max_retries, payload, error_message'
  const row = await until('it is done', async () => {
    const seen = done(await client.from('job_queue').select(columns).eq('company_id', company.id).single())
    return seen.status === 'completed' && seen
  })
  assert.deepEqual(row, { job_type: 'send_email', status: 'completed', priority: 1, retry_count: 0, max_retries: 3, payload, error_message: null })
  const shown = done(await client.from('background_jobs').select('status, progress_percent, completed_at').single())
  assert.deepEqual([shown.status, shown.progress_percent, typeof shown.completed_at], ['completed', 100, 'string'])

  const bob = await shop('bob')
  const wanted = { job_type: 'send_email', payload }
  const refused = async (who, row) => (await who.from('job_queue').insert(row)).error?.code
  assert.equal(await refused(bob.client, { ...wanted, company_id: company.id }), '42501')
  assert.equal(await refused(bob.client, wanted), '22023', 'the address is no customer of theirs')
  assert.equal(await refused((await member(company, 'viewer')).client, wanted), '42501')
  assert.equal(await refused(visitor(), wanted), '42501')
  assert.deepEqual(done(await bob.client.from('job_queue').select('id')), [])
  assert.deepEqual(done(await bob.client.from('background_jobs').select('id')), [])
})

test('job_queue takes an estimate by its template, and a template of the company with variables', async () => {
  const { client, company, customer, to } = await shop('ann')
  const line_items = [{ description: 'Boiler', quantity: 1, unit_price: 123_450 }]
  const estimate = done(await client.from('estimates').insert({ customer_id: customer.id, title: 'New boiler', line_items }).select().single())
  const payload = { template: 'estimate', estimate_id: estimate.id, to: customer.email }
  done(await client.from('job_queue').insert({ company_id: company.id, job_type: 'send_email', payload, priority: 1 }))
  const letter = await message(to)
  assert.match(letter.text, new RegExp(`Dear Ben Baker[^]*${estimate.estimate_number}: New boiler[^]*1,234\\.50 USD`))

  const event = 'spring_offer'
  done(await client.from('notification_templates').insert({ event, channel: 'email', name: 'Offer', subject: 'Offer', body: '{{ discount }} % off until {{ day }}' }))
  const offer = (variables) => client.from('job_queue').insert({ job_type: 'send_email', payload: { template: event, to, variables } })
  assert.equal((await offer({ discount: 10 })).error.code, 'template_variable_missing')
  done(await offer({ discount: 10, day: 'Monday' }))
  const told = await until('the offer is there', async () => {
    const rows = done(await client.from('background_jobs').select('status, payload'))
    return rows.find((row) => row.payload.template === event && row.status === 'completed')
  })
  assert.deepEqual(told.payload.variables, { discount: 10, day: 'Monday' })
  const bob = await shop('bob')
  const wanted = { job_type: 'send_email', payload: { template: event, to: bob.to, variables: { discount: 1, day: 'x' } } }
  assert.equal((await bob.client.from('job_queue').insert(wanted)).error.code, 'template_unknown')
})

test('send_invoice_reminder writes to the customer of an overdue invoice, once', async () => {
  const { client, company, customer, to } = await shop('ann')
  const due_date = new Date(Date.now() - 5 * 86_400_000).toISOString()
  const line_items = [{ description: 'Work', quantity: 2, unit_price: 5000 }]
  const invoice = done(await client.from('invoices').insert({ customer_id: customer.id, due_date, line_items }).select().single())
  done(await client.from('invoices').update({ status: 'sent' }).eq('id', invoice.id))
  assert.match(done(await service().rpc('send_invoice_reminder', { invoice_id: invoice.id })), /^[0-9a-f-]{36}$/)
  assert.match((await message(to)).text, /Dear Ben Baker[^]*100\.00 USD/)
  const seen = done(await client.from('invoices').select('reminder_count, last_reminder_at').eq('id', invoice.id).single())
  assert.deepEqual([seen.reminder_count, typeof seen.last_reminder_at], [1, 'string'])
  // By another's invoice, and asked for by a member, nothing comes.
  assert.equal(done(await service().rpc('send_invoice_reminder', { invoice_id: randomUUID() })), null)
  assert.equal((await client.rpc('send_invoice_reminder', { invoice_id: invoice.id })).error.code, '42501')
  assert.equal((await visitor().rpc('send_invoice_reminder', { invoice_id: invoice.id })).error.code, '42501')
  assert.equal(done(await service().from('job_queue').select('id').eq('company_id', company.id).eq('job_type', 'invoice_reminder')).length, 1)
})

test('generate_customer_report mails the owner what his customers are', async () => {
  const { client, company, email } = await shop('ann')
  assert.match(done(await service().rpc('generate_customer_report', { company_id: company.id })), /^[0-9a-f-]{36}$/)
  assert.match((await message(email)).text, /customers/i)
  assert.equal((await client.rpc('generate_customer_report', { company_id: company.id })).error.code, '42501')
})

test('send_alert tells the operator', async () => {
  const text = `High connection count: ${randomUUID()}`
  const id = done(await service().rpc('send_alert', { message: text }))
  const alert = done(await service().rpc('alerts')).find((one) => one.id === id)
  assert.deepEqual([alert.rule, alert.body], ['told', text])
  assert.equal((await (await owner('ann')).client.rpc('send_alert', { message: text })).error.code, '42501')
})

test('schedules make requests by extensions.http and net.http_post, and raise alerts', async (context) => {
  const heard = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const part of request) body += part
    heard.push(`${request.method} ${request.url} ${request.headers.authorization} ${request.headers['content-type']} ${body}`)
    response.end()
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  context.after(() => server.close())
  const at = `http://127.0.0.1:${server.address().port}`
  const word = randomUUID()
  const cron = service().schema('cron')
  const commands = {
    'job-processor': `
      SELECT extensions.http((
        'POST', '${at}/functions/v1/job-processor',
        ARRAY[extensions.http_header('Authorization', 'Bearer ' || 'key')],
        'application/json', '{}'
      )::extensions.http_request);`,
    'tell': `select net.http_post(url := '${at}/hook', body := '{"id": 7}'::jsonb,
                                  headers := '{"Content-Type": "application/json", "Authorization": "Bearer other"}'::jsonb)`,
    'check-connections': `
      DO $check$
      DECLARE
        conn_count INTEGER;
      BEGIN
        SELECT count(*) INTO conn_count FROM pg_stat_activity;
        IF conn_count > 0 THEN
          PERFORM send_alert('Connections of ${word}');
        END IF;
      END $check$;`,
  }
  for (const [name, command] of Object.entries(commands)) {
    const job = `${name} ${word}`
    done(await cron.rpc('schedule', { job_name: job, schedule: '* * * * *', command }))
    context.after(() => cron.rpc('unschedule', { job_name: job }))
  }
  await until('both requests', async () => new Set(heard).size >= 2, 90_000)
  assert.deepEqual([...new Set(heard)].sort(), [
    'POST /functions/v1/job-processor Bearer key application/json {}',
    'POST /hook Bearer other application/json {"id": 7}',
  ])
  await until('the alert', async () => done(await service().rpc('alerts')).some((one) => one.body === `Connections of ${word}`), 90_000)
  // No member has such a request made, whatever he calls.
  const { client } = await owner('ann')
  const asked = [
    ['net', 'http_post', { url: `${at}/mine` }, 'PGRST106'],
    ['extensions', 'http', { request: `("POST","${at}/mine",,,)` }, 'PGRST106'],
    ['cron', 'schedule', { job_name: 'mine', schedule: '* * * * *', command: `select net.http_post(url := '${at}/mine')` }, '42501'],
  ]
  for (const [schema, name, given, code] of asked) {
    assert.equal((await client.schema(schema).rpc(name, given)).error.code, code, name)
  }
  assert.ok(!heard.some((one) => one.includes('/mine')))
})
