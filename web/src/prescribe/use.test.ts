import { expect, it } from 'vitest'
import { plainUse } from './use'

it.each([
  ['5 mg × 1/d', '每次 5\u00a0mg，每天 1 次'],
  ['70 mg × 1/wk', '每次 70\u00a0mg，每周 1 次'],
  ['2 × 3/d', '每次 2 片（支、袋），每天 3 次'],
  ['as the label says', 'as the label says'],
])('%s is said as %s', (use, said) => expect(plainUse(use)).toBe(said))
