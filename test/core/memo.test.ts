import t from 'tap'
import { createMemo } from '../../src/core/memo.ts'

t.test('what was used last stays, up to the weight', async (t) => {
  const memo = createMemo<string>(10)
  memo.set('a', 'A', 4)
  memo.set('b', 'B', 4)
  t.equal(memo.get('a'), 'A')
  memo.set('c', 'C', 4)
  t.same([memo.get('a'), memo.get('b'), memo.get('c')], ['A', undefined, 'C'])
})

t.test('one that weighs too much replaces nothing but itself', async (t) => {
  const memo = createMemo<string>(10)
  memo.set('a', 'A', 5)
  memo.set('b', 'B', 5)
  memo.set('b', 'B as heavy as nothing else', 11)
  t.same([memo.get('a'), memo.get('b')], ['A', undefined])
})

t.test('a value that is set again weighs what it weighs now', async (t) => {
  const memo = createMemo<string>(10)
  memo.set('a', 'A', 9)
  memo.set('a', 'a', 1)
  memo.set('b', 'B', 9)
  t.same([memo.get('a'), memo.get('b')], ['a', 'B'])
})
