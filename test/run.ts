import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** The kinds of test and where they live; `npm test` runs all, `npm run test:<kind>` one. */
const kinds: Readonly<Record<string, readonly string[]>> = {
  unit: [
    'test/core',
    'test/calendly',
    'test/jobs',
    'test/architecture.test.ts',
    'test/config.test.ts',
    'test/problems.test.ts'
  ],
  integration: [
    'test/routes',
    'test/database',
    'test/sandbox',
    'test/cli',
    'test/property',
    'test/openapi.test.ts',
    'test/server.test.ts',
    'test/server-failures.test.ts'
  ],
  security: ['test/security']
}

const asked = process.argv.slice(2)
const unknown = asked.filter((kind) => !(kind in kinds))
if (unknown.length > 0) throw new Error(`No such kind of test: ${unknown.join(', ')}`)
const paths = (asked.length > 0 ? asked : Object.keys(kinds))
  .flatMap((kind) => kinds[kind] ?? [])
  .flatMap((path) => (path.endsWith('.ts') ? path : globSync(`${path}/**/*.test.ts`).sort()))

const { code, passed, failed } = await runTap(paths)

const leftOut = [
  ...(process.env.TEST_DATABASE_URL ? [] : ['PostgreSQL (set TEST_DATABASE_URL)']),
  ...(process.env.TEST_REDIS_URL ? [] : ['Redis (set TEST_REDIS_URL)'])
]
console.log(leftOut.length > 0 ? `Left out: ${leftOut.join(', ')}` : 'Nothing was left out.')
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = code === 0 && failed === 0 && passed > 0 ? 0 : 1

/** A line for each file as it ends, and all that a failing one said. */
async function runTap(files: readonly string[]) {
  const tap = spawn('tap', ['run', '--reporter=tap', ...files], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(tap, 'exit')
  let said: string[] = []
  let totals = ''
  for await (const line of createInterface({ input: tap.stdout })) {
    said.push(line)
    if (line.startsWith('# {')) totals = line
    const [, verdict, file, ms] = /^(ok|not ok) \d+ - (\S+).*?(?:# time=([\d.]+)ms.*)?$/.exec(line) ?? []
    if (verdict === undefined) continue
    console.log(
      `${verdict === 'ok' ? 'ok    ' : 'FAILED'} ${file} ${ms ? `(${(Number(ms) / 1000).toFixed(1)} s)` : ''}`
    )
    if (verdict !== 'ok') console.log(said.join('\n'))
    said = []
  }
  const [code] = await ended
  const figure = (name: string) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(totals)?.[1] ?? 0)
  return { code, passed: figure('pass'), failed: figure('fail') }
}
