import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Test } from '../../support/database.ts'
import { createFrames, type Frame } from './postgresql-frames.ts'

/** Counting from 1: the commit before or after which to strike. */
export type Point = { commit: number; when: 'before' | 'after' }

type Watch = { marker: string; point: Point | undefined; strike: () => void; commits: number }

/** Where what was begun and what became of it is kept. */
const business = /\b(bookings|holds|idempotency_keys)\b/

export type Commits = Awaited<ReturnType<typeof openCommits>>

/**
 * Stands between the service and PostgreSQL and counts the commits of pieces of work, each told by a `marker` that is
 * in the values it writes. At one of them it strikes: before, the commit never arrives; after, its answer never does.
 * From then on that connection is silent, until the service is killed.
 */
export async function openCommits(t: Test, url: string) {
  const { hostname, port } = new URL(url)
  const sockets = new Set<Socket>()
  const watches: Watch[] = []

  const server = createServer((near) => {
    const far = connect(Number(port), hostname)
    // What has been sent on this connection since it was last idle.
    const sent: { text: string; watch: Watch | undefined; hasWritten: boolean } = {
      text: '',
      watch: undefined,
      hasWritten: false
    }

    relay(near, far, createFrames({ isClient: true }), ({ type, body }) => {
      if (type === 'P') sent.text = textAt(body, body.indexOf(0) + 1)
      if (type === 'Q') sent.text = textAt(body, 0)
      if (type === 'B') sent.watch ??= watches.find(({ marker }) => body.includes(marker))
      const isCommit = type === 'Q' && /^commit$/i.test(sent.text.trim())
      return isCommit && sent.hasWritten ? strikesAt(sent.watch, 'before') : false
    })
    relay(far, near, createFrames({ isClient: false }), (frame) => {
      if (isWrite(frame) && business.test(sent.text)) sent.hasWritten = true
      if (frame.type !== 'Z' || frame.body.toString() !== 'I') return false
      const { watch, hasWritten } = sent
      Object.assign(sent, { watch: undefined, hasWritten: false })
      if (!watch || !hasWritten) return false
      watch.commits++
      return strikesAt(watch, 'after')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })

  /** Message by message; the one at which it strikes goes nowhere, nor does what follows it. */
  function relay(
    from: Socket,
    to: Socket,
    cut: ReturnType<typeof createFrames>,
    strikes: (frame: Frame) => boolean
  ): void {
    let isSilent = false
    sockets.add(from)
    from.on('error', () => {})
    from.on('close', () => {
      sockets.delete(from)
      to.destroy()
    })
    from.on('data', (piece) => {
      for (const frame of cut(piece as Buffer)) {
        isSilent ||= strikes(frame)
        if (!isSilent) to.write(frame.raw)
      }
    })
  }

  return {
    url: Object.assign(new URL(url), { host: `127.0.0.1:${(server.address() as AddressInfo).port}` }).href,

    /** Watches that work from now on; `struck` resolves when its point has been reached. */
    watch(marker: string, point?: Point) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const watched: Watch = { marker, point, strike: resolve, commits: 0 }
      watches.push(watched)
      return { struck: promise, commits: () => watched.commits }
    },

    /** What has been watched so far goes on unseen. */
    forget: () => void watches.splice(0)
  }
}

/** Tells whoever watches, too. */
function strikesAt(watch: Watch | undefined, when: Point['when']): boolean {
  if (watch?.point?.when !== when) return false
  const isThere = watch.point.commit === watch.commits + (when === 'before' ? 1 : 0)
  if (isThere) watch.strike()
  return isThere
}

const textAt = (body: Buffer, start: number) => body.toString('utf8', start, body.indexOf(0, start))

/** The end of a statement that changed something. */
const isWrite = ({ type, body }: Frame) =>
  type === 'C' && /^(INSERT \d+|UPDATE|DELETE) [1-9]/.test(textAt(body, 0))
