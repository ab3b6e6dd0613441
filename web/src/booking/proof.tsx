// Proof of the earlier diagnosis: a photo or PDF, the hospital, the date.
import { useId, useState } from 'preact/hooks'
import { call, get, query } from '../api/client'
import { useDeed, useOnce, useResource } from '../api/resource'
import type { DocType, Evidence } from '../api/types/booking'
import type { Condition } from '../api/types/common'
import { day, isoDay } from '../i18n/format'
import { Icon } from '../ui/icons'
import { Button, Field, ProblemNote, Select } from '../ui/parts'
import { w } from './words'

const kinds: readonly DocType[] = ['门诊病历', '住院病历', '出院小结', '诊断证明', '检查报告']
const biggest = 10 * 1024 * 1024

export function fileSize(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.max(1, Math.round(bytes / 1024))} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`
}

export function EvidenceRow({ evidence }: { evidence: Evidence }) {
  const tone = { pending: 'info', verified: 'ok', rejected: 'warn', self_declared: 'plain' }[evidence.verify]
  return (
    <div class="card">
      <div class="top">
        <b>{evidence.institution_name}</b>
        <span class={`tag ${tone}`}>{w(`ver.${evidence.verify}`)}</span>
      </div>
      <p class="meta">
        {kinds.some((kind) => kind === evidence.doc_type)
          ? w(`doc.${evidence.doc_type as DocType}`)
          : evidence.doc_type}{' '}
        · {day(evidence.dx_date)}
        {evidence.doctor ? ` · ${evidence.doctor}` : ''}
      </p>
      {evidence.origin !== 'upload' && <p class="meta">{w(`from.${evidence.origin}`)}</p>}
    </div>
  )
}

export function ProofQuestion({
  person,
  condition,
  onGo,
  onNone,
}: {
  person: string
  condition: Condition
  onGo: () => void
  onNone: () => void
}) {
  const evidence = useResource(
    `evidence ${person}`,
    (signal) => get<Evidence[]>(`/evidence${query({ person_id: person })}`, signal),
    ['evidence.changed'],
  )
  const [adding, setAdding] = useState(false)
  const mine = evidence.value?.filter((one) => one.icd10.slice(0, 3) === condition.icd10.slice(0, 3)) ?? []
  const form = adding || (evidence.value !== undefined && mine.length === 0)
  return (
    <>
      <header class="tight">
        <h1 tabIndex={-1}>{w('proof.title')}</h1>
        <p class="meta">{w('proof.lead')}</p>
      </header>
      <ProblemNote problem={evidence.problem} again={evidence.refresh} />
      {mine.length > 0 && (
        <section class="stack">
          <h2>{w('proof.have')}</h2>
          {mine.map((one) => (
            <EvidenceRow key={one.id} evidence={one} />
          ))}
        </section>
      )}
      {form ? (
        <ProofForm
          person={person}
          condition={condition}
          onSent={() => {
            setAdding(false)
            onGo()
          }}
        />
      ) : (
        <>
          {mine.some((one) => one.verify !== 'rejected' && one.source === 'physical') && (
            <Button look="primary" onPress={onGo} test="proof-use">
              {w('proof.use')}
            </Button>
          )}
          <Button icon="file" onPress={() => setAdding(true)}>
            {w('proof.add')}
          </Button>
        </>
      )}
      <Button look="quiet" onPress={onNone} test="proof-none">
        {w('proof.none')}
      </Button>
    </>
  )
}

function ProofForm({ person, condition, onSent }: { person: string; condition: Condition; onSent: () => void }) {
  const [file, setFile] = useState<File>()
  const [hospital, setHospital] = useState('')
  const [date, setDate] = useState('')
  const [kind, setKind] = useState<DocType>('门诊病历')
  const [shown, setShown] = useState(false)
  const deed = useDeed()
  const once = useOnce()
  const id = useId()
  const fileWrong = !file ? w('proof.file.bad') : file.size > biggest ? w('proof.file.big') : undefined

  const send = () => {
    setShown(true)
    if (fileWrong || !file || hospital.trim() === '' || date === '') return
    void deed.run(async () => {
      const form = new FormData()
      const fields = {
        person_id: person,
        icd10: condition.icd10,
        dx_date: date,
        institution_name: hospital.trim(),
        doc_type: kind,
      }
      for (const [name, value] of Object.entries(fields)) form.set(name, value)
      form.set('file', file)
      await call<Evidence>('POST', '/evidence', { form, once: once([fields, file.name, file.size, file.lastModified]) })
      onSent()
    })
  }

  return (
    <form
      class="stack"
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
    >
      <ProblemNote problem={deed.problem} />
      <div class={`field${shown && fileWrong ? ' wrong' : ''}`}>
        <label class="filebox" for={id}>
          <Icon name="photo" />
          <span>
            <b>{w('proof.file')}</b>
            <small>
              {file ? w('proof.file.chosen', { name: file.name, size: fileSize(file.size) }) : w('proof.file.hint')}
            </small>
          </span>
        </label>
        <input
          id={id}
          class="visually-hidden"
          type="file"
          accept="image/jpeg,image/png,application/pdf"
          onChange={(event) => setFile(event.currentTarget.files?.[0])}
        />
        {shown && fileWrong && (
          <p class="error">
            <Icon name="warn" /> {fileWrong}
          </p>
        )}
      </div>
      <Select
        label={w('proof.type')}
        value={kind}
        options={kinds.map((value) => ({ value, label: w(`doc.${value}`) }))}
        onChange={setKind}
      />
      <Field
        label={w('proof.hospital')}
        name="institution_name"
        value={hospital}
        onInput={setHospital}
        maxLength={80}
        error={shown && hospital.trim() === '' ? w('proof.hospital.bad') : undefined}
      />
      <Field
        label={w('proof.date')}
        name="dx_date"
        type="date"
        value={date}
        onInput={setDate}
        max={isoDay(new Date())}
        error={shown && date === '' ? w('proof.date.bad') : undefined}
      />
      <Button look="primary" type="submit" busy={deed.busy}>
        {w('proof.send')}
      </Button>
    </form>
  )
}
