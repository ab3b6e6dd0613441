// The county doctor's request: who, what is asked, how urgent; images and consent follow on the case itself.
import { useState } from 'preact/hooks'
import { call, get, post } from '../api/client'
import { useDeed, useOnce, useResource } from '../api/resource'
import type { Institution } from '../api/types/common'
import type { Person } from '../api/types/identity'
import type { NewTeleconsult, Teleconsult, TeleconsultKind, Urgency } from '../api/types/teleconsult'
import { w as identity } from '../identity/words'
import { Find } from '../ui/find'
import { Button, Field, ProblemNote, Select, useTitle } from '../ui/parts'
import { w } from './words'

export const urgencies: readonly Urgency[] = ['routine', 'urgent', 'emergency']
export const consultKinds: readonly TeleconsultKind[] = ['consult', 'imaging', 'pathology', 'ecg']

/** What the doctor writes, apart from who and where. */
export type RequestText = Pick<
  Teleconsult,
  'kind' | 'urgency' | 'question' | 'summary' | 'diagnosis' | 'labs' | 'contact'
>

export const trimmed = (text: RequestText): RequestText => ({
  kind: text.kind,
  urgency: text.urgency,
  question: text.question.trim(),
  summary: text.summary.trim(),
  diagnosis: text.diagnosis.trim(),
  labs: text.labs.trim(),
  contact: text.contact.trim(),
})

export function RequestFields({ text, onChange }: { text: RequestText; onChange: (next: RequestText) => void }) {
  const field = (key: 'question' | 'summary' | 'diagnosis' | 'labs' | 'contact', max: number, lines?: number) => (
    <Field
      label={w(`f.${key}`)}
      name={key}
      {...(lines ? { lines } : {})}
      value={text[key]}
      onInput={(value) => onChange({ ...text, [key]: value })}
      maxLength={max}
    />
  )
  return (
    <>
      <div class="two">
        <Select
          label={w('f.kind')}
          value={text.kind}
          options={consultKinds.map((value) => ({ value, label: w(`kind.${value}`) }))}
          onChange={(kind) => onChange({ ...text, kind })}
        />
        <Select
          label={w('f.urgency')}
          value={text.urgency}
          options={urgencies.map((value) => ({ value, label: w(`urgency.${value}`) }))}
          onChange={(urgency) => onChange({ ...text, urgency })}
        />
      </div>
      {text.kind !== 'consult' && <p class="meta">{w('kind.joint')}</p>}
      {field('question', 2000, 2)}
      {field('diagnosis', 500)}
      {field('summary', 8000, 6)}
      {field('labs', 8000, 3)}
      {field('contact', 40)}
    </>
  )
}

export function NewRequest({ onSaved }: { onSaved: (id: string) => void }) {
  const [person, setPerson] = useState<Person>()
  const [department, setDepartment] = useState('')
  const [text, setText] = useState<RequestText>({
    kind: 'consult',
    urgency: 'routine',
    question: '',
    summary: '',
    diagnosis: '',
    labs: '',
    contact: '',
  })
  const institutions = useResource('institutions', (signal) => get<Institution[]>('/institutions', signal))
  const deed = useDeed()
  const once = useOnce()
  useTitle(w('list.new'))
  const departments = [...new Set((institutions.value ?? []).flatMap((one) => one.departments))].sort()
  const wanted = department || departments[0] || ''
  const complete = person && wanted && text.question.trim() && text.summary.trim()
  const save = () => {
    if (!person || !complete) return
    const request: NewTeleconsult = { person_id: person.id, department: wanted, ...trimmed(text) }
    void deed.run(async () => onSaved((await post<Teleconsult>('/teleconsults', request, once(request))).id))
  }
  return (
    <main class="column paper" id="content">
      <h1>{w('list.new')}</h1>
      <ProblemNote problem={deed.problem ?? institutions.problem} />
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          save()
        }}
      >
        {person ? (
          <div class="row">
            <span class="meta">{w('f.patient')}</span>
            <b class="grow">
              {person.name} {identity(`sex.${person.sex}`)} {person.birth_date}{' '}
              <span class="meta mono">{person.id_masked}</span>
            </b>
            <Button look="quiet" onPress={() => setPerson(undefined)}>
              {w('f.patient.find')}
            </Button>
          </div>
        ) : (
          <Find<Person>
            label={w('f.patient.find')}
            test="patient"
            ask={(words, signal) => call<Person[]>('POST', '/patients/search', { body: { q: words }, signal })}
            show={(row) => ({
              name: `${row.name} ${identity(`sex.${row.sex}`)} ${row.birth_date}`,
              note: row.id_masked,
            })}
            keyOf={(row) => row.id}
            onPick={setPerson}
          />
        )}
        <Select
          label={w('f.department')}
          value={wanted}
          options={departments.map((value) => ({ value, label: value }))}
          onChange={setDepartment}
        />
        <RequestFields text={text} onChange={setText} />
        <div class="row">
          <Button look="primary" type="submit" busy={deed.busy} disabled={!complete} test="save-request">
            {w('f.save')}
          </Button>
          {!complete && <span class="meta">{w('f.missing')}</span>}
        </div>
      </form>
    </main>
  )
}
