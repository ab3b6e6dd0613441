// The coordinator compares what a patient handed in with what the patient says, one paper at a time.
import { useId, useState } from 'preact/hooks'
import { call, file, get, post, query } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import type { Evidence, EvidenceCase, TakenIn } from '../api/types/booking'
import type { CodeRow } from '../api/types/common'
import { day, isoDay, minutes } from '../i18n/format'
import { pick } from '../i18n/i18n'
import { w as identity } from '../identity/words'
import { Find } from '../ui/find'
import { useHospital } from '../ui/hospital'
import { Icon } from '../ui/icons'
import { Button, Field, Loading, Notice, ProblemNote, useTitle } from '../ui/parts'
import { PdfPages } from '../ui/pdf_pages'
import { w } from './desk_words'

export function EvidenceDesk() {
  const queue = useResource('evidence', (signal) => get<EvidenceCase[]>('/evidence/queue', signal), [
    'evidence.changed',
  ])
  const [chosen, setChosen] = useState<string>()
  useTitle(w('ev.title'))
  const list = queue.value ?? []
  const current = list.find((one) => one.id === chosen) ?? list[0]
  return (
    <div class="columns review">
      <aside class="column" aria-label={w('ev.title')}>
        <h2>
          {w('ev.title')} {list.length}
        </h2>
        <ProblemNote problem={queue.problem} again={queue.refresh} />
        {!queue.value && !queue.problem && <Loading />}
        <div class="queue">
          {list.map((one) => (
            <button
              key={one.id}
              type="button"
              aria-current={one.id === current?.id ? 'true' : undefined}
              onClick={() => setChosen(one.id)}
              data-test="evidence"
            >
              <span class="top">
                <span>
                  {one.person.name} {identity(`sex.${one.person.sex}`)} {one.person.age}
                </span>
                <span class="meta">{w('ev.waited', { n: minutes(one.waiting_s) })}</span>
              </span>
              <span class="meta">
                {one.icd10} · {one.doc_type} · {one.institution_name}
              </span>
            </button>
          ))}
        </div>
        {queue.value?.length === 0 && (
          <div class="meta">
            <p>{w('ev.empty')}</p>
            <p>{w('ev.empty.say')}</p>
          </div>
        )}
        <p class="push" />
        <OwnRecords />
      </aside>
      {current ? (
        <Checking key={current.id} evidence={current} onDone={queue.refresh} />
      ) : (
        <main class="column paper" id="content">
          <h1 class="visually-hidden">{w('ev.title')}</h1>
          <div class="empty">
            <Icon name="file" />
            <p>{w('ev.empty')}</p>
          </div>
        </main>
      )}
    </div>
  )
}

/** The heading of the file, as the server reads it. */
const recordColumns = '病案号,身份证号,姓名,诊断日期,ICD-10,资料种类,科室,签名医师,作废'

/** The hospital's own signed records, as a file of its system: who is found there hands nothing in. */
function OwnRecords() {
  const hospital = useHospital('coordinator')
  const [done, setDone] = useState<TakenIn>()
  const deed = useDeed()
  const id = useId()
  return (
    <section class="tight">
      {hospital.chooser}
      <div class="field">
        <label for={id}>{w('rec.title')}</label>
        <p class="hint" id={`${id}-hint`}>
          {w('rec.hint', { columns: recordColumns })}
        </p>
        <input
          id={id}
          type="file"
          name="records"
          accept=".csv,text/csv"
          aria-describedby={`${id}-hint`}
          disabled={deed.busy}
          onChange={(event) => {
            const input = event.currentTarget
            const file = input.files?.[0]
            if (!file) return
            setDone(undefined)
            void deed.run(async () => {
              const form = new FormData()
              form.set('institution_id', hospital.id)
              form.set('file', file)
              input.value = '' // the same file may be chosen again once it is corrected
              setDone(await call<TakenIn>('POST', '/evidence/records', { form }))
            })
          }}
        />
      </div>
      <ProblemNote problem={deed.problem} />
      {done && <Notice tone="ok" live title={w('rec.done', done)} />}
    </section>
  )
}

/** A document is drawn, never run, and stands on every device. */
function Pdf({ at }: { at: string }) {
  const bytes = useResource(at, async () => (await file(at)).arrayBuffer())
  if (!bytes.value)
    return (
      <>
        <ProblemNote problem={bytes.problem} again={bytes.refresh} />
        {bytes.loading && <Loading />}
      </>
    )
  return <PdfPages bytes={bytes.value} title={w('ev.paper')} broken={<Notice tone="warn" title={w('ev.broken')} />} />
}

function Checking({ evidence, onDone }: { evidence: EvidenceCase; onDone: () => void }) {
  const [icd10, setIcd10] = useState(evidence.icd10)
  const [date, setDate] = useState(evidence.dx_date)
  const [note, setNote] = useState('')
  const deed = useDeed()
  const path = `/evidence/${evidence.id}/file`
  const address = `/api/v1${path}`
  const verify = (result: 'verified' | 'rejected') =>
    void deed.run(async () => {
      await post<Evidence>(`/evidence/${evidence.id}/verify`, { result, icd10, dx_date: date, note: note.trim() })
      onDone()
    })
  return (
    <>
      <main class="column paper" id="content">
        <div class="top">
          <h1>
            {w('person', {
              name: evidence.person.name,
              sex: identity(`sex.${evidence.person.sex}`),
              age: evidence.person.age,
            })}
          </h1>
          <a href={address} target="_blank" rel="noreferrer">
            {w('ev.open')}
          </a>
        </div>
        {evidence.content_type === 'application/pdf' ? (
          <Pdf key={evidence.id} at={path} />
        ) : (
          <div class="paper-view" data-test="paper">
            <img src={address} alt={w('ev.paper')} />
          </div>
        )}
      </main>
      <aside class="column" aria-label={w('ev.claim')}>
        <h2>{w('ev.claim')}</h2>
        <dl class="facts">
          <dt>ICD-10</dt>
          <dd>{evidence.icd10}</dd>
          <dt>{w('ev.date')}</dt>
          <dd>{day(evidence.dx_date)}</dd>
          <dt>{w('ev.paper')}</dt>
          <dd>
            {evidence.doc_type} · {evidence.institution_name}
          </dd>
        </dl>
        <p class="meta">{w('ev.same')}</p>
        <ProblemNote problem={deed.problem} />
        <Field label={w('ev.icd10')} name="icd10" value={icd10} onInput={setIcd10} maxLength={10} />
        <Find<CodeRow>
          label={w('ev.find')}
          ask={(words, signal) => get<CodeRow[]>(`/icd10${query({ q: words })}`, signal)}
          show={(row) => ({ name: `${row.code} ${pick(row.name)}` })}
          keyOf={(row) => row.code}
          onPick={(row) => setIcd10(row.code)}
        />
        <Field
          label={w('ev.date')}
          name="dx_date"
          type="date"
          value={date}
          onInput={setDate}
          max={isoDay(new Date())}
        />
        <Field label={w('ev.note')} name="note" lines={3} value={note} onInput={setNote} maxLength={500} />
        <Button
          look="primary"
          icon="check"
          busy={deed.busy}
          disabled={icd10.trim() === '' || date === ''}
          onPress={() => verify('verified')}
          test="verify-evidence"
        >
          {w('ev.verify')}
        </Button>
        <Button
          look="danger"
          busy={deed.busy}
          disabled={note.trim() === ''}
          onPress={() => verify('rejected')}
          test="reject-evidence"
        >
          {w('ev.reject')}
        </Button>
      </aside>
    </>
  )
}
