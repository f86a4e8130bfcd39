import { globSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import t from 'tap'
import { shipped } from './support/image.ts'

/** Path from the root of the repository → text. */
type Files = Readonly<Record<string, string>>

// Room → the rooms it may import besides itself; `.` is the files of src itself. This table is the architecture.
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  schemas: ['core'],
  calendly: ['core'],
  payments: ['core'],
  delivery: ['core'],
  database: ['core'],
  jobs: ['core'],
  routes: ['core', 'schemas'],
  plugins: ['core', 'schemas', 'calendly', 'payments', 'delivery', 'database', 'jobs'],
  sandbox: [],
  cli: ['core', 'sandbox', '.'],
  '.': ['core', 'plugins', 'routes']
}

// Files of src → the packages they may use; what no line allows is refused.
const mayUse: readonly (readonly [files: RegExp, packages: RegExp])[] = [
  [/^core\//, /^node:crypto$/],
  [/^core\/system\.ts$/, /^node:timers\/promises$/],
  [/^core\/time-zones\.ts$/, /^(date-fns-tz|node:module)$/],
  [/^schemas\//, /^zod$/],
  [/^calendly\//, /^(undici|lru-cache|node:(crypto|http))$/],
  [/^calendly\/wire[^/]*$/, /^zod$/],
  [/^payments\//, /^(stripe|undici|node:http)$/],
  [/^delivery\//, /^(undici|ipaddr\.js|node:(crypto|net|dns\/promises))$/],
  [/^database\//, /^(kysely|pg|@electric-sql\/pglite|node:.+)(\/.+)?$/],
  [/^routes\//, /^fastify(-type-provider-zod)?$/],
  [/^plugins\//, /^(@fastify\/.+|fastify(-plugin|-type-provider-zod)?|ioredis|lru-cache|pino|node:.+)$/],
  [/^plugins\/database\.ts$/, /^kysely$/],
  [/^plugins\/metrics\.ts$/, /^prom-client$/],
  [/^[^/]+$/, /^(@fastify\/.+|fastify(-type-provider-zod)?|node:.+)$/],
  [/^(config|variables)\.ts$/, /^zod$/],
  [/^logger\.ts$/, /^pino$/],
  [/^(sandbox|cli)\//, /./]
]

const code = (text: string) => text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '')
const specifiers = (text: string) =>
  [...code(text).matchAll(/\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)].map(
    ([, specifier = '']) => specifier
  )
const isRelative = (specifier: string) => specifier.startsWith('.')
/** The files of the repository that a file imports. */
const imports = (file: string, text: string) =>
  specifiers(text)
    .filter(isRelative)
    .map((specifier) => join(dirname(file), specifier))
const inSource = (files: Files) => Object.entries(files).filter(([file]) => file.startsWith('src/'))

function roomOf(file: string): string {
  const [, room = '', ...rest] = file.split('/')
  return rest.length > 0 ? room : '.'
}

function strangers(files: Files): string[] {
  return inSource(files).flatMap(([file, text]) => {
    const room = roomOf(file)
    return imports(file, text)
      .filter(
        (to) => !to.startsWith('src/') || (roomOf(to) !== room && !mayImport[room]?.includes(roomOf(to)))
      )
      .map((to) => `${file} imports ${to}`)
  })
}

function foreignPackages(files: Files): string[] {
  return inSource(files).flatMap(([file, text]) => {
    const allowed = mayUse.filter(([where]) => where.test(file.slice('src/'.length)))
    return specifiers(text)
      .filter(
        (specifier) => !isRelative(specifier) && !allowed.some(([, packages]) => packages.test(specifier))
      )
      .map((specifier) => `${file} uses ${specifier}`)
  })
}

function cycles(files: Files): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]) => {
    if (path.includes(file)) found.push([...path.slice(path.indexOf(file)), file].join(' → '))
    else if (!done.has(file)) {
      for (const to of imports(file, files[file] ?? '')) visit(to, [...path, file])
      done.add(file)
    }
  }
  for (const file of Object.keys(files)) visit(file, [])
  return found
}

const barrels = (files: Files) => Object.keys(files).filter((file) => /^index\./.test(basename(file)))

/** A rule that forbids an expression everywhere but in some files. */
const reserved = (expression: RegExp, exempt: RegExp) => (files: Files) =>
  inSource(files).flatMap(([file, text]) =>
    exempt.test(file) ? [] : [...code(text).matchAll(expression)].map(([match]) => `${file} says ${match}`)
  )
const environmentReaders = reserved(/process\.env|process\['env'\]/g, /^src\/(server\.ts|cli\/|sandbox\/)/)
const machineUsers = reserved(
  /\bDate\.now\b|\bperformance\.now\b|\bnew Date(\(\)|(?!\())|\bMath\.random\b|(?<!\.)\bset(Timeout|Interval)\b/g,
  /^src\/(core\/system\.ts$|cli\/|sandbox\/)/
)

const testAidsInTheImage = (files: Files) =>
  shipped(files.Dockerfile ?? '', Object.keys(files)).filter((file) =>
    /^(test\/|src\/sandbox\/|src\/cli\/demo)/.test(file)
  )

type Rule = { check: (files: Files) => string[]; broken: Files; found: string[] }

const rules: Readonly<Record<string, Rule>> = {
  'every room imports only the rooms it may': {
    check: strangers,
    broken: {
      'src/core/a.ts': "import { b } from './b.ts'\nimport { c } from '../schemas/c.ts'",
      'src/schemas/c.ts': "import { a } from '../core/a.ts'\n// import '../database/d.ts'",
      'src/routes/r.ts': "const d = await import('../database/d.ts')",
      'src/sandbox/s.ts': "import {\n  a\n} from '../core/a.ts'",
      'src/jobs/j.ts': "import { helper } from '../../test/support/helper.ts'",
      'src/app.ts': "import './config.ts'\nexport { d } from './database/d.ts'"
    },
    found: [
      'src/core/a.ts imports src/schemas/c.ts',
      'src/routes/r.ts imports src/database/d.ts',
      'src/sandbox/s.ts imports src/core/a.ts',
      'src/jobs/j.ts imports test/support/helper.ts',
      'src/app.ts imports src/database/d.ts'
    ]
  },
  'every file uses only the packages its room may': {
    check: foreignPackages,
    broken: {
      'src/core/a.ts': "import { toZonedTime } from 'date-fns-tz'\nimport { createHash } from 'node:crypto'",
      'src/core/time-zones.ts': "import { toZonedTime } from 'date-fns-tz'",
      'src/calendly/client.ts': "import { z } from 'zod'\nimport { Pool } from 'undici'",
      'src/calendly/wire-events.ts': "import { z } from 'zod'",
      'src/jobs/inbox.ts': "import { readFile } from 'node:fs/promises'",
      'src/routes/r.ts': "import type { Kysely } from 'kysely'\nimport { x } from 'fastify-evil'"
    },
    found: [
      'src/core/a.ts uses date-fns-tz',
      'src/calendly/client.ts uses zod',
      'src/jobs/inbox.ts uses node:fs/promises',
      'src/routes/r.ts uses kysely',
      'src/routes/r.ts uses fastify-evil'
    ]
  },
  'no file imports itself, by whatever way': {
    check: cycles,
    broken: {
      'src/core/a.ts': "import './b.ts'\nimport './d.ts'",
      'src/core/b.ts': "import './c.ts'\nimport './d.ts'",
      'src/core/c.ts': "import type { A } from './a.ts'",
      'src/core/d.ts': "import { d } from './d.ts'",
      'src/core/e.ts': "import './a.ts'"
    },
    found: ['src/core/a.ts → src/core/b.ts → src/core/c.ts → src/core/a.ts', 'src/core/d.ts → src/core/d.ts']
  },
  'no folder has an index': {
    check: barrels,
    broken: { 'src/core/index.ts': '', 'src/core/reindex.ts': '' },
    found: ['src/core/index.ts']
  },
  'the environment is read by the programs alone': {
    check: environmentReaders,
    broken: {
      'src/config.ts': 'export const port = process.env.PORT',
      'src/core/a.ts': '// process.env would be wrong here',
      'src/server.ts': 'loadConfig(process.env)'
    },
    found: ['src/config.ts says process.env']
  },
  'the machine is used through System alone': {
    check: machineUsers,
    broken: {
      'src/core/system.ts': 'now: Date.now',
      'src/core/a.ts':
        'const at = Date.now() /* Date.now() */\nconst d = new Date()\nnew Date(at)\nsocket.setTimeout(1)',
      'src/jobs/b.ts': 'setTimeout(run, 5)\nimport { setTimeout as sleep } from "node:timers/promises"',
      'src/calendly/c.ts': 'const jitter = Math.random() // no URL: https://x'
    },
    found: [
      'src/core/a.ts says Date.now',
      'src/core/a.ts says new Date()',
      'src/jobs/b.ts says setTimeout',
      'src/jobs/b.ts says setTimeout',
      'src/calendly/c.ts says Math.random'
    ]
  },
  'neither sandbox nor demo nor tests are in the image': {
    check: testAidsInTheImage,
    broken: {
      Dockerfile:
        'FROM node AS source\nCOPY src ./src\nRUN rm -r src/cli/demo.ts\nFROM node\nCOPY --from=source /app/src src',
      'src/server.ts': '',
      'src/cli/demo.ts': '',
      'src/sandbox/main.ts': '',
      'test/app.test.ts': ''
    },
    found: ['src/sandbox/main.ts']
  }
}

const house: Files = Object.fromEntries(
  ['Dockerfile', ...globSync('{src,test}/**/*')]
    .filter((file) => statSync(file).isFile())
    .map((file) => [file, readFileSync(file, 'utf8')])
)

for (const [name, { check, broken, found }] of Object.entries(rules)) {
  t.test(name, async (t) => {
    t.same(check(broken), found, 'the rule sees what breaks it, and nothing else')
    t.same(check(house), [], 'the house keeps the rule')
  })
}

t.test('the image has everything that the service imports', async (t) => {
  const inImage = new Set(shipped(house.Dockerfile ?? '', Object.keys(house)))
  const lacking = [...inImage]
    .flatMap((file) => imports(file, house[file] ?? ''))
    .filter((to) => !inImage.has(to))
  t.ok(inImage.has('src/server.ts'))
  t.same(lacking, [])
})
