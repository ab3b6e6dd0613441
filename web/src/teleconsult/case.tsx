// One consult as each side sees it: what is asked, what is still missing, whose move it is.

import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { get, post } from '../api/client'
import { type Deed, useDeed, useResource } from '../api/resource'
import type { Adopt, CommonTime, ExpertRow, Me, StudyRow, Teleconsult } from '../api/types'
import { clock, moment } from '../i18n/format'
import { w as identity } from '../identity/words'
import { Links } from '../imaging/links'
import { Teaching } from '../imaging/teaching'
import { UploadBox } from '../imaging/upload_box'
import { w as imaging } from '../imaging/words'
import { MeetingFinder } from '../schedule/finder'
import { Button, Dialog, Field, Loading, Notice, ProblemNote, Select } from '../ui/parts'
import { w as sign } from '../visit/desk_words'
import { consultDoor } from '../visit/door'
import { Kept } from '../visit/kept'
import { maySee, missing, partIn, roomOpen, stateTone } from './states'
import { w } from './words'

export function Case({ id, me, onChanged }: { id: string; me: Me; onChanged: () => void }) {
  const found = useResource(`case ${id}`, (signal) => get<Teleconsult>(`/teleconsults/${id}`, signal), [
    'teleconsult.changed',
  ])
  const { route } = useLocation()
  const deed = useDeed()
  if (!found.value)
    return (
      <main class="column paper" id="content">
        <ProblemNote problem={found.problem} again={found.refresh} />
        {found.loading && <Loading />}
      </main>
    )
  const one = found.value
  const part = partIn(me, one)
  const changed = (next: Teleconsult | undefined) => {
    if (next) found.set(next)
    else found.refresh()
    onChanged()
  }
  const act = (path: string, body: object = {}) =>
    void deed.run(async () => changed(await post<Teleconsult>(`/teleconsults/${id}/${path}`, body)))
  return (
    <main class="column paper" id="content" data-test="case-page" data-state={one.state}>
      <div class="top">
        <h1>
          {one.person.name} {identity(`sex.${one.person.sex}`)} {identity('age', { n: one.person.age })}
        </h1>
        <span class={`tag ${stateTone[one.state]}`}>{w(`state.${one.state}`)}</span>
      </div>
      <ProblemNote problem={deed.problem} />
      {roomOpen(one) && part !== 'coordinator' && part !== 'none' && (
        <div class="row">
          <Button look="primary" icon="camera" onPress={() => route(`/staff/cases/${id}/room`)} test="enter-room">
            {w('c.enter')}
          </Button>
          {part === 'inviter' &&
            (one.patient_invited ? (
              <span class="tag ok">{w('c.invited')}</span>
            ) : (
              <Button icon="people" onPress={() => act('invite-patient')}>
                {w('c.invite')}
              </Button>
            ))}
        </div>
      )}
      <dl class="facts">
        <dt>{w('c.question')}</dt>
        <dd>
          <b>{one.question}</b>
        </dd>
        <dt>{w('c.summary')}</dt>
        <dd>{one.summary}</dd>
        <dt>{w('c.from')}</dt>
        <dd>
          {one.inviter.practitioner.name} {one.inviter.practitioner.title} · {one.inviter.institution.name}
        </dd>
        <dt>{w('f.urgency')}</dt>
        <dd>{w(`urgency.${one.urgency}`)}</dd>
        {one.expert && (
          <>
            <dt>{w('c.expert')}</dt>
            <dd>
              {one.expert.practitioner.name} {one.expert.practitioner.title} · {one.expert.institution.name}
            </dd>
          </>
        )}
        {one.start && (
          <>
            <dt>{w('c.time')}</dt>
            <dd>
              {moment(one.start)}
              {one.end && `-${clock(one.end)}`}
            </dd>
          </>
        )}
        {one.studies.map((study) => (
          <StudyFact key={study.study_uid} study={study} shares={part === 'inviter'} />
        ))}
        {one.consent && (
          <>
            <dt>{w('s.consent')}</dt>
            <dd>
              {w('s.consent.done', {
                by: one.consent.signed_by,
                relation: one.consent.relation,
                at: moment(one.consent.at),
              })}
            </dd>
          </>
        )}
      </dl>
      {(one.state === 'decided' || one.state === 'closed') && (part === 'inviter' || part === 'expert') && (
        <Kept at={id} door={consultDoor(id)} seat={part} />
      )}
      {one.state === 'draft' && part === 'inviter' && <Preparing one={one} deed={deed} act={act} onChanged={changed} />}
      {one.state === 'submitted' && part === 'inviter' && <Notice tone="info" live title={w('s.submitted')} />}
      {one.state === 'submitted' && part === 'coordinator' && <Assigning one={one} act={act} busy={deed.busy} />}
      {one.state === 'declined' && <Notice tone="warn" title={w('c.declined', { why: one.reason ?? '' })} />}
      {one.opinion && (
        <section class="card" data-test="opinion" data-signed={one.opinion.signed_at ? 'true' : 'false'}>
          <div class="top">
            <h2>{w('c.opinion')}</h2>
            {one.opinion.signed_at && <span class="tag ok">{w('c.signed', { at: clock(one.opinion.signed_at) })}</span>}
          </div>
          <dl class="facts">
            <dt>{w('c.findings')}</dt>
            <dd>{one.opinion.content.findings}</dd>
            <dt>{w('c.advice')}</dt>
            <dd>{one.opinion.content.advice}</dd>
          </dl>
          {one.opinion.signed_at && maySee(part, one.state) && part !== 'coordinator' && (
            <div class="row">
              <Button look="quiet" onPress={() => route(`/staff/cases/${id}/replay`)} test="open-replay">
                {w('replay.open')}
              </Button>
            </div>
          )}
        </section>
      )}
      {one.state === 'opinion_signed' && part === 'inviter' && (
        <Deciding busy={deed.busy} onDecide={(body) => act('decision', body)} />
      )}
      {one.decision && (
        <section class="card" data-test="decision">
          <h2>{w('c.decision')}</h2>
          <p>
            <b>{w('c.decided', { what: w(`adopt.${one.decision.content.adopt}`) })}</b> {one.decision.content.plan}
          </p>
        </section>
      )}
      {one.state === 'decided' && part === 'inviter' && (
        <div class="row">
          <Button look="primary" busy={deed.busy} onPress={() => act('close')} test="close-case">
            {w('c.close')}
          </Button>
        </div>
      )}
      {one.state === 'closed' && <Notice tone="ok" title={w('c.closed')} />}
    </main>
  )
}

