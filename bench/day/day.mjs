// A dispatcher's day, played again: the same reads and writes, decided by a seed, at the pace of a day that takes minutes.
// day.mjs ADDRESS OTHER: says in one line of JSON what came of it; OTHER is a second server of the same database, or nothing.
//
// Six dispatchers have the board open. What each screen asks for is what the applications ask for: the board reads the schedule, the team, the
// settings; a call is a customer looked for, his properties, equipment and jobs; a quote reads the price book. What they write is mostly
// schedules and jobs; now and then a customer, seldom an item of the price book.

const [address, other] = process.argv.slice(2)
const { SEED = '1', REQUESTS = '2000', RATE = '10', ANON, TOKEN, COMPANY } = process.env
const headers = { apikey: ANON, authorization: `Bearer ${TOKEN}`, 'x-company-id': COMPANY, 'content-type': 'application/json' }
const sleep = (ms) => new Promise((done) => setTimeout(done, ms))

let state = BigInt(SEED)
const below = (limit) => {
  state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn
  return Number((state >> 33n) % BigInt(limit))
}
// Of many some are asked for far more often than others.
const often = (list) => list[Math.min(below(list.length), below(list.length), below(list.length))]

const ask = async (at, path, method = 'GET', body) => {
  const begun = performance.now()
  const answer = await fetch(`${at}/rest/v1/${path}`, { method, headers, body: body && JSON.stringify(body) })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
  return { text, ms: performance.now() - begun, how: answer.headers.get('cache-status') ?? '' }
}
const ids = async (table) => JSON.parse((await ask(address, `${table}?select=id&order=created_at,id&limit=200`)).text).map((row) => row.id)

const [customers, jobs, schedules, items] = [await ids('customers'), await ids('jobs'), await ids('schedules'), await ids('price_book_items')]
const day = new Date().toISOString().slice(0, 10)
const board = [
  `schedules?select=id,title,start_time,status,assigned_to&start_time=gte.${day}T00:00:00Z&order=start_time&limit=100`,
  'team_members?select=id,role,status,job_title&order=id',
  'company_settings?select=*',
]
const customer = (id) => [
  `customers?select=*&id=eq.${id}`,
  `properties?select=id,name&customer_id=eq.${id}`,
  `equipment?select=id,name,status&customer_id=eq.${id}`,
  `jobs?select=id,title,status&customer_id=eq.${id}&order=created_at.desc&limit=20`,
]
const screens = [
  [30, () => board],
  [25, () => customer(often(customers))],
  [10, () => [`customers?select=id,display_name,phone&order=display_name&limit=50&offset=${50 * below(3)}`]],
  [12, () => ['price_book_categories?select=id,name&order=name', 'price_book_items?select=id,name,sku,unit,price&order=name&limit=200']],
  [8, () => ['labor_rates?select=*&order=id', 'service_packages?select=id,name&order=id', 'tags?select=id,name&order=name']],
  [6, () => ['inventory?select=*&order=id&limit=100']],
  [5, () => ['companies?select=id,name']],
  [4, () => [`jobs?select=*&id=eq.${often(jobs)}`]],
]
const writes = [
  [60, () => [`schedules?id=eq.${often(schedules)}`, { notes: `called at ${below(1e6)}` }]],
  [32, () => [`jobs?id=eq.${often(jobs)}`, { notes: `seen at ${below(1e6)}` }]],
  [7, () => [`customers?id=eq.${often(customers)}`, { notes: `asked at ${below(1e6)}` }]],
  [1, () => [`price_book_items?id=eq.${often(items)}`, { description: `as of ${below(1e6)}` }]],
]
const choose = (list) => {
  let at = below(list.reduce((sum, [weight]) => sum + weight, 0))
  return list.find(([weight]) => (at -= weight) < 0)[1]()
}
const kept = /^(company_settings|price_book_items|price_book_categories|labor_rates|service_packages|tags|team_members|equipment|companies|customers|inventory)\?/

const seen = { hits: [], others: [], asked: 0, kept: 0, writes: 0, stale: [] }
const read = async (path) => {
  const answer = await ask(address, path)
  seen.asked += 1
  if (!kept.test(path)) return
  seen.kept += 1
  ;(answer.how.startsWith('thorbis; hit') ? seen.hits : seen.others).push(answer.ms)
}
// How long another server answers with what was, after this one said that it was changed.
const staleness = async ([path, change]) => {
  const [name, value] = Object.entries(change)[0]
  const begun = performance.now()
  while (!(await ask(other, `${path}&select=${name}`)).text.includes(value)) {
    if (performance.now() - begun > 20000) throw new Error(`${path} stays stale`)
    await sleep(5)
  }
  seen.stale.push(performance.now() - begun)
}
const begun = performance.now()
for (let one = 0; one < Number(REQUESTS); ) {
  // One of thirty things that are done is a change.
  if (below(30) === 0) {
    const [path, change] = choose(writes)
    if (other && kept.test(path)) await ask(other, `${path}&select=${Object.keys(change)[0]}`)
    await ask(address, path, 'PATCH', change)
    seen.writes += 1
    if (other && kept.test(path)) await staleness([path, change])
    one += 1
  } else {
    const paths = choose(screens)
    await Promise.all(paths.map(read))
    one += paths.length
  }
  const ahead = (one / Number(RATE)) * 1000 - (performance.now() - begun)
  if (ahead > 0) await sleep(ahead)
}
const sorted = (list) => list.sort((a, b) => a - b)
const at = (list, percent) => Math.round(1000 * (list[Math.min(Math.floor((list.length * percent) / 100), list.length - 1)] ?? 0))
const all = sorted([...seen.hits, ...seen.others])
sorted(seen.hits)
sorted(seen.stale)
console.log(
  JSON.stringify({
    asked: seen.asked, kept: seen.kept, hits: seen.hits.length, writes: seen.writes, hit_p50_us: at(seen.hits, 50), hit_p99_us: at(seen.hits, 99),
    p50_us: at(all, 50), p99_us: at(all, 99), stale: seen.stale.length, stale_max_us: at(seen.stale, 100),
  }),
)
