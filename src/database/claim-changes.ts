import type { BookingTables } from '../core/booking-tables.ts'

type Claims = BookingTables['claims']

/** What changes nothing. */
const looks: ReadonlySet<string | symbol> = new Set<keyof Claims>(['inTheWay', 'own', 'queue', 'ownersOf'])

/** Counts the transactions of this process that took time or gave it back. */
export function createClaimChanges() {
  let changes = 0

  return {
    count: (): number => changes,

    /** Runs a transaction whose claims are seen through `watch`; one that is rolled back changes nothing. */
    async during<T>(transaction: (watch: (claims: Claims) => Claims) => Promise<T>): Promise<T> {
      let isTouched = false
      const watch = (claims: Claims) =>
        new Proxy(claims, {
          get(target, name, receiver) {
            isTouched ||= !looks.has(name)
            return Reflect.get(target, name, receiver)
          }
        })
      const result = await transaction(watch)
      if (isTouched) changes++
      return result
    }
  }
}
