// What the asking side still has to bring: images, consent, the text; and the answer when more was asked for.
import { useState } from 'preact/hooks'
import { get, post, put } from '../api/client'
import { type Deed, useResource } from '../api/resource'
import type { StudyRow, Teleconsult } from '../api/types/teleconsult'
import { OtherBytes } from '../imaging/other_bytes'
import { UploadBox } from '../imaging/upload_box'
import { w as imaging } from '../imaging/words'
import { Button, Field, Notice, Select } from '../ui/parts'
import { type Act, Reasoned } from './panels'
import { RequestFields, type RequestText, trimmed } from './request'
import { megabytes } from './study'
import { w } from './words'

/** No doctor has confirmed yet whose images these are. */
export const unclaimed = (study: Pick<StudyRow, 'person_id'>): boolean => /^[0-]*$/.test(study.person_id)

/** Names in images come with carets and spaces (PS3.5 6.2.1); letters count. */
export function sameName(inImages: string, name: string): boolean {
  const letters = (text: string) => text.replace(/[\s^=]/g, '')
  return letters(inImages).includes(letters(name))
}

export function Preparing({
  one,
  deed,
  act,
  onChanged,
}: {
  one: Teleconsult
  deed: Deed
  act: Act
  onChanged: (next: Teleconsult | undefined) => void
}) {
  const studies = useResource('studies', (signal) => get<StudyRow[]>('/imaging/studies', signal))
  const [sent, setSent] = useState<string[]>([])
  const [by, setBy] = useState(one.person.name)
  const [relation, setRelation] = useState('本人')
  const [method, setMethod] = useState<'paper' | 'head_approval'>('paper')
  const lacks = [...one.missing, ...(one.consent ? [] : (['consent'] as const))]
  const save = (text: RequestText) =>
    void deed.run(async () =>
      onChanged(
        await put<Teleconsult>(`/teleconsults/${one.id}`, {
          ...text,
          person_id: one.person.id,
          department: one.department,
          institution_id: one.invited.id,
        }),
      ),
    )
  const attached = one.studies.map((study) => study.study_uid)
  // What was just sent, and what nobody has said yet whose it is: a reload in between loses nothing.
  const fresh = (studies.value ?? []).filter(
    (study) => !attached.includes(study.study_uid) && (sent.includes(study.study_uid) || unclaimed(study)),
  )
  const attach = (study: StudyRow) =>
    void deed.run(async () =>
      onChanged(
        await post<Teleconsult>(`/teleconsults/${one.id}/studies`, {
          study_uid: study.study_uid,
          patient_confirmed: true,
        }),
      ),
    )
  return (
    <>
      <section class="stack">
        <h2>{w('s.images')}</h2>
        <UploadBox
          id={one.id}
          about={one.person}
          institution={one.inviter.institution.id}
          onDone={(uids) => {
            setSent((all) => [...new Set([...all, ...uids])])
            studies.refresh()
          }}
        />
        {fresh.map((study) => (
          <div key={study.study_uid} class="card" data-test="study">
            <b>
              {imaging('study.of', {
                name: study.patient_name,
                sex: study.patient_sex,
                birth: study.patient_birth_date,
              })}
            </b>
            <span>
              {imaging('study.line', {
                what: `${study.modalities.join('/')} ${study.description}`,
                n: study.instances,
                size: megabytes(study.bytes),
              })}
            </span>
            <OtherBytes study={study} />
            {!sameName(study.patient_name, one.person.name) && (
              <Notice tone="warn" title={w('s.differs', { name: one.person.name })} />
            )}
            <div class="row">
              <Button look="primary" busy={deed.busy} onPress={() => attach(study)} test="confirm-study">
                {w('s.right')}
              </Button>
              <span class="meta">{w('s.wrong')}</span>
            </div>
          </div>
        ))}
      </section>
      {one.state === 'draft' && !one.consent && (
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault()
            act('consent', { method, signed_by: by.trim(), relation: relation.trim() })
          }}
        >
          <h2>{w('s.consent')}</h2>
          <p class="meta">{w('s.consent.text')}</p>
          <p class="meta">{w('s.consent.self')}</p>
          <div class="two">
            <Field label={w('s.consent.by')} name="signed_by" value={by} onInput={setBy} maxLength={40} />
            <Field
              label={w('s.consent.relation')}
              name="relation"
              value={relation}
              onInput={setRelation}
              maxLength={20}
            />
          </div>
          <Select
            label={w('s.consent.method')}
            value={method}
            options={[
              { value: 'paper' as const, label: w('s.consent.paper') },
              ...(one.urgency === 'emergency' ? [{ value: 'head_approval' as const, label: w('s.consent.head') }] : []),
            ]}
            onChange={setMethod}
          />
          <div class="row">
            <Button
              type="submit"
              busy={deed.busy}
              disabled={by.trim().length < 2 || relation.trim() === ''}
              test="consent"
            >
              {w('s.consent.save')}
            </Button>
          </div>
        </form>
      )}
      <Edit one={one} busy={deed.busy} onSave={save} />
      {lacks.length > 0 && (
        <Notice tone="warn" title={w('m.title')}>
          <ul class="bare" data-test="missing">
            {lacks.map((what) => (
              <li key={what}>{w(`m.${what}`)}</li>
            ))}
          </ul>
        </Notice>
      )}
      {one.state === 'draft' ? (
        <div class="row">
          <Button
            look="primary"
            icon="send"
            busy={deed.busy}
            disabled={lacks.length > 0}
            onPress={() => act('submit')}
            test="submit-request"
          >
            {w('s.submit')}
          </Button>
        </div>
      ) : (
        <div class="row">
          <Reasoned
            look="plain"
            label={w('n.answer')}
            field={w('n.answer.what')}
            onSay={(reason) => act('answer', { reason })}
            test="answer"
          />
        </div>
      )}
    </>
  )
}

/** The request's text, as long as it is a draft. */
function Edit({ one, busy, onSave }: { one: Teleconsult; busy: boolean; onSave: (text: RequestText) => void }) {
  const [text, setText] = useState<RequestText>(one)
  if (one.state !== 'draft') return null
  return (
    <details class="card" open={one.missing.some((what) => what in text)} data-test="edit">
      <summary>{w('m.edit')}</summary>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          onSave(trimmed(text))
        }}
      >
        <RequestFields text={text} onChange={setText} />
        <div class="row">
          <Button
            type="submit"
            busy={busy}
            disabled={text.question.trim() === '' || text.summary.trim() === ''}
            test="save-edit"
          >
            {w('m.save')}
          </Button>
        </div>
      </form>
    </details>
  )
}
