// A prescription as it looks on paper, read from the text that is signed.
import type { Person } from '../api/types/identity'
import type { Prescription, RxItem } from '../api/types/prescribe'
import { w as identity } from '../identity/words'
import type { Paper } from '../ui/sign'
import { w as sign } from '../visit/desk_words'
import { w } from './desk_words'
import { drugName, rxUse } from './patient_rx'
import { w as rx } from './words'

type RxDocument = Pick<Prescription, 'no' | 'type' | 'diagnosis' | 'items'> & {
  patient: Pick<Person, 'name' | 'sex' | 'birth_date'>
  doctor: { name: string; title: string }
  institution: { name: string }
  days_reason?: string
  valid_days?: number
  long_document?: { title: string; number: string }
}

export const rxLine = (item: RxItem): string =>
  `${item.line}. ${drugName(item)} ${rxUse(item)}${item.quantity ? ` · ${item.quantity}` : ''}`

/** `named` says a diagnosis with its name: codes alone are signed. */
export function rxPaper(canonical: string, named: (code: string) => string): Paper {
  const of = JSON.parse(canonical) as RxDocument
  return [
    {
      label: sign('sign.patient'),
      text: [`${of.patient.name} ${identity(`sex.${of.patient.sex}`)} ${of.patient.birth_date}`],
    },
    {
      label: sign('sign.doctor'),
      text: [rx('by', { doctor: `${of.doctor.name} ${of.doctor.title}`, hospital: of.institution.name })],
    },
    { label: w('rx.title'), text: [rx('rx.no', { no: of.no }), w(`type.${of.type}`)] },
    { label: w('desk.diagnosis'), text: of.diagnosis.map(named) },
    { label: w('desk.lines'), text: of.items.map(rxLine) },
    { label: w('rx.reason'), text: [of.days_reason ?? ''] },
    { label: w('rx.valid'), text: [w(of.valid_days === 3 ? 'valid.3' : of.valid_days === 2 ? 'valid.2' : 'valid.1')] },
    ...(of.long_document
      ? [{ label: w('rx.permit'), text: [`${of.long_document.title} ${of.long_document.number}`] }]
      : []),
  ]
}
