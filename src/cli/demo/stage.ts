import { setTimeout as pause } from 'node:timers/promises'
import { createNarrator } from './narrator.ts'

export type Place = {
  /** Of the service. */
  address: string
  adminKey: string
  sandboxUrl: string
  /** What is booked, and what is paid for: URIs of event types. */
  eventTypes: { meeting: string; coaching: string }
  write: (line: string) => void
  now: () => number
  /** Sets this run's idempotency keys and e-mail addresses apart from an earlier run's on the same database. */
  run: string
}

// biome-ignore lint/suspicious/noExplicitAny: the story reads answers as a script would
export type Json = any
type Reply = { status: number; headers: Headers; body: Json }

export type Stage = ReturnType<typeof openStage>

/** What every chapter of the story needs: to ask the service, to act as people elsewhere, and to tell of it. */
export function openStage(place: Place) {
  const { address, adminKey, sandboxUrl, write, now, run } = place

  async function ask(method: string, url: string, body?: unknown, headers = {}): Promise<Reply> {
    const answer = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${adminKey}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers
      },
      ...(body !== undefined && { body: JSON.stringify(body) })
    })
    const text = await answer.text()
    return {
      status: answer.status,
      headers: answer.headers,
      body: text === '' ? undefined : JSON.parse(text)
    }
  }

  const call = (method: string, path: string, body?: unknown, key?: string) =>
    ask(method, `${address}${path}`, body, key === undefined ? {} : { 'idempotency-key': `${run}-${key}` })

  /** What people do on Calendly's page or in Stripe's dashboard. */
  async function control(method: string, path: string, body?: unknown): Promise<Json> {
    const { status, body: answer } = await ask(method, `${sandboxUrl}/__sandbox${path}`, body)
    if (status >= 400) throw new Error(`the sandbox answered ${status} to ${path}: ${JSON.stringify(answer)}`)
    return answer
  }

  const requests = async () => (await control('GET', '/requests')).requests

  return {
    ...place,
    ...createNarrator(write, requests, now),
    call,
    control,

    /** Asks again until it is so; gives up after ten seconds. */
    async eventually<T>(look: () => Promise<T>, isSo: (seen: T) => boolean): Promise<T> {
      for (const deadline = now() + 10_000; ; await pause(25)) {
        const seen = await look()
        if (isSo(seen) || now() > deadline) return seen
      }
    },

    /** Webhooks of Calendly's about such an event that the service has taken. */
    deliveries: async (event: string): Promise<Json[]> =>
      (await control('GET', '/deliveries')).deliveries.filter(
        (delivery: Json) => delivery.event === event && delivery.state === 'delivered'
      ),

    emailOf: (name: string) => `${name.toLowerCase().split(' ')[0]}+${run}@example.com`
  }
}
