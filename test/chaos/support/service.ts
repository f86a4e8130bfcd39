import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'

const startsWithinMs = 60_000
const keptOutput = 4_000

type Options = { root: string; port: number; env: Record<string, string> }

export type Service = ReturnType<typeof createService>
export type Replicas = readonly [Service, ...Service[]]

/** Takes turns. */
export const replicaOf = (replicas: Replicas, turn: number): Service =>
  replicas[turn % replicas.length] ?? replicas[0]

/** One replica as a process of its own, which can be killed and started again on the same port. */
export function createService({ root, port, env }: Options) {
  const address = `http://127.0.0.1:${port}`
  let child: ChildProcess | undefined
  let output = ''

  function run(): ChildProcess {
    const started = spawn(process.execPath, ['src/server.ts'], {
      cwd: root,
      env: { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: String(port), ...env },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    for (const stream of [started.stdout, started.stderr]) {
      stream.on('data', (chunk) => {
        output = (output + chunk).slice(-keptOutput)
      })
    }
    return started
  }

  const hasEnded = () => child !== undefined && (child.exitCode !== null || child.signalCode !== null)

  function assertAlive() {
    assert(!hasEnded(), `the service ended by itself:\n${output}`)
  }

  const isReady = () =>
    request(`${address}/api/health/ready`).then(
      async ({ statusCode, body }) => {
        await body.dump()
        return statusCode === 200
      },
      () => false
    )

  return {
    address,
    assertAlive,
    isReady,

    /** A day without faults leaves nothing in the log, which holds errors only. */
    assertSilent: () => assert.equal(output, '', 'no error is logged'),

    /** Resolves when it is ready. */
    async start(): Promise<void> {
      child = run()
      const latest = Date.now() + startsWithinMs
      while (!(await isReady())) {
        if (hasEnded() || Date.now() > latest) throw new Error(`the service did not start:\n${output}`)
        await sleep(25)
      }
    },

    /** `kill -9`; resolves when the process is gone. */
    async kill(): Promise<void> {
      assertAlive()
      const gone = child && once(child, 'exit')
      child?.kill('SIGKILL')
      await gone
      child = undefined
    }
  }
}
