// The least that a broadcast can be in Node: whatever one socket sends, every socket gets, as it came. Prints its address.
import { WebSocketServer } from 'ws'

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
server.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => {
    for (const client of server.clients) client.send(data, { binary: isBinary })
  })
})
server.on('listening', () => console.log(`ws://127.0.0.1:${server.address().port}`))
