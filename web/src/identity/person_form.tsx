// Real-name entry. The number is checked here so that a slip costs no round trip; the server checks it again.
import { useState } from 'preact/hooks'
import { post } from '../api/client'
import { useDeed, useOnce } from '../api/resource'
import type { NewPerson, Person, Relation } from '../api/types/identity'
import { Button, Field, ProblemNote, Select } from '../ui/parts'
import { checkId, spellId } from './idcard'
import { w } from './words'

const relations: readonly Relation[] = ['self', 'child', 'parent', 'spouse', 'other']

export function PersonForm({ hasSelf, onDone }: { hasSelf: boolean; onDone: (person: Person) => void }) {
  const [relation, setRelation] = useState<Relation>(hasSelf ? 'parent' : 'self')
  const [name, setName] = useState('')
  const [number, setNumber] = useState('')
  const [shown, setShown] = useState(false)
  const once = useOnce()
  const deed = useDeed()

  const plain = number.replace(/\s/g, '')
  const check = checkId(number)
  const nameWrong = name.trim().length < 2
  const numberWrong = check.ok
    ? undefined
    : check.why === 'length'
      ? w('who.id.length', { n: plain.length })
      : w(`who.id.${check.why}`)

  const save = () => {
    setShown(true)
    if (nameWrong || !check.ok) return
    const person: NewPerson = { relation, name: name.trim(), id_type: '01', id_no: plain.toUpperCase() }
    void deed.run(async () => onDone(await post<Person>('/persons', person, once(person))))
  }

  return (
    <form
      class="stack"
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        save()
      }}
    >
      <ProblemNote problem={deed.problem} />
      <Select
        label={w('who.relation')}
        value={relation}
        options={relations
          .filter((one) => one !== 'self' || !hasSelf)
          .map((value) => ({ value, label: w(`rel.${value}`) }))}
        onChange={setRelation}
      />
      <Field
        label={w('who.name')}
        name="name"
        hint={w('who.name.hint')}
        value={name}
        onInput={setName}
        autoComplete="name"
        maxLength={60}
        error={shown && nameWrong ? w('who.name.bad') : undefined}
      />
      <Field
        label={w('who.id')}
        name="id_no"
        hint={check.ok ? w('who.id.ok', { sex: w(`sex.${check.sex}`), birth: check.birth }) : w('who.id.hint')}
        value={number}
        onInput={(value) => setNumber(spellId(value))}
        inputMode="text"
        autoComplete="off"
        maxLength={20}
        error={(shown || plain.length >= 18) && numberWrong ? numberWrong : undefined}
      />
      <Button look="primary" type="submit" busy={deed.busy}>
        {w('who.save')}
      </Button>
    </form>
  )
}
