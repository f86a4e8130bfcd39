import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Test } from './database.ts'

const server = join(import.meta.dirname, '../../src/server.ts')

export type Running = Awaited<ReturnType<typeof startServer>>

/** `node src/server.ts` with this environment and nothing of ours; it does not outlive the test. */
export function spawnServer(t: Test, env: Record<string, string>, cwd?: string) {
  const child = spawn(process.execPath, [server], {
    env: { PATH: process.env.PATH, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd !== undefined && { cwd })
  })
  const said = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    said.stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    said.stderr += chunk
  })
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, ...said }))
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return { child, said, ended }
}

/** The same once it listens; throws what it said when it ends before. */
export async function startServer(t: Test, env: Record<string, string>, cwd?: string) {
  const { child, said, ended } = spawnServer(t, env, cwd)
  const address = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', () => {
      const found = /Server listening at (http:\/\/[^"]+)/.exec(said.stdout)?.[1]
      if (found) resolve(found)
    })
    ended.then(({ stderr }) => reject(new Error(`the server ended: ${stderr}`)), reject)
  })
  return { address, said, ended, pid: child.pid, kill: (signal: NodeJS.Signals) => child.kill(signal) }
}
