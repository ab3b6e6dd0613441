import { expect, test } from 'vitest'
import { lacks } from './record_editor'

const whole = {
  chief_complaint: '咳嗽',
  present_illness: '',
  assessment: '稳定',
  plan: '继续用药',
  diagnoses: [{ icd10: 'I10', name: '高血压' }],
  version: 1,
}

test('a record is signed with what the server asks of it, and says what it lacks', () => {
  expect(lacks(whole)).toEqual([])
  expect(lacks({ ...whole, plan: ' ' })).toEqual(['rec.plan'])
  expect(lacks({ ...whole, chief_complaint: '', assessment: '\n', diagnoses: [] })).toEqual([
    'rec.complaint',
    'rec.diagnoses',
    'rec.assessment',
  ])
})
