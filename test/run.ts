import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** The kinds of test and where they live; `npm test` runs all, `npm run test:<kind>` one. */
const kinds: Readonly<Record<string, readonly string[]>> = {
  unit: [
    'test/core',
    'test/calendly',
    'test/delivery',
    'test/jobs',
    'test/payments',
    'test/architecture.test.ts',
    'test/config.test.ts',
    'test/problems.test.ts'
  ],
  integration: [
    'test/routes',
    'test/database',
    'test/sandbox',
    'test/cli',
    'test/docs',
    'test/property',
    'test/openapi.test.ts',
    'test/run.test.ts',
    'test/server.test.ts',
    'test/server-failures.test.ts'
  ],
  security: ['test/security']
}

// Every file is a process of its own; loading the service again and again is a quarter of what they do.
const compiled = join(import.meta.dirname, '../node_modules/.cache/compiled')

const asked = process.argv.slice(2)
const unknown = asked.filter((kind) => !(kind in kinds))
if (unknown.length > 0) throw new Error(`No such kind of test: ${unknown.join(', ')}`)
const everywhere = Object.values(kinds).flat()
const strays = globSync('test/**/*.test.ts').filter(
  (file) => !everywhere.some((path) => `${file}/`.startsWith(`${path}/`))
)
if (strays.length > 0) throw new Error(`Nobody runs ${strays.join(', ')}: name its folder in test/run.ts`)
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

/** A line for each file as it ends, and below that of a failing one all that it said. */
async function runTap(files: readonly string[]) {
  const tap = spawn('tap', ['run', '--reporter=tap', ...files], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { NODE_COMPILE_CACHE: compiled, ...process.env }
  })
  const ended = once(tap, 'exit')
  let said: string[] = []
  let totals = ''
  let isAfterFailure = false
  for await (const line of createInterface({ input: tap.stdout })) {
    // In TAP a file's diagnostics follow its verdict, indented.
    if (isAfterFailure && line.startsWith('  ')) {
      console.log(line)
      continue
    }
    isAfterFailure = false
    said.push(line)
    if (line.startsWith('# {')) totals = line
    const [, verdict, file, ms] = /^(ok|not ok) \d+ - (\S+).*?(?:# time=([\d.]+)ms.*)?$/.exec(line) ?? []
    if (verdict === undefined) continue
    isAfterFailure = verdict !== 'ok'
    const time = ms ? `(${(Number(ms) / 1000).toFixed(1)} s)` : ''
    console.log(`${isAfterFailure ? 'FAILED' : 'ok    '} ${file} ${time}`)
    if (isAfterFailure) console.log(said.join('\n'))
    said = []
  }
  const [code] = await ended
  const figure = (name: string) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(totals)?.[1] ?? 0)
  return { code, passed: figure('pass'), failed: figure('fail') }
}
