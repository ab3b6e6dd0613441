// The record of a visit: four texts and coded diagnoses, kept as they are written, then signed as shown.
import { useEffect, useRef, useState } from 'preact/hooks'
import { asProblem, get, post, put, query } from '../api/client'
import { useDeed } from '../api/resource'
import type { CodeRow } from '../api/types/common'
import type { VisitRecord } from '../api/types/visit'
import { clock } from '../i18n/format'
import { pick } from '../i18n/i18n'
import { Find } from '../ui/find'
import { Icon } from '../ui/icons'
import { Button, Field, Loading, Notice, ProblemNote } from '../ui/parts'
import { SignDialog } from '../ui/sign'
import { w } from './desk_words'
import { recordPaper } from './paper'

const empty: VisitRecord = {
  chief_complaint: '',
  present_illness: '',
  assessment: '',
  plan: '',
  diagnoses: [],
  version: 0,
}
const pause = 900 // ms without typing before the text is sent

/** What the record lacks to be signed, as the fields are labelled. */
export const lacks = (record: VisitRecord) => [
  ...(record.chief_complaint.trim() === '' ? (['rec.complaint'] as const) : []),
  ...(record.diagnoses.length === 0 ? (['rec.diagnoses'] as const) : []),
  ...(record.assessment.trim() === '' ? (['rec.assessment'] as const) : []),
  ...(record.plan.trim() === '' ? (['rec.plan'] as const) : []),
]

/** The text a doctor may change, without what the server adds. */
export function textOf({
  chief_complaint,
  present_illness,
  assessment,
  plan,
  diagnoses,
  version,
}: VisitRecord): VisitRecord {
  return { chief_complaint, present_illness, assessment, plan, diagnoses, version }
}

export type RecordDesk = {
  record: VisitRecord | undefined
  edit: (change: Partial<VisitRecord>) => void
  save: () => Promise<VisitRecord | undefined>
  signed: (record: VisitRecord) => void
  state: 'loading' | 'saved' | 'dirty' | 'saving'
  savedAt: Date | undefined
  deed: ReturnType<typeof useDeed>
}

/** Holds one record: what is typed here is never overwritten by what comes back while typing goes on. */
export function useRecord(visit: string): RecordDesk {
  const [record, setRecord] = useState<VisitRecord>()
  const [state, setState] = useState<RecordDesk['state']>('loading')
  const [savedAt, setSavedAt] = useState<Date>()
  const deed = useDeed()
  const current = useRef<VisitRecord | undefined>(undefined)
  const changes = useRef(0)
  current.current = record

  useEffect(() => {
    let stopped = false
    setRecord(undefined)
    setState('loading')
    get<VisitRecord>(`/visits/${visit}/record`)
      .catch((error: unknown) => {
        if (asProblem(error).status === 404) return empty
        throw error
      })
      .then((found) => {
        if (stopped) return
        setRecord(found)
        setState('saved')
      })
      .catch((error: unknown) => void deed.run(() => Promise.reject(error)))
    return () => {
      stopped = true
    }
  }, [visit, deed.run])

  const save = async (): Promise<VisitRecord | undefined> => {
    const written = current.current
    if (!written || written.signed_at) return written
    const mark = changes.current
    setState('saving')
    try {
      const kept = await put<VisitRecord>(`/visits/${visit}/record`, textOf(written))
      setSavedAt(new Date())
      const typedOn = changes.current !== mark
      const next = typedOn && current.current ? { ...kept, ...textOf(current.current), version: kept.version } : kept
      current.current = next
      setRecord(next)
      setState(typedOn ? 'dirty' : 'saved')
      return next
    } catch (error) {
      setState('dirty')
      throw error
    }
  }
  const latest = useRef(save)
  latest.current = save

  useEffect(() => {
    if (state !== 'dirty') return
    const wait = setTimeout(() => void deed.run(async () => void (await latest.current())), pause)
    return () => clearTimeout(wait)
  }, [state, record, deed.run])

  const edit = (change: Partial<VisitRecord>) => {
    changes.current++
    setRecord((before) => before && { ...before, ...change })
    setState('dirty')
  }
  return { record, edit, save, signed: setRecord, state, savedAt, deed }
}

