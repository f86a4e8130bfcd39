import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from './support/database.ts'

const root = join(import.meta.dirname, '..')

/** What `npm test` says of these files, in a folder of their own: two runs in one folder disturb each other. */
async function runOver(t: Test, files: Readonly<Record<string, string>>) {
  const folder = await mkdtemp(join(tmpdir(), 'calendly-gateway-run-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  for (const file of ['package.json', 'test/support/unhooked.ts']) {
    await mkdir(join(folder, file, '..'), { recursive: true })
    await copyFile(join(root, file), join(folder, file))
  }
  for (const [file, text] of Object.entries(files)) {
    await mkdir(join(folder, file, '..'), { recursive: true })
    await writeFile(join(folder, file), `import t from 'tap'\n${text}\n`)
  }
  const child = spawn(process.execPath, [join(root, 'test/run.ts'), 'unit'], {
    cwd: folder,
    env: { PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}`, HOME: folder },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      said += chunk
    })
  }
  const [code] = await once(child, 'close')
  /** From the heading of a file to the next heading or the totals. */
  const below = (file: string) =>
    said.split(/^(?=ok {5}|FAILED|Left out|Nothing was)/m).find((part) => part.split(' ').includes(file)) ??
    ''
  return { code, said, below }
}

t.test('what a failing file said stands below its own heading, its diagnostics last', async (t) => {
  const { code, said, below } = await runOver(t, {
    'test/core/a.test.ts': "t.test('alpha', async (t) => t.equal(1, 2, 'one is two'))",
    'test/core/b.test.ts': "t.pass('beta')",
    'test/core/c.test.ts': "t.pass('gamma')\nprocess.exitCode = 7",
    'test/core/d.test.ts': "t.pass('delta')"
  })
  t.equal(code, 1)
  t.match(below('test/core/a.test.ts'), /^FAILED.*one is two.*exitCode: 1/s)
  t.match(below('test/core/b.test.ts'), /^ok {5}test\/core\/b\.test\.ts \(\d+\.\d s\)\n$/)
  t.match(below('test/core/c.test.ts'), /^FAILED.*exitCode: 7/s)
  t.notMatch(below('test/core/c.test.ts'), 'a.test.ts')
  t.match(below('test/core/d.test.ts'), /^ok {5}test\/core\/d\.test\.ts \(\d+\.\d s\)\n$/)
  t.match(said, /\n3 passed, \d failed\n$/)
})

t.test('where all is well there is a line for each file and the totals', async (t) => {
  const { code, said } = await runOver(t, { 'test/core/a.test.ts': "t.pass('alpha')" })
  t.equal(code, 0)
  t.match(
    said,
    /^ok {5}test\/core\/a\.test\.ts \(\d+\.\d s\)\nLeft out: PostgreSQL [^\n]*\n1 passed, 0 failed\n$/
  )
})

t.test('a test that no kind names is not left out without a word', async (t) => {
  const { code, said } = await runOver(t, {
    'test/core/a.test.ts': "t.pass('alpha')",
    'test/attic/b.test.ts': "t.fail('beta')"
  })
  t.equal(code, 1)
  t.match(said, 'Nobody runs test/attic/b.test.ts')
})

t.test('what nobody catches fails its file, during a test and after the last', async (t) => {
  const { code, said, below } = await runOver(t, {
    'test/core/a.test.ts': `t.test('alpha', async (t) => {
      setTimeout(() => { throw new Error('thrown late') }, 1)
      await new Promise((resolve) => setTimeout(resolve, 50))
    })`,
    'test/core/b.test.ts': `t.test('beta', async (t) => {
      void Promise.reject(new Error('rejected late'))
      t.pass('beta')
    })`,
    'test/core/c.test.ts': `t.pass('gamma')
      t.teardown(() => void setTimeout(() => { throw new Error('thrown last') }, 1))`
  })
  t.equal(code, 1)
  for (const name of ['a', 'b', 'c']) t.match(below(`test/core/${name}.test.ts`), /^FAILED/)
  for (const words of ['thrown late', 'rejected late', 'thrown last']) t.match(said, words)
})
