import t from 'tap'
import { partOf, quantumOf } from '../../src/core/money.ts'

t.test('each currency has the smallest amount that Stripe moves of it', async (t) => {
  for (const currency of ['usd', 'eur', 'jpy', 'krw', 'vnd', 'xaf', 'huf', 'twd'])
    t.equal(quantumOf(currency), 1, currency)
  for (const currency of ['bhd', 'jod', 'kwd', 'omr', 'tnd']) t.equal(quantumOf(currency), 10, currency)
  for (const currency of ['isk', 'ugx']) t.equal(quantumOf(currency), 100, currency)
})

t.test('a part is rounded down to what the currency can pay', async (t) => {
  const parts: [amount: number, percentHundredths: number, currency: string, part: number][] = [
    [10_000, 5_000, 'usd', 5_000],
    [9_999, 5_000, 'usd', 4_999],
    [1, 9_999, 'usd', 0],
    [1_999, 3_333, 'eur', 666],
    [100, 2_900, 'eur', 29],
    [1_001, 5_000, 'jpy', 500],
    [12_345, 10_000, 'kwd', 12_340],
    [12_340, 5_000, 'kwd', 6_170],
    [12_350, 5_000, 'kwd', 6_170],
    [19, 5_000, 'bhd', 0],
    [5_000, 5_000, 'isk', 2_500],
    [5_100, 5_000, 'isk', 2_500],
    [100, 9_999, 'ugx', 0],
    [0, 10_000, 'usd', 0],
    [10_000, 0, 'usd', 0]
  ]
  for (const [amount, percentHundredths, currency, part] of parts) {
    t.equal(
      partOf(amount, percentHundredths, currency),
      part,
      `${percentHundredths / 100} % of ${amount} ${currency}`
    )
  }
})

t.test('a sum so large that its product would lose digits is exact', async (t) => {
  t.equal(partOf(Number.MAX_SAFE_INTEGER, 10_000, 'usd'), Number.MAX_SAFE_INTEGER)
  t.equal(partOf(9_007_199_254_740_990, 9_999, 'usd'), 9_006_298_534_815_515)
})
