// The county doctor's request: who, what is asked, how urgent; images and consent follow on the case itself.
import { useState } from 'preact/hooks'
import { get, post, query } from '../api/client'
import { useDeed, useOnce, useResource } from '../api/resource'
import type { Institution, NewTeleconsult, Person, Teleconsult, Urgency } from '../api/types'
import { w as identity } from '../identity/words'
import { Find } from '../ui/find'
import { Button, Field, ProblemNote, Select, useTitle } from '../ui/parts'
import { w } from './words'

const urgencies: readonly Urgency[] = ['routine', 'urgent', 'emergency']

export function NewRequest({ onSaved }: { onSaved: (id: string) => void }) {
  const [person, setPerson] = useState<Person>()
  const [department, setDepartment] = useState('')
  const [question, setQuestion] = useState('')
  const [summary, setSummary] = useState('')
  const [urgency, setUrgency] = useState<Urgency>('routine')
  const institutions = useResource('institutions', (signal) => get<Institution[]>('/institutions', signal))
  const deed = useDeed()
  const once = useOnce()
  useTitle(w('list.new'))
  const departments = [...new Set((institutions.value ?? []).flatMap((one) => one.departments))].sort()
  const wanted = department || departments[0] || ''
  const complete = person && wanted && question.trim() && summary.trim()
  const save = () => {
    if (!person || !complete) return
    const request: NewTeleconsult = {
      person_id: person.id,
      department: wanted,
      question: question.trim(),
      summary: summary.trim(),
      urgency,
    }
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
            ask={(words, signal) => get<Person[]>(`/patients${query({ q: words })}`, signal)}
            show={(row) => ({
              name: `${row.name} ${identity(`sex.${row.sex}`)} ${row.birth_date}`,
              note: row.id_masked,
            })}
            keyOf={(row) => row.id}
            onPick={setPerson}
          />
        )}
        <div class="two">
          <Select
            label={w('f.department')}
            value={wanted}
            options={departments.map((value) => ({ value, label: value }))}
            onChange={setDepartment}
          />
          <Select
            label={w('f.urgency')}
            value={urgency}
            options={urgencies.map((value) => ({ value, label: w(`urgency.${value}`) }))}
            onChange={setUrgency}
          />
        </div>
        <Field
          label={w('f.question')}
          name="question"
          lines={2}
          value={question}
          onInput={setQuestion}
          maxLength={2000}
        />
        <Field label={w('f.summary')} name="summary" lines={6} value={summary} onInput={setSummary} maxLength={8000} />
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
