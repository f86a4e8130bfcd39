import { connect } from 'node:net'

type Options = {
  /** Keeps our side of the connection open, as somebody who has more to say. */
  isUnfinished?: boolean
}

/** Writes these bytes to a connection of its own and gives back what was answered once the server closes it. */
export function sendRaw(address: string, bytes: string | Buffer, options: Options = {}): Promise<string> {
  const { hostname, port } = new URL(address)
  const socket = connect(Number(port), hostname)
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  // A refusal may close the connection while we still write; what was answered counts.
  socket.on('error', () => {})
  if (options.isUnfinished) socket.write(bytes)
  else socket.end(bytes)
  return new Promise((resolve) => {
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')))
  })
}
