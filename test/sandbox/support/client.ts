import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { request } from 'undici'
import { openSandbox, type SandboxOptions } from '../../../src/sandbox/sandbox.ts'
import { standard } from '../../../src/sandbox/standard.ts'

/** A Friday noon in winter time: the sandbox's clock stands here until a test moves it. */
export const startedAt = Date.parse('2026-11-20T12:00:00Z')

export const uuidOf = (uri: string) => uri.slice(uri.lastIndexOf('/') + 1)

export type Answer<T> = { status: number; headers: Record<string, unknown>; body: T }

export type Client = Awaited<ReturnType<typeof start>>

/** A sandbox of the test's own and a client for it, closed with the test. */
export async function start(t: Test, options: SandboxOptions = {}) {
  const sandbox = await openSandbox({ now: () => startedAt, ...options })
  t.teardown(() => sandbox.close())

  async function call<T>(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    body?: unknown,
    headers: Record<string, string> = {}
  ): Promise<Answer<T>> {
    const answer = await request(sandbox.url + path, {
      method,
      headers: {
        'user-agent': 'sandbox-tests',
        authorization: `Bearer ${sandbox.token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers
      },
      body: body === undefined ? null : JSON.stringify(body)
    })
    const text = await answer.body.text()
    return {
      status: answer.statusCode,
      headers: answer.headers,
      body: text === '' ? undefined : JSON.parse(text)
    }
  }

  return {
    sandbox,
    get: <T = unknown>(path: string, headers?: Record<string, string>) =>
      call<T>('GET', path, undefined, headers),
    post: <T = unknown>(path: string, body?: unknown, headers?: Record<string, string>) =>
      call<T>('POST', path, body, headers),
    put: <T = unknown>(path: string, body: unknown, headers?: Record<string, string>) =>
      call<T>('PUT', path, body, headers),
    delete: <T = unknown>(path: string, headers?: Record<string, string>) =>
      call<T>('DELETE', path, undefined, headers),
    control: async <T = unknown>(path: string, body?: unknown) => {
      const answer = await call<T>(body === undefined ? 'GET' : 'POST', `/__sandbox${path}`, body)
      if (answer.status >= 400) throw new Error(`${path}: ${JSON.stringify(answer.body)}`)
      return answer.body
    }
  }
}

export const as = (token: string) => ({ authorization: `Bearer ${token}` })

export const query = (parameters: Record<string, string>) => new URLSearchParams(parameters).toString()

/** What `POST /invitees` needs for half an hour with Ada. */
export const meeting = (start_time: string, change: Record<string, unknown> = {}) => ({
  event_type: standard.eventTypes.thirtyMinutes,
  start_time,
  invitee: { name: 'Grace Example', email: 'grace@example.com', timezone: 'Europe/Paris' },
  location: { kind: 'google_conference' },
  ...change
})

export type Booked = {
  event: { uri: string; start_time: string; status: string }
  invitee: { uri: string; email: string; status: string }
}

/** Asks again until the answer satisfies; the test's own time limit is the end of patience. */
export async function until<T>(ask: () => T | Promise<T>, isEnough: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask()
    if (isEnough(answer)) return answer
    await delay(5)
  }
}
