import Stripe from 'stripe'
import type { Test } from 'tap'
import { request } from 'undici'
import { openSandbox, type SandboxOptions } from '../../../src/sandbox/sandbox.ts'
import type { Answer } from '../../support/service.ts'

export type Opened = Awaited<ReturnType<typeof openStripe>>

/** A sandbox of the test's own, Stripe's own library for it, and what only its control can do. */
export async function openStripe(t: Test, options: SandboxOptions = {}) {
  const sandbox = await openSandbox({ retryDelayMs: () => 50, ...options })
  t.teardown(() => sandbox.close())
  const { hostname: host, port } = new URL(sandbox.url)
  const connect = (key: string, more: Stripe.StripeConfig = {}) =>
    new Stripe(key, { host, port, protocol: 'http', maxNetworkRetries: 0, telemetry: false, ...more })

  async function control(path: string, body?: object, method: 'GET' | 'POST' | 'DELETE' = 'POST') {
    const answer = await request(`${sandbox.url}/__sandbox${path}`, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
    })
    const text = await answer.body.text()
    if (answer.statusCode >= 400) throw new Error(`${path}: ${text}`)
    return (text === '' ? undefined : JSON.parse(text)) as Answer['body']
  }

  /** As no library would ask. */
  async function raw(
    method: 'GET' | 'POST',
    path: string,
    headers: Record<string, string> = {},
    body?: string
  ) {
    const answer = await request(`${sandbox.url}${path}`, {
      method,
      headers: {
        authorization: 'Bearer sk_test_sandbox',
        ...(body !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
        ...headers
      },
      ...(body !== undefined && { body })
    })
    const { statusCode: status, headers: sent } = answer
    return { status, headers: sent, body: (await answer.body.json()) as Answer['body'] }
  }

  return {
    ...{ sandbox, connect, control, raw, stripe: connect('sk_test_sandbox') },
    /** Somebody paid a hundred dollars, or as the fields say. */
    pay: (fields: object = {}) => control('/stripe/payments', { amount: 10_000, ...fields }),
    /** The next request to make a refund meets it. */
    strike: (fault: object) =>
      control('/faults', { match: { method: 'POST', path: '/v1/refunds' }, times: 1, ...fault }),
    journal: () => control('/stripe/journal', undefined, 'GET')
  }
}

export const caught = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: Stripe.errors.StripeError) => error
  )
