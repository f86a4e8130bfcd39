import pg from 'pg'

type Parse = (text: string) => unknown

const { builtins, getTypeParser } = pg.types
// Array types have no names in `builtins`.
const textArray: number = 1009
const arrayOf = { [builtins.INT8]: 1016, [builtins.NUMERIC]: 1231, [builtins.TIMESTAMPTZ]: 1185 }
const parseTexts: (text: string) => (string | null)[] = getTypeParser(textArray)

/** How both engines turn text into JavaScript, by type id; what is not here they read alike. */
export const parsers: Readonly<Record<number, Parse>> = withArrays({
  [builtins.INT8]: parseInteger,
  [builtins.TIMESTAMPTZ]: parseInstant,
  [builtins.NUMERIC]: (text) => text,
  [builtins.DATE]: (text) => text,
  [builtins.INTERVAL]: (text) => text,
  [builtins.BYTEA]: (text) => Buffer.from(text.slice(2), 'hex')
})

function parseInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} is beyond the safe integers`)
  return value
}

/** Epoch milliseconds, or ±Infinity. Expects `DateStyle` ISO and `TimeZone` UTC, which both engines are told. */
function parseInstant(text: string): number {
  if (text === 'infinity') return Number.POSITIVE_INFINITY
  if (text === '-infinity') return Number.NEGATIVE_INFINITY
  const instant = Date.parse(text.replace(' ', 'T').replace(/\+00$/, 'Z'))
  if (Number.isNaN(instant)) throw new RangeError(`${text} is not an instant JavaScript can hold`)
  return instant
}

function withArrays(scalars: Record<number, Parse>): Record<number, Parse> {
  const lists = Object.entries(arrayOf).map(([scalar, list]) => {
    const parse = scalars[Number(scalar)]
    return [list, (text: string) => parseTexts(text).map((item) => (item === null ? null : parse?.(item)))]
  })
  return { ...scalars, ...Object.fromEntries(lists) }
}
