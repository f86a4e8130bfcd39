import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import t from 'tap'

const root = join(import.meta.dirname, '../..')

/** Path from the root of the repository → text. */
type Pages = Readonly<Record<string, string>>

const pages: Pages = Object.fromEntries(
  globSync(['*.md', 'docs/**/*.md'], { cwd: root }).map((page) => [
    page,
    readFileSync(join(root, page), 'utf8')
  ])
)

const withoutCode = (text: string) => text.replace(/^```.*?^```/gms, '').replace(/`[^`\n]*`/g, '')

/** The relative links of a page: the file from the root of the repository, and the heading. */
const linksOf = (page: string, text: string) =>
  [...withoutCode(text).matchAll(/\]\(([^()\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [path = '', heading] = target.split('#')
      return { target, file: path === '' ? page : normalize(join(dirname(page), path)), heading }
    })

/** The headings of a page as GitHub and most readers of Markdown name them. */
const anchorsOf = (text: string) =>
  [...text.replace(/^```.*?^```/gms, '').matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-')
  )

function broken(pages: Pages, exists: (file: string) => boolean): string[] {
  return Object.entries(pages).flatMap(([page, text]) =>
    linksOf(page, text)
      .filter(({ file, heading }) => {
        if (!exists(file)) return true
        return heading !== undefined && !anchorsOf(pages[file] ?? '').includes(heading)
      })
      .map(({ target }) => `${page} → ${target}`)
  )
}

/** Pages that nobody reaches from the README; a link to a folder reaches what is in it. */
function orphans(pages: Pages): string[] {
  const reached = new Set<string>()
  const visit = (file: string) => {
    if (reached.has(file)) return
    reached.add(file)
    const inFolder = Object.keys(pages).filter((page) => dirname(page) === file.replace(/\/$/, ''))
    for (const next of [...inFolder, ...linksOf(file, pages[file] ?? '').map((link) => link.file)])
      visit(next)
  }
  visit('README.md')
  return Object.keys(pages).filter((page) => page.startsWith('docs/') && !reached.has(page))
}

t.test('no link of the documentation is broken, down to the heading', async (t) => {
  const wrong = {
    'README.md': '[a](docs/a.md) [b](docs/b.md) [web](https://example.com) `[code](nowhere.md)`',
    'docs/a.md':
      '# A\n## What `it` does, or not\n[here](#what-it-does-or-not) [there](#there) [up](../README.md#a)'
  }
  t.same(
    broken(wrong, (file) => file in wrong),
    ['README.md → docs/b.md', 'docs/a.md → #there', 'docs/a.md → ../README.md#a']
  )
  t.same(
    broken(pages, (file) => existsSync(join(root, file))),
    []
  )
})

t.test('every page of the documentation is reached from the README', async (t) => {
  const lost = {
    'README.md': '[a](docs/a.md) [c](docs/c)',
    'docs/a.md': '[readme](../README.md)',
    'docs/b.md': '[a](a.md) [itself](b.md)',
    'docs/c/d.md': ''
  }
  t.same(orphans(lost), ['docs/b.md'])
  t.same(orphans(pages), [])
})

t.test('what the page on architecture names is there', async (t) => {
  const named = [...(pages['docs/architecture.md'] ?? '').matchAll(/`((?:[a-z]+\/)+[a-z-]+(?:\.ts)?)`/g)]
    .map(([, path = '']) => path)
    .filter((path) =>
      /^(core|routes|plugins|jobs|database|calendly|delivery|payments|schemas|src|test)\//.test(path)
    )
  t.ok(named.length > 20)
  const isThere = (path: string) =>
    [path, `${path}.ts`, `src/${path}`, `src/${path}.ts`].some((each) =>
      statSync(join(root, each), { throwIfNoEntry: false })
    )
  t.same(
    named.filter((path) => !isThere(path)),
    []
  )
})
