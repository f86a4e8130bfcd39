const threeDecimal = new Set(['bhd', 'iqd', 'jod', 'kwd', 'lyd', 'omr', 'tnd'])
/** Without decimals, yet counted in hundredths by Stripe. */
const wholeInHundredths = new Set(['isk', 'ugx'])

/**
 * The smallest amount of a currency that Stripe moves, in its integers.
 * https://docs.stripe.com/currencies#zero-decimal, #special-cases and #three-decimal
 */
export function quantumOf(currency: string): number {
  if (threeDecimal.has(currency)) return 10
  return wholeInHundredths.has(currency) ? 100 : 1
}

/** So many hundredths of a percent of an amount in minor units, rounded down to what the currency can pay. */
export function partOf(amount: number, percentHundredths: number, currency: string): number {
  const quantum = BigInt(quantumOf(currency))
  const part = (BigInt(amount) * BigInt(percentHundredths)) / 10_000n
  return Number(part - (part % quantum))
}
