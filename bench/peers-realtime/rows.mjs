// Changed rows under row-level security: so many members of so many companies hear of jobs over sockets of their own, four of five of them of
// all their company's, the fifth of his alone, while jobs change in all companies. Prints changes in a second from the first write to the
// last arrival, how many words the sockets got, and how long a change takes from its commit to the sockets where few come.
// Words: address, subscribers, companies, changes. PSQL* of the environment leads to the database, SECRET signs tokens.
import { fork, spawn } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { WebSocket } from 'ws'

const [address, subscribers, companies, changes, from, to] = process.argv.slice(2)
const [SUBSCRIBERS, COMPANIES, CHANGES] = [subscribers, companies, changes].map(Number)
const CROWDS = 4
const WRITERS = 4
/** Jobs of a company, and of these those that one transaction changes. */
const JOBS = 20
const ROWS = 10
const DELAYS = Number(process.env.DELAYS ?? 300)
const FEW_PER_S = 50

const id = (kind, number) => `01900000-0000-7000-${kind}-${number.toString(16).padStart(12, '0')}`
const company = (number) => id('8c00', number)
const member = (number) => id('8d00', number)
const isTechnician = (number) => Math.floor(number / COMPANIES) % 5 === 4

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
function token(number) {
  const said = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: member(number), role: 'authenticated', aud: 'authenticated', exp: Math.floor(Date.now() / 1000) + 3600 })}`
  return `${said}.${createHmac('sha256', process.env.SECRET).update(said).digest('base64url')}`
}

/** Opens the socket of one member, and tells what it hears. */
async function subscribe(number, heard) {
  const socket = new WebSocket(`${address}&company=${company(number % COMPANIES)}`, { perMessageDeflate: false })
  await new Promise((resolve, reject) => {
    socket.on('error', reject)
    socket.on('close', (code) => reject(new Error(`socket ${number} was closed: ${code}`)))
    socket.on('message', (data) => {
      const text = data.toString()
      if (text.includes('"postgres_changes",{')) heard(text)
      else if (text.includes('Subscribed to PostgreSQL')) resolve()
      else if (text.includes('"resync"')) heard(undefined)
      else if (text.includes('"status":"error"')) reject(new Error(text))
    })
    socket.on('open', () => {
      const wishes = [{ event: 'UPDATE', schema: 'public', table: 'jobs' }, { event: 'INSERT', schema: 'public', table: 'tags' }]
      socket.send(JSON.stringify(['1', '1', 'realtime:rows', 'phx_join', { config: { postgres_changes: wishes }, access_token: token(number) }]))
    })
  })
  setInterval(() => socket.send('[null,"h","phoenix","heartbeat",{}]'), 30_000)
}

if (from !== undefined) {
  let [words, resyncs, ended, delays] = [0, 0, 0, []]
  const all = Array.from({ length: Number(to) - Number(from) }, (_, place) => Number(from) + place)
  const heard = (text) => {
    if (text === undefined) { resyncs += 1; return }
    words += 1
    if (text.includes('"table":"tags"')) {
      ended += 1
      if (ended === all.length) { process.send({ ended: true, words, resyncs, delays }); [words, resyncs, ended, delays] = [0, 0, 0, []] }
      return
    }
    const committed = Date.parse(text.match(/"commit_timestamp":"([^"]+)"/)[1])
    delays.push(performance.timeOrigin + performance.now() - committed)
  }
  for (let at = 0; at < all.length; at += 50) await Promise.all(all.slice(at, at + 50).map((number) => subscribe(number, heard)))
  process.send('open')
}

function sql(text) {
  const psql = spawn('psql', ['--quiet', '--no-psqlrc', '--tuples-only', '--no-align', '-v', 'ON_ERROR_STOP=1', '-f', '-'], { stdio: ['pipe', 'inherit', 'inherit'] })
  psql.stdin.end(text)
  return new Promise((resolve, reject) => psql.on('exit', (code) => code === 0 ? resolve() : reject(new Error(`psql ended with ${code}`))))
}

async function seed() {
  await sql(`
    begin;
    insert into public.companies (id, name, slug, max_seats)
    select ('01900000-0000-7000-8c00-' || lpad(to_hex(n), 12, '0'))::uuid, 'Crowd ' || n, 'crowd-' || n, 10000 from generate_series(0, ${COMPANIES - 1}) n
        on conflict do nothing;
    create temporary table wanted as
    select ('01900000-0000-7000-8d00-' || lpad(to_hex(n), 12, '0'))::uuid as id, ('01900000-0000-7000-8c00-' || lpad(to_hex(n % ${COMPANIES}), 12, '0'))::uuid as company_id,
           case when n / ${COMPANIES} % 5 = 4 then 'technician' else 'dispatcher' end as role, n
      from generate_series(0, ${SUBSCRIBERS - 1}) n;
    insert into auth.users (id, email, email_confirmed_at) select id, 'crowd' || n || '@example.com', now() from wanted on conflict do nothing;
    insert into public.team_members (company_id, user_id, role) select company_id, id, role from wanted on conflict do nothing;
    insert into public.customers (company_id, id, first_name, phone) select c.id, c.id, 'Cleo', '+15550100' from public.companies c
     where c.slug like 'crowd-%' on conflict do nothing;
    insert into public.jobs (company_id, id, customer_id, title, status, assigned_to)
    select c.id, ('01900000-0000-7000-8e00-' || lpad(to_hex(n), 4, '0') || right(c.id::text, 8))::uuid, c.id, 'Job ' || n, 'quoted',
           (select w.id from wanted w where w.company_id = c.id and w.role = 'technician' order by w.n limit 1)
      from public.companies c cross join generate_series(0, ${JOBS - 1}) n where c.slug like 'crowd-%' on conflict do nothing;
    commit;
    analyze public.jobs; analyze public.team_members;`)
}

/** Changes of one writer: transactions of so many rows, each in the next company. */
const writes = (writer, transactions, rows, pause) => `
  do $$
  declare
    v_company uuid;
  begin
    for i in 1..${transactions} loop
      v_company := ('01900000-0000-7000-8c00-' || lpad(to_hex((i * ${WRITERS} + ${writer}) % ${COMPANIES}), 12, '0'))::uuid;
      update public.jobs j set notes = i::text
       where j.company_id = v_company and j.id in (select ('01900000-0000-7000-8e00-' || lpad(to_hex((i + n) % ${JOBS}), 4, '0') || right(v_company::text, 8))::uuid
                                                     from generate_series(0, ${rows - 1}) n);
      commit;
      ${pause ? `perform pg_sleep(${pause});` : ''}
    end loop;
  end $$;`
const END = `insert into public.tags (company_id, name, slug) select id, 'end', 'end-' || app.uuid_v7() from public.companies where slug like 'crowd-%'`

async function main() {
  await seed()
  const opened = performance.now()
  const share = Math.ceil(SUBSCRIBERS / CROWDS)
  const crowds = Array.from({ length: CROWDS }, (_, number) => fork(process.argv[1], [
    address, subscribers, companies, changes, String(number * share), String(Math.min(SUBSCRIBERS, (number + 1) * share)),
  ]))
  const said = (is) => Promise.all(crowds.map((one) => new Promise((resolve, reject) => {
    const listen = (word) => { if (is(word)) { one.off('message', listen); resolve(word) } }
    one.on('message', listen)
    one.once('exit', (code) => reject(new Error(`a crowd ended with ${code}`)))
  })))
  await said((word) => word === 'open')
  const joins = SUBSCRIBERS / ((performance.now() - opened) / 1000)
  const round = async (write) => {
    const begun = performance.now()
    const all = said((word) => word.ended)
    await write()
    const written = (performance.now() - begun) / 1000
    await sql(END)
    const words = await all
    const sum = (field) => words.reduce((sum, word) => sum + word[field], 0)
    return { seconds: (performance.now() - begun) / 1000, written, words: sum('words'), resyncs: sum('resyncs'), delays: words.flatMap((word) => word.delays) }
  }
  const transactions = Math.ceil(CHANGES / WRITERS / ROWS)
  const many = await round(() => Promise.all(Array.from({ length: WRITERS }, (_, writer) => sql(writes(writer, transactions, ROWS, 0)))))
  const few = await round(() => sql(writes(0, DELAYS, 1, 1 / FEW_PER_S)))
  few.delays.sort((a, b) => a - b)
  const at = (part_) => Number(few.delays[Math.min(few.delays.length - 1, Math.floor(few.delays.length * part_))].toFixed(1))
  const total = transactions * WRITERS * ROWS
  console.log(JSON.stringify({
    who: 'rows', subscribers: SUBSCRIBERS, companies: COMPANIES, joins_per_s: Math.round(joins), changes: total, changes_per_s: Math.round(total / many.seconds),
    written_per_s: Math.round(total / many.written), words_per_s: Math.round(many.words / many.seconds), resyncs: many.resyncs + few.resyncs,
    commit_to_arrival_ms_p50: at(0.5), ms_p99: at(0.99),
  }))
  crowds.forEach((one) => one.removeAllListeners('exit') && one.kill())
  process.exit(0)
}

if (from === undefined) await main()
