import fc from 'fast-check'
import t from 'tap'
import { parseTimeZone } from '../../src/core/time-zone-names.ts'

t.test('a zone is known by its IANA name, in any case', async (t) => {
  for (const name of [
    'Europe/Berlin',
    'America/Argentina/Buenos_Aires',
    'UTC',
    'Etc/GMT+5',
    'Asia/Kathmandu'
  ]) {
    t.equal(parseTimeZone(name), name)
  }
  t.equal(parseTimeZone('europe/berlin'), 'Europe/Berlin')
  t.equal(parseTimeZone('AMERICA/NEW_YORK'), 'America/New_York')
  t.equal(parseTimeZone('utc'), 'UTC')
})

t.test('an abbreviation is refused with the zones it may mean, in any case', async (t) => {
  t.throws(() => parseTimeZone('PST'), {
    code: 'ambiguous_timezone',
    message: /America\/Los_Angeles, America\/Tijuana or Asia\/Manila/
  })
  t.throws(() => parseTimeZone('jst'), { code: 'ambiguous_timezone', message: /mean Asia\/Tokyo\./ })
  for (const name of ['CET', 'EST', 'MST', 'WET', 'IST', 'BST', 'CST', 'eet']) {
    t.throws(() => parseTimeZone(name), { code: 'ambiguous_timezone' }, name)
  }
})

t.test('every zone that a refused abbreviation names is one that is accepted', async (t) => {
  const abbreviations = [
    'AST',
    'BST',
    'CDT',
    'CET',
    'CST',
    'EET',
    'EST',
    'GST',
    'IST',
    'MST',
    'PST',
    'WET',
    'MET'
  ]
  for (const name of abbreviations) {
    const named = messageOf(() => parseTimeZone(name)).match(/[A-Z]\w+\/\w+/g) ?? []
    t.ok(named.length > 1, name)
    for (const zone of named) t.equal(parseTimeZone(zone), zone)
  }
})

t.test('what is no zone is refused, an offset too, and never taken for UTC', async (t) => {
  for (const name of [
    '',
    ' ',
    '+01:00',
    '-0500',
    'Mars/Olympus',
    'Europe/Berlin ',
    'Europe',
    '1',
    'UTC+1',
    'null'
  ]) {
    t.throws(() => parseTimeZone(name), { code: 'unknown_timezone' }, JSON.stringify(name))
  }
  fc.assert(
    fc.property(fc.string(), (name) => {
      try {
        return typeof parseTimeZone(name) === 'string'
      } catch (error) {
        return /^(unknown|ambiguous)_timezone$/.test((error as { code?: string }).code ?? '')
      }
    })
  )
})

function messageOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    return error instanceof Error ? error.message : ''
  }
  return ''
}
