// socket.io with one room, over WebSockets alone. Whatever one socket says there, all hear. Prints its address.
import { createServer } from 'node:http'
import { Server } from 'socket.io'

const http = createServer()
const io = new Server(http, { transports: ['websocket'], perMessageDeflate: false })
io.on('connection', (socket) => {
  socket.join('room')
  socket.on('say', (payload) => io.to('room').emit('say', payload))
})
http.listen(0, '127.0.0.1', () => console.log(`ws://127.0.0.1:${http.address().port}/socket.io/?EIO=4&transport=websocket`))
