import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from '../../support/database.ts'

type Options = { script: string; log: string; args?: string[]; env?: Record<string, string> }

/** A server as a process of its own that logs into a file, once it listens. */
export async function startProgram(t: Test, { script, log, args = [], env = {} }: Options) {
  const child = spawn(process.execPath, [script, ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', openSync(log, 'w'), 'inherit']
  })
  const ended = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  for (;;) {
    const found = /listening at http:\/\/127\.0\.0\.1:(\d+)/.exec(readFileSync(log, 'utf8'))?.[1]
    if (found)
      return {
        port: Number(found),
        cpuMs: () => cpuMsOf(child.pid),
        signal: (name: NodeJS.Signals) => child.kill(name)
      }
    if (child.exitCode !== null) throw new Error(`${script} ended: ${readFileSync(log, 'utf8')}`)
    await sleep(25)
  }
}

export type Program = Awaited<ReturnType<typeof startProgram>>

/** Processor time that the process has used, in milliseconds; in steps of ten. Linux. */
function cpuMsOf(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')
  return (Number(fields?.[11]) + Number(fields?.[12])) * 10
}
