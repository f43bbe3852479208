// Other queues with tasks that do nothing, measured as ours is: peer.mjs SYSTEM MEASURE [--name=value ...]. Says one line of JSON.
//
// Each as its documents have it when it is to be fast: graphile-worker with its local queue and batches, pg-boss by fetching hundreds,
// BullMQ in one process with many at a time. Nothing that they do by themselves is switched off.

import { fork } from 'node:child_process'
import { performance } from 'node:perf_hooks'

const [system, measure, ...rest] = process.argv.slice(2)
const given = Object.fromEntries(rest.map((one) => one.replace(/^--/, '').split('=')))
const number = (name, otherwise) => Number(given[name] ?? otherwise)
const database = process.env.PEER_DATABASE
const redis = { host: '127.0.0.1', port: Number(process.env.PEER_REDIS_PORT), maxRetriesPerRequest: null }
const now = () => Math.round(performance.timeOrigin * 1000 + performance.now() * 1000)
const sleep = (ms) => new Promise((done) => setTimeout(done, ms))
const chunks = function* (count, size) {
  for (let from = 0; from < count; from += size) yield Math.min(size, count - from)
}

let count = 0
const waited = []
let began = () => {}
// What every task does: nothing, for as long as it says; one with a time says how long it waited.
const handle = async (payload) => {
  if (payload.since) {
    waited.push(now() - payload.since)
    began()
  } else {
    if (payload.millis) await sleep(payload.millis)
    count += 1
  }
}

// Each: ready() prepares, fill(n, payload) puts many in, add(payload) one, work() does them and answers how to stop, left() is what is there.
const systems = {
  'graphile-worker': async () => {
    const { default: pg } = await import('pg')
    const worker = await import('graphile-worker')
    const pool = new pg.Pool({ connectionString: database, max: 20 })
    pool.on('error', () => {})
    pool.on('connect', (client) => client.on('error', () => {}))
    const quiet = new worker.Logger(() => () => {})
    const utils = await worker.makeWorkerUtils({ pgPool: pool, logger: quiet })
    return {
      workers: 4,
      ready: () => utils.migrate(),
      fill: async (tasks, payload) => {
        for (const size of chunks(tasks, 5000)) await utils.addJobs(Array.from({ length: size }, () => ({ identifier: 'noop', payload })))
      },
      add: (payload) => utils.addJob('noop', payload),
      work: async () => {
        const preset = { worker: { concurrentJobs: 24, localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } }
        const runner = await worker.run({ pgPool: pool, logger: quiet, noHandleSignals: true, preset, taskList: { noop: handle } })
        return () => runner.stop()
      },
      left: async () => Number((await pool.query('select count(*) from graphile_worker._private_jobs')).rows[0].count),
      end: () => pool.end(),
    }
  },
  'pg-boss': async () => {
    const { PgBoss } = await import('pg-boss')
    const { default: pg } = await import('pg')
    const pool = new pg.Pool({ connectionString: database, max: 2 })
    const boss = new PgBoss({ connectionString: database, max: 20 })
    boss.on('error', () => {})
    await boss.start()
    return {
      workers: 1,
      ready: () => boss.createQueue('noop'),
      fill: async (tasks, data) => {
        for (const size of chunks(tasks, 5000)) await boss.insert('noop', Array.from({ length: size }, () => ({ data })))
      },
      add: (data) => boss.send('noop', data),
      work: async () => {
        let stopped = false
        const loop = async () => {
          while (!stopped) {
            const jobs = await boss.fetch('noop', { batchSize: 100 })
            if (jobs.length === 0) {
              await sleep(20)
              continue
            }
            await Promise.all(jobs.map((job) => handle(job.data)))
            await boss.complete('noop', jobs.map((job) => job.id))
          }
        }
        const loops = Array.from({ length: 4 }, loop)
        return async () => {
          stopped = true
          await Promise.all(loops)
        }
      },
      left: async () => Number((await pool.query("select count(*) from pgboss.job where name = 'noop' and state < 'completed'")).rows[0].count),
      end: async () => {
        await boss.stop({ graceful: false })
        await pool.end()
      },
    }
  },
  bullmq: async () => {
    const { Queue, Worker } = await import('bullmq')
    const queue = new Queue('noop', { connection: redis })
    return {
      workers: 1,
      ready: () => queue.waitUntilReady(),
      fill: async (tasks, data) => {
        for (const size of chunks(tasks, 1000)) await queue.addBulk(Array.from({ length: size }, () => ({ name: 'noop', data })))
      },
      add: (data) => queue.add('noop', data),
      work: async () => {
        const worker = new Worker('noop', (job) => handle(job.data), { connection: redis, concurrency: 100 })
        worker.on('error', () => {})
        await worker.waitUntilReady()
        return () => worker.close(true)
      },
      left: async () => {
        const counts = await queue.getJobCounts('waiting', 'active', 'delayed', 'prioritized')
        return Object.values(counts).reduce((sum, one) => sum + one, 0)
      },
      end: () => queue.close(),
    }
  },
}