export function RecordEditor({
  visit,
  desk,
  onSigned,
  signing,
  onSigning,
}: {
  visit: string
  desk: RecordDesk
  onSigned: () => void
  signing: boolean
  onSigning: (open: boolean) => void
}) {
  const { record, edit, state, savedAt, deed } = desk
  if (!record) return deed.problem ? <ProblemNote problem={deed.problem} /> : <Loading />
  if (record.signed_at)
    return (
      <section class="stack" data-test="record" data-signed="true">
        <Notice tone="ok" title={w('rec.signed', { at: clock(record.signed_at) })} />
        <dl class="facts">
          <dt>{w('rec.complaint')}</dt>
          <dd>{record.chief_complaint}</dd>
          <dt>{w('rec.illness')}</dt>
          <dd>{record.present_illness}</dd>
          <dt>{w('rec.diagnoses')}</dt>
          <dd>{record.diagnoses.map(({ icd10, name }) => `${icd10} ${name}`).join('、')}</dd>
          <dt>{w('rec.assessment')}</dt>
          <dd>{record.assessment}</dd>
          <dt>{w('rec.plan')}</dt>
          <dd>{record.plan}</dd>
        </dl>
      </section>
    )
  const missing = lacks(record)
  const stateWord =
    state === 'saving'
      ? w('rec.saving')
      : state === 'dirty'
        ? w('rec.unsaved')
        : savedAt
          ? w('rec.saved', { at: clock(savedAt) })
          : ''
  return (
    <section class="stack" data-test="record" data-state={state}>
      <div class="top">
        <h2>{w('rec.title')}</h2>
        <span class="meta" role="status">
          {stateWord}
        </span>
      </div>
      <ProblemNote problem={deed.problem} />
      <Field
        label={w('rec.complaint')}
        name="chief_complaint"
        value={record.chief_complaint}
        onInput={(chief_complaint) => edit({ chief_complaint })}
        maxLength={500}
      />
      <Field
        label={w('rec.illness')}
        name="present_illness"
        lines={2}
        value={record.present_illness}
        onInput={(present_illness) => edit({ present_illness })}
        maxLength={10000}
      />
      <div class="tight">
        <span class="meta">{w('rec.diagnoses')}</span>
        <div class="chips">
          {record.diagnoses.map((one) => (
            <span class="chip" key={one.icd10}>
              {one.icd10} {one.name}
              <button
                type="button"
                aria-label={w('rec.remove', { name: one.name })}
                onClick={() => edit({ diagnoses: record.diagnoses.filter((other) => other !== one) })}
              >
                <Icon name="cross" />
              </button>
            </span>
          ))}
        </div>
      </div>
      <Find<CodeRow>
        label={w('rec.find')}
        test="icd10"
        ask={(words, signal) => get<CodeRow[]>(`/icd10${query({ q: words })}`, signal)}
        show={(row) => ({ name: `${row.code} ${pick(row.name)}` })}
        keyOf={(row) => row.code}
        onPick={(row) => {
          if (!record.diagnoses.some((one) => one.icd10 === row.code))
            edit({ diagnoses: [...record.diagnoses, { icd10: row.code, name: row.name.zh }] })
        }}
      />
      <Field
        label={w('rec.assessment')}
        name="assessment"
        lines={2}
        value={record.assessment}
        onInput={(assessment) => edit({ assessment })}
        maxLength={10000}
      />
      <Field
        label={w('rec.plan')}
        name="plan"
        lines={2}
        value={record.plan}
        onInput={(plan) => edit({ plan })}
        maxLength={10000}
      />
      <div class="row signing">
        <Button
          icon="pen"
          look="primary"
          busy={deed.busy && signing}
          disabled={missing.length > 0}
          onPress={() => onSigning(true)}
          test="sign-record"
        >
          {w('rec.sign')}
        </Button>
        {missing.length > 0 && (
          <span class="meta">{w('rec.missing', { list: missing.map((name) => w(name)).join(w('rec.and')) })}</span>
        )}
      </div>
      {signing && record.canonical && record.sha256 && state === 'saved' && (
        <SignDialog
          title={w('rec.sign')}
          canonical={record.canonical}
          sha256={record.sha256}
          paper={recordPaper}
          onClose={() => onSigning(false)}
          onSign={async (passphrase) => {
            desk.signed(await post<VisitRecord>(`/visits/${visit}/record/sign`, { sha256: record.sha256, passphrase }))
            onSigning(false)
            onSigned()
          }}
        />
      )}
    </section>
  )
}
