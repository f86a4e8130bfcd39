import { Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import type { FastifyReply } from 'fastify'
import type { Fault } from './faults.ts'

const chunk = Buffer.alloc(64 * 1024, ' ')

/** The answer as the fault would have it. Padded it still means the same: JSON may end in white space. */
export function alter({ headers, patch, size_bytes, gzip }: Fault, reply: FastifyReply, payload: string) {
  reply.headers(headers)
  const text =
    payload === '' || Object.keys(patch).length === 0
      ? payload
      : JSON.stringify(merge(JSON.parse(payload), patch))
  const missing = size_bytes - Buffer.byteLength(text)
  if (missing <= 0 && !gzip) return text
  const padded = Readable.from(pad(text, missing), { objectMode: false })
  if (!gzip) return padded
  reply.header('content-encoding', 'gzip')
  return padded.pipe(createGzip())
}

function merge(value: unknown, patch: unknown): unknown {
  if (!isObject(value) || !isObject(patch)) return patch
  const merged = Object.entries(patch).map(([name, part]) => [name, merge(value[name], part)])
  return { ...value, ...Object.fromEntries(merged) }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function* pad(text: string, missing: number) {
  yield Buffer.from(text)
  for (let left = missing; left > 0; left -= chunk.length) yield chunk.subarray(0, left)
}
