// A crowd in one channel: so many sockets, so many messages that one of them sends, each after the crowd has the one before. Prints joins
// and messages in a second, and the time from sending to the last arrival. Words: who (thorbis, ws, socketio), address, sockets, messages.
import { fork } from 'node:child_process'
import { performance } from 'node:perf_hooks'
import { WebSocket } from 'ws'

const [who, address, sockets, messages, part] = process.argv.slice(2)
const total = Number(sockets)
const rounds = Number(messages)
const TOPIC = 'realtime:crowd'
const CROWDS = 4

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
  const times = []
  const start = performance.now()
  for (let n = 0; n < rounds; n += 1) {
    const sent = performance.now()
    const all = said('heard')
    teller.send(speaks.say(n))
    await all
    times.push(performance.now() - sent)
  }
  const seconds = (performance.now() - start) / 1000
  times.sort((a, b) => a - b)
  const at = (share_) => times[Math.min(times.length - 1, Math.floor(times.length * share_))].toFixed(1)
  console.log(JSON.stringify({
    who, sockets: share * CROWDS, messages_per_s: Math.round((share * CROWDS * rounds) / seconds), joins_per_s: Math.round(joins),
    ms_p50: Number(at(0.5)), ms_p99: Number(at(0.99)),
  }))
  crowds.forEach((one) => one.kill())
  process.exit(0)
}
