// A record as it looks on paper, read from the text that is signed.

import type { Person } from '../api/types/identity'
import type { VisitRecord } from '../api/types/visit'
import { w as identity } from '../identity/words'
import type { Paper } from '../ui/sign'
import { w } from './desk_words'

type RecordDocument = {
  person_name: string
  sex: Person['sex']
  age: number
  doctor_name: string
  institution_name: string
  text: Pick<VisitRecord, 'chief_complaint' | 'present_illness' | 'assessment' | 'plan' | 'diagnoses'>
}

export function recordPaper(canonical: string): Paper {
  const { text, ...of } = JSON.parse(canonical) as RecordDocument
  return [
    {
      label: w('sign.patient'),
      text: [w('person', { name: of.person_name, sex: identity(`sex.${of.sex}`), age: of.age })],
    },
    { label: w('sign.doctor'), text: [`${of.doctor_name} · ${of.institution_name}`] },
    { label: w('rec.complaint'), text: [text.chief_complaint] },
    { label: w('rec.illness'), text: [text.present_illness] },
    { label: w('rec.diagnoses'), text: text.diagnoses.map(({ icd10, name }) => `${icd10} ${name}`) },
    { label: w('rec.assessment'), text: [text.assessment] },
    { label: w('rec.plan'), text: [text.plan] },
  ]
}
