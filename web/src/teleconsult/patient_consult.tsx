// The invited patient's way into the consult: a card, one button, the call. No images and no record here.

import { useEffect, useMemo, useState } from 'preact/hooks'
import { useRoute } from 'preact-iso'
import { get, post } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import { session } from '../api/session'
import type { ConsentText, Teleconsult } from '../api/types/teleconsult'
import { clock, moment } from '../i18n/format'
import { pick } from '../i18n/i18n'
import { Button, Dialog, Field, Loading, Notice, ProblemNote, useTitle } from '../ui/parts'
import { CallScreen } from '../visit/call'
import { Devices } from '../visit/devices'
import { consultDoor } from '../visit/door'
import { Kept } from '../visit/kept'
import { Room } from '../visit/room'
import { w as visits } from '../visit/words'
import { w } from './patient_words'
import { roomOpen } from './states'

/** Consults that a patient was asked to join and may still enter. */
export const joinable = (one: Pick<Teleconsult, 'state' | 'patient_invited' | 'live'>) =>
  one.patient_invited &&
  one.live &&
  (one.state === 'scheduled' || one.state === 'in_progress' || one.state === 'opinion_signed')

/** Consults that wait for something of the patient's, their agreement first of all. */
export const consultsDue = (all: Teleconsult[]) => all.filter((one) => joinable(one) || awaitsConsent(one))

const awaitsConsent = (one: Teleconsult) => one.consent_asked !== undefined

const stands = (one: Teleconsult) =>
  awaitsConsent(one)
    ? 'card.agree'
    : joinable(one)
      ? 'card.invited'
      : one.state === 'decided' || one.state === 'closed'
        ? 'card.report'
        : one.state === 'cancelled' || one.state === 'declined'
          ? 'card.over'
          : 'card.open'

/** All consults about the patient, so that consent can be taken back and the report is found. */
export function ConsultList({ consults }: { consults: Teleconsult[] }) {
  if (consults.length === 0) return null
  return (
    <section class="stack" data-test="consults">
      <h2>{w('list')}</h2>
      {consults.map((one) => (
        <ConsultCard key={one.id} consult={one} />
      ))}
    </section>
  )
}

export function ConsultCard({ consult }: { consult: Teleconsult }) {
  return (
    <a
      class={`card${consultsDue([consult]).length > 0 ? ' due' : ''}`}
      href={`/consults/${consult.id}`}
      data-test="consult-card"
    >
      <div class="top">
        <b>{consult.start ? moment(consult.start) : w('card.title')}</b>
        <span class="tag info">{w(stands(consult))}</span>
      </div>
      <span>
        {consult.inviter.practitioner.name} {consult.inviter.practitioner.title} · {consult.department}
      </span>
      <span class="meta">
        {consult.person.name} · {consult.inviter.institution.name}
      </span>
    </a>
  )
}

export function ConsultPage() {
  const { params } = useRoute()
  const id = params.id ?? ''
  const found = useResource(`consult ${id}`, (signal) => get<Teleconsult>(`/teleconsults/${id}`, signal), [
    'teleconsult.changed',
  ])
  useTitle(w('title'))
  if (!found.value)
    return (
      <main class="page" id="content">
        <ProblemNote problem={found.problem} again={found.refresh} />
        {found.loading && <Loading />}
      </main>
    )
  return <Consult one={found.value} refresh={found.refresh} />
}

