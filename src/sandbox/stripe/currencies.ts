const listed = (names: string): ReadonlySet<string> => new Set(names.split(' '))

// https://docs.stripe.com/currencies
const zeroDecimal = listed('bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf')
const threeDecimal = listed('bhd jod kwd omr tnd')
/** Without decimals in life, with two of them in Stripe's amounts, which are then always zero. */
const wholeOnly = listed('isk ugx')

export function decimalsOf(currency: string): number {
  if (zeroDecimal.has(currency)) return 0
  return threeDecimal.has(currency) ? 3 : 2
}

/** What every amount is a multiple of, in minor units. */
export function quantumOf(currency: string): number {
  if (wholeOnly.has(currency)) return 100
  return threeDecimal.has(currency) ? 10 : 1
}

/** `$25.00`, as Stripe's messages write an amount. */
export function worded(amount: number, currency: string): string {
  const digits = decimalsOf(currency)
  const style: Intl.NumberFormatOptions = {
    ...{ style: 'currency', currency, currencyDisplay: 'narrowSymbol' },
    ...{ minimumFractionDigits: digits, maximumFractionDigits: digits }
  }
  return new Intl.NumberFormat('en', style).format(amount / 10 ** digits)
}
