import { expect, it } from 'vitest'
import type { RxItem } from '../api/types/prescribe'
import { plainUse, sayUse } from './use'

it.each([
  ['5 mg × 1/d', '每次 5\u00a0mg，每天 1 次'],
  ['500 mg × 2/d PC', '每次 500\u00a0mg，每天 2 次，饭后'],
  ['70 mg × 1/wk', '每次 70\u00a0mg，每周 1 次'],
  ['2 × 3/d', '每次 2 片（支、袋），每天 3 次'],
  ['as the label says', 'as the label says'],
])('%s is said as %s', (use, said) => expect(plainUse(use)).toBe(said))

const line = { line: 1, days: 28, provenance: 'typed' } as const
it.each<[RxItem, string]>([
  [{ ...line, dose: '5', unit: 'mg', per_day: 1, route: 'po' }, '每天 1 次，每次 5\u00a0毫克，共 28 天'],
  [
    { ...line, units: '1', form: 'tab', per_day: 2, timing: 'after_meal', route: 'po' },
    '每天 2 次，每次 1\u00a0片，饭后吃，共 28 天',
  ],
  [
    { ...line, dose: '70', unit: 'mg', per_week: 1, timing: 'morning' },
    '每周 1 次，每次 70\u00a0毫克，早上吃，共 28 天',
  ],
  [{ ...line, units: '2', form: 'inh', per_day: 2, route: 'inh' }, '每天 2 次，每次 2\u00a0吸（喷），共 28 天'],
  [
    { ...line, units: '1', form: 'sup', per_day: 1, timing: 'bedtime', route: 'pr' },
    '每天 1 次，每次 1\u00a0枚，睡前用，共 28 天',
  ],
  [{ ...line, units: '1', per_day: 3 }, '每天 3 次，每次 1\u00a0片（支、袋），共 28 天'],
])('says %o as %s', (item, said) => expect(sayUse(item)).toBe(said))
