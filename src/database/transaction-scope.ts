import { AsyncLocalStorage } from 'node:async_hooks'

/** Knows whether the code that asks runs inside a transaction. */
export type TransactionScope = ReturnType<typeof createTransactionScope>

export function createTransactionScope() {
  const storage = new AsyncLocalStorage<{ isOpen: boolean }>()
  return {
    /** Runs `work` inside; what it leaves running when it returns is outside again. */
    run: async <T>(work: () => Promise<T>): Promise<T> => {
      const transaction = { isOpen: true }
      try {
        return await storage.run(transaction, work)
      } finally {
        transaction.isOpen = false
      }
    },
    assertOutside: () => {
      if (storage.getStore()?.isOpen) {
        throw new Error('The outer database handle was used inside a transaction: use the one it was given')
      }
    }
  }
}
