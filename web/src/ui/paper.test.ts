import { describe, expect, it } from 'vitest'
import { rxPaper } from '../prescribe/paper'
import { opinionPaper } from '../teleconsult/paper'
import { recordPaper } from '../visit/paper'
import { readPaper } from './sign'

const record = {
  person_name: '何桂兰',
  sex: 'F',
  age: 68,
  doctor_name: '张建国',
  institution_name: '清河市第一医院',
  text: {
    chief_complaint: '头晕 3 天',
    present_illness: '',
    assessment: '血压控制欠佳',
    plan: '继续服药',
    diagnoses: [{ icd10: 'I10.x00', name: '特发性高血压' }],
  },
}
const prescription = {
  no: 'RX-1',
  type: 'long',
  diagnosis: ['I10.x00'],
  days_reason: '',
  patient: { name: '何桂兰', sex: 'F', birth_date: '1958-03-02' },
  doctor: { name: '张建国', title: '副主任医师' },
  institution: { name: '清河市第一医院' },
  items: [
    {
      line: 1,
      name: { zh: '氨氯地平', en: 'amlodipine' },
      dose: '5',
      unit: 'mg',
      per_day: 1,
      days: 28,
      quantity: '28 片',
    },
  ],
}
const lines = (paper: ReturnType<typeof readPaper>) => paper?.flatMap(({ text }) => text)

describe('the paper of what is signed', () => {
  it('says a record with its diagnoses and leaves out what is empty', () => {
    expect(lines(readPaper(JSON.stringify(record), recordPaper))).toEqual([
      '何桂兰 女 68 岁',
      '张建国 · 清河市第一医院',
      '头晕 3 天',
      'I10.x00 特发性高血压',
      '血压控制欠佳',
      '继续服药',
    ])
  })
  it('says a prescription line as it is written by hand', () => {
    const said = lines(readPaper(JSON.stringify(prescription), (text) => rxPaper(text, (code) => `${code} 高血压`)))
    expect(said).toContain('1. 氨氯地平 每次 5\u00a0mg，每天 1 次，28 天 · 28 片')
    expect(said).toContain('I10.x00 高血压')
    expect(said).toContain('慢病长期')
  })
  it('says an opinion', () => {
    const opinion = JSON.stringify({ content: { findings: '右肺上叶结节', advice: '三个月后复查' } })
    expect(lines(readPaper(opinion, opinionPaper))).toEqual(['右肺上叶结节', '三个月后复查'])
  })
  it.each(['{}', 'no JSON', JSON.stringify({ ...record, sex: 'other kind', text: {} })])(
    'shows nothing half: %s cannot be signed',
    (canonical) => expect(readPaper(canonical, recordPaper)).toBeUndefined(),
  )
  it('does not sign a kind of prescription that has no words', () => {
    const strange = JSON.stringify({ ...prescription, type: 'strange' })
    expect(readPaper(strange, (text) => rxPaper(text, String))).toBeUndefined()
  })
})
