// A crowd in one channel: so many sockets, so many messages that one of them sends: first each after the crowd has the one before, then so
// many more with up to FLIGHT (16) under way. Prints joins and messages in a second, the time from sending to the last arrival, and what a
// message to one socket takes of the processor in the process SERVER. Words: who (thorbis, ws, socketio), address, sockets, messages.
import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { WebSocket } from 'ws'

const [who, address, sockets, messages, part] = process.argv.slice(2)
const total = Number(sockets)
const rounds = Number(messages)
const TOPIC = 'realtime:crowd'
const CROWDS = 4
const FLIGHT = Number(process.env.FLIGHT ?? 16)
/** Microseconds of a tick in which Linux counts the time of processes. */
const TICK_US = 10_000

const speaks = {
  thorbis: {
    hello: () => [JSON.stringify(['1', '1', TOPIC, 'phx_join', { config: { broadcast: { self: true } } }])],
    isIn: (text) => text.includes('phx_reply'),
    say: (n) => JSON.stringify(['1', null, TOPIC, 'broadcast', { type: 'broadcast', event: 'say', payload: { n } }]),
    isSaid: (text) => text.includes('"broadcast"'),
  },
  ws: { hello: () => [], isIn: undefined, say: (n) => JSON.stringify({ event: 'say', payload: { n } }), isSaid: () => true },
  socketio: {
    hello: () => ['40'],
    isIn: (text) => text.startsWith('40'),
    say: (n) => `42["say",{"n":${n}}]`,
    isSaid: (text) => text.startsWith('42'),
  },
}[who]

/** How long the server has been on processors, in microseconds. */
function spent() {
  const fields = readFileSync(`/proc/${process.env.SERVER}/stat`, 'utf8').replace(/.*\) /, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_US
}

/** Opens sockets and counts what they hear. */
async function crowd(count, heard) {
  const open = async () => {
    const socket = new WebSocket(address, { perMessageDeflate: false })
    await new Promise((resolve, reject) => {
      socket.on('error', reject)
      socket.on('message', (data) => {
        const text = data.toString()
        if (text === '2') socket.send('3')
        else if (speaks.isIn?.(text)) resolve()
        else if (speaks.isSaid(text)) heard()
      })
      socket.on('open', () => {
        for (const word of speaks.hello()) socket.send(word)
        if (!speaks.isIn) resolve()
      })
    })
    return socket
  }
  const all = []
  for (let at = 0; at < count; at += 100) all.push(...await Promise.all(Array.from({ length: Math.min(100, count - at) }, open)))
  return all
}

if (part) {
  let count = 0
  process.on('message', () => { count = 0; process.send('ready') })
  const sockets = await crowd(Number(part), () => { if (++count === Number(part)) { count = 0; process.send('heard') } })
  if (who === 'thorbis') setInterval(() => sockets.forEach((socket) => socket.send('[null,"h","phoenix","heartbeat",{}]')), 30_000)
  process.send('open')
} else {
  const share = Math.floor((total - 1) / CROWDS)
  const begun = performance.now()
  const crowds = Array.from({ length: CROWDS }, () => fork(process.argv[1], [who, address, sockets, messages, String(share)]))
  const said = (word) => Promise.all(crowds.map((one) => new Promise((resolve) => {
    const listen = (heard) => { if (heard === word) { one.off('message', listen); resolve() } }
    one.on('message', listen)
  })))
  await said('open')
  const [teller] = await crowd(1, () => {})
  const joins = (share * CROWDS) / ((performance.now() - begun) / 1000)
  // How often each part of the crowd had all of a message.
  const heard = crowds.map(() => 0)
  let onHeard = () => {}
  crowds.forEach((one, number) => one.on('message', (word) => { if (word === 'heard') { heard[number] += 1; onHeard() } }))
  /** Sends so many messages, at most `flight` of them under way, and waits for the last arrival. */
  const send = (count, flight) => new Promise((resolve) => {
    const [first, times, sent] = [Math.min(...heard), [], []]
    onHeard = () => {
      const done = Math.min(...heard) - first
      while (times.length < done) times.push(performance.now() - sent[times.length])
      if (done === count) resolve(times)
      while (sent.length < count && sent.length - done < flight) { sent.push(performance.now()); teller.send(speaks.say(sent.length)) }
    }
    onHeard()
  })
  const run = async (flight) => {
    const [start, before] = [performance.now(), spent()]
    const times = (await send(rounds, flight)).sort((a, b) => a - b)
    const all = share * CROWDS * rounds
    const at = (part_) => Number(times[Math.min(times.length - 1, Math.floor(times.length * part_))].toFixed(1))
    return {
      per_s: Math.round(all / ((performance.now() - start) / 1000)), cpu_us: Number(((spent() - before) / all).toFixed(2)), p50: at(0.5), p99: at(0.99),
    }
  }
  const [one, many] = [await run(1), await run(FLIGHT)]
  console.log(JSON.stringify({
    who, sockets: share * CROWDS, joins_per_s: Math.round(joins), messages_per_s: one.per_s, ms_p50: one.p50, ms_p99: one.p99, cpu_us: one.cpu_us,
    flight: FLIGHT, flight_messages_per_s: many.per_s, flight_cpu_us: many.cpu_us,
  }))
  crowds.forEach((one) => one.kill())
  process.exit(0)
}
