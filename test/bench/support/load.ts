import { connect } from 'node:net'

type Options = { port: number; request: string; connections: number; ms: number }

/**
 * Answers a second to so many clients, each of which asks again as soon as it has its answer. Written for the
 * purpose: a client that parses and copies takes longer for an answer than the server, and would be what is measured.
 */
export async function answersPerSecond({ connections, ms, ...target }: Options) {
  const startedAt = performance.now()
  // One for all: what arrives is counted, not kept.
  const buffer = Buffer.alloc(512 * 1024)
  const until = startedAt + ms
  const counts = await Promise.all(Array.from({ length: connections }, () => askUntil(until, target, buffer)))
  const answers = counts.reduce((sum, count) => sum + count, 0)
  return { answers, perSecond: (answers / (performance.now() - startedAt)) * 1_000 }
}

/** How many answers there were. Rejects for one that is no whole 200. */
function askUntil(until: number, { port, request }: { port: number; request: string }, buffer: Buffer) {
  return new Promise<number>((resolve, reject) => {
    let answers = 0
    let bytesLeft = 0
    const socket = connect({ port, host: '127.0.0.1', onread: { buffer, callback: onRead } })
    socket.on('connect', () => socket.write(request))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('The server hung up')))

    function onRead(bytes: number): boolean {
      if (bytesLeft === 0) bytesLeft = lengthOf(buffer.toString('latin1', 0, Math.min(bytes, 4_096)))
      bytesLeft -= bytes
      if (bytesLeft > 0) return true
      if (bytesLeft < 0 || Number.isNaN(bytesLeft)) {
        reject(new Error(buffer.toString('latin1', 0, bytes)))
        return false
      }
      answers++
      if (performance.now() < until) {
        socket.write(request)
        return true
      }
      resolve(answers)
      socket.destroy()
      return false
    }
  })
}

/** Of a whole answer, head and body; NaN for one that is no 200. */
function lengthOf(head: string): number {
  const headLength = head.indexOf('\r\n\r\n') + 4
  const [, length] = /^content-length: (\d+)$/im.exec(head.slice(0, headLength)) ?? []
  return head.startsWith('HTTP/1.1 200 ') ? headLength + Number(length) : Number.NaN
}
