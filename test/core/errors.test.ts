import t from 'tap'
import { AppError, problems } from '../../src/core/errors.ts'

t.test('an error takes its status and its first words from the catalogue', async (t) => {
  const error = new AppError('booking_not_found')
  t.equal(error.status, 404)
  t.equal(error.message, problems.booking_not_found[1])
})