function Consult({ one, refresh }: { one: Teleconsult; refresh: () => void }) {
  const devices = useMemo(() => new Devices(), [])
  const door = useMemo(() => consultDoor(one.id), [one.id])
  const room = useMemo(() => new Room(door.ticket, devices), [door, devices])
  const [at, setAt] = useState<'outside' | 'inside' | 'left'>('outside')
  const open = joinable(one) || (at === 'inside' && roomOpen(one)) // a decision cuts nobody off
  const { phase, refusal } = room.view.value

  useEffect(
    () => () => {
      room.leave()
      devices.close()
    },
    [room, devices],
  )
  useEffect(() => {
    if (at === 'inside' && open) void room.enter()
    else room.leave()
  }, [at, open, room])
  useEffect(() => {
    if (phase === 'ended') refresh()
  }, [phase, refresh])

  if (at === 'inside' && open && phase !== 'refused')
    return (
      <CallScreen
        place={one.inviter.institution.name}
        alone={w('alone')}
        myName={one.person.name}
        room={room}
        door={door}
        chatKey={one.id}
        onHang={() => setAt('left')}
      />
    )
  const over =
    one.state === 'decided' || one.state === 'closed' || one.state === 'cancelled' || one.state === 'declined'
  return (
    <main class="page" id="content" data-test="consult" data-state={one.state}>
      <h1>{one.state === 'cancelled' ? w('withdrawn') : over ? w('ended') : at === 'left' ? w('left') : w('title')}</h1>
      <p>{over ? w('ended.say') : one.patient_invited ? w('lead') : w('lead.apart')}</p>
      <dl class="facts card">
        <dt>{w('with')}</dt>
        <dd>
          {one.inviter.practitioner.name} {one.inviter.practitioner.title} · {one.inviter.institution.name}
        </dd>
        {one.expert && (
          <>
            <dt>{w('expert')}</dt>
            <dd>
              {one.expert.practitioner.name} {one.expert.practitioner.title} · {one.expert.institution.name}
            </dd>
          </>
        )}
        {one.start && (
          <>
            <dt>{w('time')}</dt>
            <dd>
              {moment(one.start)}
              {one.end && `-${clock(one.end)}`}
            </dd>
          </>
        )}
      </dl>
      {(one.state === 'decided' || one.state === 'closed') && (
        <a class="button" href={`/api/v1/teleconsults/${one.id}/report.pdf`} download="consult.pdf" data-test="report">
          {w('report')}
        </a>
      )}
      {phase === 'refused' && <Notice tone="warn" title={refusal} />}
      {one.consent_asked && <Agreeing one={one} asked={one.consent_asked} onDone={refresh} />}
      {!over && !open && one.patient_invited && <Notice tone="info" live title={w('notyet')} />}
      {over && one.patient_invited && <Kept at={one.id} door={door} seat="patient" />}
      {open && !over && (
        <>
          <p class="meta">{visits('dev.ask')}</p>
          <Button look="primary" onPress={() => setAt('inside')} test="enter-consult">
            {at === 'left' ? visits('call.back') : w('enter')}
          </Button>
        </>
      )}
      {one.consent && !over && one.state !== 'opinion_signed' && <Withdrawing id={one.id} onDone={refresh} />}
      <a class="button" href="/">
        {visits('end.home')}
      </a>
    </main>
  )
}

/** What the patient agrees to, in their own words and with their own press (TCR-03). */
function Agreeing({ one, asked, onDone }: { one: Teleconsult; asked: ConsentText; onDone: () => void }) {
  const deed = useDeed()
  const me = session.value
  const self = me.state === 'in' && me.me.persons.some((each) => each.id === one.person.id && each.relation === 'self')
  return (
    <section class="card stack">
      <h2>{w('agree')}</h2>
      <p data-test="asked">{pick(asked)}</p>
      <ProblemNote problem={deed.problem} />
      <Button
        look="primary"
        busy={deed.busy}
        onPress={() =>
          void deed.run(async () => {
            await post(`/teleconsults/${one.id}/consent`, {
              method: 'patient_device',
              signed_by: me.state === 'in' ? me.me.name : one.person.name,
              relation: w(self ? 'self' : 'kin'),
              text_version: asked.version,
            })
            onDone()
          })
        }
        test="agree"
      >
        {w('agree.go')}
      </Button>
    </section>
  )
}

/** Consent is taken back as easily as it was given, also without a reason (PIPL art. 15); what follows is said before. */
export function Withdrawing({ id, onDone }: { id: string; onDone: () => void }) {
  const [open, setOpen] = useState(false)
  const [why, setWhy] = useState('')
  const deed = useDeed()
  return (
    <>
      <Button look="quiet" onPress={() => setOpen(true)} test="withdraw-consent">
        {w('withdraw')}
      </Button>
      {open && (
        <Dialog title={w('withdraw')} onClose={() => setOpen(false)}>
          <form
            class="stack"
            onSubmit={(event) => {
              event.preventDefault()
              void deed.run(async () => {
                await post(`/teleconsults/${id}/consent/withdraw`, { reason: why.trim() || '病人没有说明原因' })
                setOpen(false)
                onDone()
              })
            }}
          >
            <p>{w('withdraw.text')}</p>
            <ProblemNote problem={deed.problem} />
            <Field
              label={w('withdraw.why')}
              name="why"
              lines={2}
              optional
              value={why}
              onInput={setWhy}
              maxLength={500}
            />
            <Button look="danger" type="submit" busy={deed.busy} test="withdraw-consent-go">
              {w('withdraw.go')}
            </Button>
          </form>
        </Dialog>
      )}
    </>
  )
}