export function megabytes(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.max(1, Math.round(bytes / 1024))} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`
}

function StudyFact({ study, shares }: { study: StudyRow; shares: boolean }) {
  const [sharing, setSharing] = useState(false)
  const [teaching, setTeaching] = useState(false)
  return (
    <>
      <dt>{w('s.images')}</dt>
      <dd data-test="attached">
        {imaging('study.line', {
          what: `${study.modalities.join('/')} ${study.description}`,
          n: study.instances,
          size: megabytes(study.bytes),
        })}{' '}
        · {imaging('study.of', { name: study.patient_name, sex: study.patient_sex, birth: study.patient_birth_date })}
        {shares && (
          <div class="row">
            <Button look="quiet" onPress={() => setSharing(true)} test="share-links">
              {imaging('link.share')}
            </Button>
            <Button look="quiet" onPress={() => setTeaching(true)} test="teach-open">
              {imaging('teach.open')}
            </Button>
          </div>
        )}
        {sharing && (
          <Dialog title={imaging('link.share')} onClose={() => setSharing(false)}>
            <Links study={study.study_uid} />
          </Dialog>
        )}
        {teaching && (
          <Dialog title={imaging('teach.open')} onClose={() => setTeaching(false)}>
            <Teaching study={study.study_uid} />
          </Dialog>
        )}
      </dd>
    </>
  )
}

/** No doctor has confirmed yet whose images these are. */
export const unclaimed = (study: Pick<StudyRow, 'person_id'>): boolean => /^[0-]*$/.test(study.person_id)

/** Names in images come with carets and spaces (PS3.5 6.2.1); letters count. */
export function sameName(inImages: string, name: string): boolean {
  const letters = (text: string) => text.replace(/[\s^=]/g, '')
  return letters(inImages).includes(letters(name))
}

type Act = (path: string, body?: object) => void

function Preparing({
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
  const [method, setMethod] = useState<'paper' | 'patient_device'>('paper')
  const open = missing(one)
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
      {!one.consent && (
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault()
            act('consent', { method, signed_by: by.trim(), relation: relation.trim() })
          }}
        >
          <h2>{w('s.consent')}</h2>
          <p class="meta">{w('s.consent.text')}</p>
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
              { value: 'paper', label: w('s.consent.paper') },
              { value: 'patient_device', label: w('s.consent.device') },
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
      <div class="row">
        <Button
          look="primary"
          icon="send"
          busy={deed.busy}
          disabled={open.length > 0}
          onPress={() => act('submit')}
          test="submit-request"
        >
          {w('s.submit')}
        </Button>
        {open.length > 0 && (
          <span class="meta">{w('s.submit.need', { what: open.map((key) => w(key)).join('、') })}</span>
        )}
      </div>
    </>
  )
}

function Assigning({ one, act, busy }: { one: Teleconsult; act: Act; busy: boolean }) {
  const [expert, setExpert] = useState<string>()
  const [declining, setDeclining] = useState(false)
  const [why, setWhy] = useState('')
  const experts = useResource(`experts ${one.id}`, (signal) =>
    get<ExpertRow[]>(`/teleconsults/${one.id}/experts?department=${encodeURIComponent(one.department)}`, signal),
  )
  const times = useResource(expert && `times ${one.id} ${expert}`, (signal) =>
    get<CommonTime[]>(`/teleconsults/${one.id}/times?practitioner_id=${expert}`, signal),
  )
  return (
    <section class="stack">
      <h2>{w('b.experts')}</h2>
      <ProblemNote problem={experts.problem ?? times.problem} />
      {experts.value?.length === 0 && <p>{w('b.noexperts')}</p>}
      <div class="queue">
        {experts.value?.map((row) => (
          <button
            key={row.practitioner_id}
            type="button"
            aria-current={row.practitioner_id === expert ? 'true' : undefined}
            onClick={() => setExpert(row.practitioner_id)}
            data-test="expert"
          >
            <span class="top">
              <span>
                {row.name} {row.title}
              </span>
            </span>
            <span class="meta">{w('b.places', { list: row.places.join('、') })}</span>
          </button>
        ))}
      </div>
      {expert && (
        <section class="stack">
          <h2>{w('b.times')}</h2>
          {times.loading && !times.value && <Loading />}
          {times.value?.length === 0 && <p>{w('b.notimes')}</p>}
          {times.value?.slice(0, 6).map((time, index) => (
            <div key={time.start} class="row">
              <Button
                look={index === 0 ? 'primary' : 'plain'}
                busy={busy}
                onPress={() => act('assign', { practitioner_id: expert, start: time.start, end: time.end })}
                test="assign"
              >
                {w('b.take', { at: `${moment(time.start)}-${clock(time.end)}` })}
              </Button>
              <span class="meta">{w('b.free', { list: time.free_at.join('、') })}</span>
            </div>
          ))}
        </section>
      )}
      <MeetingFinder
        consult={one.id}
        busy={busy}
        onTake={(experts, start, end) => {
          const lead = experts.find((each) => each.institution_id === one.invited.id) ?? experts[0]
          if (!lead) return
          const further = experts.filter((each) => each !== lead)
          act('assign', { practitioner_id: lead.practitioner_id, start, end, further })
        }}
      />
      <div class="row">
        <Button look="quiet" onPress={() => setDeclining(true)}>
          {w('b.decline')}
        </Button>
      </div>
      {declining && (
        <Dialog title={w('b.decline')} onClose={() => setDeclining(false)}>
          <form
            class="stack"
            onSubmit={(event) => {
              event.preventDefault()
              setDeclining(false)
              act('decline', { reason: why.trim() })
            }}
          >
            <Field label={w('b.decline.why')} lines={3} value={why} onInput={setWhy} maxLength={500} />
            <Button look="danger" type="submit" disabled={why.trim().length < 2}>
              {w('b.decline')}
            </Button>
          </form>
        </Dialog>
      )}
    </section>
  )
}

const adoptions: readonly Adopt[] = ['full', 'partial', 'none']

function Deciding({
  busy,
  onDecide,
}: {
  busy: boolean
  onDecide: (body: { adopt: Adopt; plan: string; passphrase: string }) => void
}) {
  const [adopt, setAdopt] = useState<Adopt>('full')
  const [plan, setPlan] = useState('')
  const [passphrase, setPassphrase] = useState('')
  return (
    <form
      class="card"
      onSubmit={(event) => {
        event.preventDefault()
        onDecide({ adopt, plan: plan.trim(), passphrase })
      }}
    >
      <h2>{w('c.decision')}</h2>
      <p class="meta">{w('c.decision.text')}</p>
      <div class="row">
        {adoptions.map((value) => (
          <Button key={value} pressed={adopt === value} onPress={() => setAdopt(value)} test={`adopt-${value}`}>
            {w(`adopt.${value}`)}
          </Button>
        ))}
      </div>
      <Field label={w('c.plan')} name="plan" lines={3} value={plan} onInput={setPlan} maxLength={8000} />
      <div class="row">
        <div class="grow">
          <Field
            label={sign('sign.pass')}
            name="passphrase"
            type="password"
            value={passphrase}
            onInput={setPassphrase}
            autoComplete="off"
          />
        </div>
        <Button
          look="primary"
          type="submit"
          busy={busy}
          disabled={plan.trim() === '' || passphrase === ''}
          test="decide"
        >
          {w('c.decide')}
        </Button>
      </div>
    </form>
  )
}