// Starts worker processes and returns how many tasks they did, each told every few milliseconds.
const start = (workers, done) =>
  Array.from({ length: workers }, () => {
    const child = fork(process.argv[1], [system, 'work'], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    child.on('message', (said) => done(said))
    return child
  })

const measures = {
  ready: async (it) => {
    await it.ready()
    return {}
  },
  fill: async (it) => {
    const [tasks, begun] = [number('tasks', 1000), now()]
    await it.fill(tasks, { millis: number('millis', 0) })
    return { tasks, begun_us: begun, ended_us: now() }
  },
  // A worker of its own; whoever started it kills it.
  work: async (it) => {
    await it.work()
    process.send('ready')
    let told = 0
    setInterval(() => {
      if (count > told) process.send(count - told)
      told = count
    }, 5)
    process.on('disconnect', () => process.exit())
    return new Promise(() => {})
  },
  // Begins when every worker is there, which the time until the first task tells, and ends when nothing is left.
  drain: async (it) => {
    const [tasks, workers] = [number('tasks', 1000), number('workers', it.workers)]
    let [did, first] = [0, 0]
    const children = start(workers, (said) => {
      if (said === 'ready') first ||= now()
      else did += said
    })
    const late = performance.now() + number('limit', 600) * 1000
    while (did < tasks && performance.now() < late) await sleep(2)
    while ((await it.left()) > 0 && performance.now() < late) await sleep(2)
    const ended = now()
    for (const child of children) child.kill('SIGKILL')
    return { tasks: did, begun_us: first, ended_us: ended }
  },
  // Every worker is killed in the middle, and others come at once.
  recover: async (it) => {
    const [tasks, limit] = [number('tasks', 1000), number('limit', 60)]
    let did = 0
    const done = (said) => {
      if (said !== 'ready') did += said
    }
    const killed = start(it.workers, done)
    while (did < tasks / 4) await sleep(2)
    for (const child of killed) child.kill('SIGKILL')
    const begun = performance.now()
    const children = start(it.workers, done)
    while ((await it.left()) > 0 && performance.now() - begun < limit * 1000) await sleep(50)
    const [left, took] = [await it.left(), performance.now() - begun]
    for (const child of children) child.kill('SIGKILL')
    return { left, recovered_ms: Math.round(took) }
  },
  enqueue: async (it) => {
    const [begun, until] = [now(), performance.now() + number('seconds', 5) * 1000]
    let tasks = 0
    const caller = async () => {
      for (; performance.now() < until; tasks += 1) await it.add({ millis: 0 })
    }
    await Promise.all(Array.from({ length: number('callers', 16) }, caller))
    return { tasks, begun_us: begun, ended_us: now() }
  },
  wait: async (it) => {
    const [tasks, pause, limit] = [number('tasks', 1000), number('pause_ms', 0), number('limit', 120)]
    const stop = await it.work()
    const next = () => new Promise((done) => (began = done))
    // The first one says that the worker is there, and is not counted; behind others it would wait until they are done.
    if (!given.behind) {
      const first = next()
      await it.add({ since: now() })
      await first
    }
    for (let one = 0; one < tasks; one += 1) {
      const started = next()
      await it.add({ since: now() })
      await (pause ? sleep(pause) : started)
    }
    const late = performance.now() + limit * 1000
    while (waited.length < tasks + (given.behind ? 0 : 1) && performance.now() < late) await sleep(1)
    const beside = count
    await stop()
    const sorted = waited.slice(given.behind ? 0 : 1).sort((a, b) => a - b)
    const at = (percent) => sorted[Math.min(Math.floor((sorted.length * percent) / 100), sorted.length - 1)] ?? 0
    return { tasks: sorted.length, p50_us: at(50), p99_us: at(99), max_us: at(100), beside }
  },
}

const it = await systems[system]()
if (measure !== 'ready') await it.ready()
const said = await measures[measure](it)
console.log(JSON.stringify(said))
await Promise.race([it.end(), sleep(1000)])
process.exit()
