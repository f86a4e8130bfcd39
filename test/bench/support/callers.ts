import { Pool } from 'undici'

type Request = { method: 'GET' | 'POST'; path: string; headers: Record<string, string>; body?: string }
type Options = { port: number; atOnce: number; requests: readonly Request[]; status: number }

/**
 * Milliseconds until each answer, ascending: so many callers, each of which asks again once it has its answer.
 * Throws for an answer of another status.
 */
export async function answerTimes({ port, atOnce, requests, status }: Options): Promise<number[]> {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: atOnce })
  const waiting = requests.values()
  const times: number[] = []
  async function ask() {
    for (const request of waiting) {
      const startedAt = performance.now()
      const { statusCode, body } = await pool.request(request)
      const text = await body.text()
      times.push(performance.now() - startedAt)
      if (statusCode !== status) throw new Error(`${request.method} ${request.path}: ${statusCode} ${text}`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, ask))
  await pool.close()
  return times.sort((a, b) => a - b)
}

/** Of ascending figures the one below which this share of them lies. */
export const quantile = (ascending: readonly number[], share: number) =>
  ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? Number.NaN
