import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { problems } from '../src/core/errors.ts'

const root = join(import.meta.dirname, '..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const sections = read('docs/problems.md')
  .split(/^## /m)
  .slice(1)
  .map((section) => {
    const [code = '', ...lines] = section.split('\n')
    return { code, text: lines.join(' ').trim() }
  })

t.test('docs/problems.md explains every code of the catalogue, in its order, and no other', async (t) => {
  t.same(
    sections.map(({ code }) => code),
    Object.keys(problems)
  )
})

t.test('a section names the status of its code and says what to do about it', async (t) => {
  for (const { code, text } of sections) {
    const [status] = problems[code as keyof typeof problems]
    t.ok(text.startsWith(`Status ${status}. `), code)
    t.match(text, /\b(retry|send|mend|use|offer|list|look|read|begin|ask|split|pick|add|compare)\b/i, code)
  }
})

t.test('a code has a status that fits a problem and a title of its own', async (t) => {
  const titles = Object.values(problems).map(([, title]) => title)
  t.equal(new Set(titles).size, titles.length)
  for (const [code, [status, title]] of Object.entries(problems)) {
    t.ok(status >= 400 && status < 600, code)
    t.match(title, /^[A-Z].*[^.]$/, code)
  }
})

t.test('every code is used outside the catalogue', async (t) => {
  const source = globSync('src/**/*.ts', { cwd: root })
    .filter((path) => path !== 'src/core/errors.ts' && !path.startsWith('src/sandbox/'))
    .map(read)
    .join('\n')
  const unused = Object.keys(problems).filter((code) => !source.includes(`'${code}'`))
  t.same(unused, [])
})
