// The questions before the answer: who, danger signs, kind, illness, how it is, consent. Each receives data and says what was chosen.
import { useState } from 'preact/hooks'
import type { Severity, VisitKind } from '../api/types/booking'
import type { Condition } from '../api/types/common'
import type { Person } from '../api/types/identity'
import { pick } from '../i18n/i18n'
import { w as who } from '../identity/words'
import { Answer, Button, Field, Tick } from '../ui/parts'
import { type Flag, flags } from './wizard'
import { w } from './words'

export function WhoQuestion({
  persons,
  onPick,
  onAdd,
}: {
  persons: Person[]
  onPick: (person: Person) => void
  onAdd: () => void
}) {
  return (
    <>
      <h1 tabIndex={-1}>{w('who.title')}</h1>
      <div class="answers">
        {persons.map((person) => (
          <Answer
            key={person.id}
            icon="person"
            label={person.name}
            note={`${who(`rel.${person.relation}`)} · ${who(`sex.${person.sex}`)} · ${who('age', { n: person.age })}${
              person.realname_level < 2 ? ` · ${w('who.unproven')}` : ''
            }${person.age < 18 && !person.guardian_verified ? ` · ${w('who.guardian')}` : ''}`}
            onPress={() => onPick(person)}
            test="person"
          />
        ))}
      </div>
      <Button icon="people" onPress={onAdd} test="add-person">
        {w('who.add')}
      </Button>
    </>
  )
}

export function FlagsQuestion({ onNone, onFlag }: { onNone: () => void; onFlag: (flag: Flag) => void }) {
  return (
    <>
      <header class="tight">
        <h1 tabIndex={-1}>{w('flags.title')}</h1>
        <p class="meta">{w('flags.why')}</p>
      </header>
      <div class="flags">
        {flags.map((flag) => (
          <button key={flag} type="button" class="flag" onClick={() => onFlag(flag)} data-test={`flag-${flag}`}>
            {w(`flags.${flag}`)}
          </button>
        ))}
      </div>
      <p class="push" />
      <Button look="primary" onPress={onNone} test="flags-none">
        {w('flags.none')}
      </Button>
    </>
  )
}

// A visit beside an attending doctor (accompanied) is arranged by that doctor's hospital; nobody asks for it here.
const kinds = ['follow_up', 'first_visit', 'health_consult'] as const satisfies readonly VisitKind[]

export function KindQuestion({ onPick }: { onPick: (kind: VisitKind) => void }) {
  return (
    <>
      <h1 tabIndex={-1}>{w('kind.title')}</h1>
      <div class="answers">
        {kinds.map((kind) => (
          <Answer
            key={kind}
            label={w(`kind.${kind}`)}
            note={w(`kind.${kind}.note`)}
            onPress={() => onPick(kind)}
            test={`kind-${kind}`}
          />
        ))}
      </div>
    </>
  )
}

export function IllnessQuestion({
  conditions,
  onPick,
}: {
  conditions: Condition[]
  onPick: (condition: Condition) => void
}) {
  const [find, setFind] = useState('')
  const word = find.trim().toLowerCase()
  const found = conditions.filter(
    ({ name, icd10, department }) =>
      word === '' ||
      [name.zh, name.en.toLowerCase(), icd10.toLowerCase(), department].some((one) => one.includes(word)),
  )
  return (
    <>
      <h1 tabIndex={-1}>{w('ill.title')}</h1>
      {conditions.length > 6 && <Field label={w('ill.search')} value={find} onInput={setFind} type="search" />}
      <div class="answers">
        {found.map((condition) => (
          <Answer
            key={condition.icd10}
            label={pick(condition.name)}
            note={condition.online ? condition.department : `${condition.department} · ${w('ill.offline')}`}
            onPress={() => onPick(condition)}
            test={`illness-${condition.icd10}`}
          />
        ))}
      </div>
      {found.length === 0 && <p>{w('ill.none')}</p>}
    </>
  )
}

const severities: readonly Severity[] = ['mild', 'moderate', 'severe']

export function AboutQuestion({
  complaint,
  onPick,
}: {
  complaint: string
  onPick: (severity: Severity, complaint: string) => void
}) {
  const [said, setSaid] = useState(complaint)
  return (
    <>
      <h1 tabIndex={-1}>{w('about.title')}</h1>
      <Field
        label={w('about.say')}
        name="complaint"
        optional
        value={said}
        onInput={setSaid}
        lines={3}
        maxLength={500}
      />
      <div class="answers">
        {severities.map((severity) => (
          <Answer
            key={severity}
            label={w(`about.${severity}`)}
            onPress={() => onPick(severity, said.trim())}
            test={`severity-${severity}`}
          />
        ))}
      </div>
    </>
  )
}

export function ConsentQuestion({ onAgree }: { onAgree: () => void }) {
  const [care, setCare] = useState(false)
  const [data, setData] = useState(false)
  return (
    <>
      <h1 tabIndex={-1}>{w('con.title')}</h1>
      <p>{w('con.care')}</p>
      <Tick label={w('con.care.tick')} checked={care} onChange={setCare} test="consent-care" />
      <Tick label={w('con.data')} note={w('con.data.note')} checked={data} onChange={setData} test="consent-data" />
      <p class="push" />
      {!(care && data) && <p class="meta">{w('con.both')}</p>}
      <Button look="primary" disabled={!(care && data)} onPress={onAgree} test="consent-go">
        {w('con.go')}
      </Button>
    </>
  )
}
