import type { PaymentTaskTables } from '../core/payment-task.ts'

type PaymentTasks = PaymentTaskTables['paymentTasks']

/** Tells of the transactions of this process that have left something to do about a payment. */
export function createPaymentTaskWrites() {
  const listeners: (() => void)[] = []

  return {
    onWritten(listener: () => void): void {
      listeners.push(listener)
    },

    /** Runs a transaction whose tasks are seen through `watch`; one that is rolled back has left none. */
    async during<T>(transaction: (watch: (tasks: PaymentTasks) => PaymentTasks) => Promise<T>): Promise<T> {
      let isWritten = false
      const watch = (tasks: PaymentTasks): PaymentTasks => ({
        ...tasks,
        async add(task) {
          isWritten = true
          await tasks.add(task)
        }
      })
      const result = await transaction(watch)
      if (isWritten) for (const listen of listeners) listen()
      return result
    }
  }
}
