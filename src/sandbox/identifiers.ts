import { randomBytes, randomUUID } from 'node:crypto'

/** Resources are named on Calendly's own host, whatever address the sandbox listens on. */
export const origin = 'https://api.calendly.com'

/** Where people book. */
export const site = 'https://calendly.com'

export const uriOf = (collection: string, id: string) => `${origin}/${collection}/${id}`

export const idOf = (uri: string) => uri.slice(uri.lastIndexOf('/') + 1)

const oldAlphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** Calendly has ids of two shapes, 16 characters and UUID; a new one takes the shape of its parent's. */
export function newId(parent: string): string {
  if (parent.length !== 16) return randomUUID()
  return Array.from(randomBytes(16), (byte) => oldAlphabet[byte % 32]).join('')
}

/** `2026-12-01T15:00:00.000000Z` */
export const micros = (time: number) => new Date(time).toISOString().replace('Z', '000Z')

/** `2026-12-01T15:00:00Z`, as available times are written. */
export const seconds = (time: number) => `${new Date(time).toISOString().slice(0, 19)}Z`
