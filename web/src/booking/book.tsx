// The wizard: shows the asked step, keeps the answers, asks the rules and books.

import { useEffect, useState } from 'preact/hooks'
import { useLocation, useRoute } from 'preact-iso'
import { get, type Problem, post, query } from '../api/client'
import { type Deed, useDeed, useOnce, useResource } from '../api/resource'
import { session } from '../api/session'
import type { Decision } from '../api/types/booking'
import type { Condition, Institution } from '../api/types/common'
import type { DoctorRow, Held, Slot } from '../api/types/schedule'
import type { Visit } from '../api/types/visit'
import { clock, moment, yuan } from '../i18n/format'
import { pick } from '../i18n/i18n'
import { w as who } from '../identity/words'
import { w as schedule } from '../schedule/patient_words'
import { Again, JoinWait } from '../schedule/waiting_list'
import { Icon } from '../ui/icons'
import { Button, Loading, Notice, ProblemNote, useTitle } from '../ui/parts'
import { DecisionPage, waitsForHospital } from './decision'
import { EmergencyPage } from './emergency'
import { ProofQuestion } from './proof'
import { AboutQuestion, ConsentQuestion, FlagsQuestion, IllnessQuestion, KindQuestion, WhoQuestion } from './questions'
import { ReviewBox } from './review'
import { DoctorQuestion, TimesQuestion } from './times'
import {
  answer,
  booking,
  count,
  type Draft,
  draft,
  mayEnter,
  nextStep,
  openStep,
  question,
  type Step,
  startAgain,
  steps,
} from './wizard'
import { w } from './words'

const titles: Record<Step, () => string> = {
  who: () => w('who.title'),
  flags: () => w('flags.title'),
  kind: () => w('kind.title'),
  illness: () => w('ill.title'),
  proof: () => w('proof.title'),
  about: () => w('about.title'),
  consent: () => w('con.title'),
  answer: () => w('ans.title'),
  doctor: () => w('doc.title'),
  times: () => w('times.title'),
  confirm: () => w('cfm.title'),
}

export function Book() {
  const { params } = useRoute()
  const { route } = useLocation()
  const given = draft.value
  const asked = steps.find((step) => step === params.step)
  const step = asked && mayEnter(asked, given) ? asked : openStep(given)
  const red = (given.flags?.length ?? 0) > 0

  useEffect(() => {
    if (step !== params.step) route(`/book/${step}`, true)
  }, [step, params.step, route])

  useEffect(() => {
    document.querySelector<HTMLElement>('main h1[tabindex]')?.focus({ preventScroll: true })
    window.scrollTo(0, 0)
  }, [step])

  useTitle(titles[step]())

  const go = (given: Partial<Draft>) => {
    const next = nextStep(step, answer(given))
    route(`/book/${next}`)
  }
  if (red) return <EmergencyPage onMistake={() => answer({ flags: [] })} />
  return (
    <main class="page" id="content">
      <ForWho draft={given} step={step} />
      <StepView step={step} given={given} go={go} to={(next) => route(`/book/${next}`)} />
    </main>
  )
}

function ForWho({ draft, step }: { draft: Draft; step: Step }) {
  const persons = session.value.state === 'in' ? session.value.me.persons : []
  const person = persons.find((one) => one.id === draft.person)
  const { at, of } = count(step, draft)
  return (
    <div class="forwho">
      {person && step !== 'who' ? (
        <>
          <Icon name="person" />
          <span>{w('for', { name: `${person.name}（${who(`rel.${person.relation}`)}）` })}</span>
        </>
      ) : null}
      <span class="progress">
        <span class="visually-hidden">{w('step.of', { at, of })}</span>
        <span aria-hidden="true">{w('step.short', { at, of })}</span>
      </span>
    </div>
  )
}

type StepProps = { given: Draft; go: (given: Partial<Draft>) => void; to: (step: Step) => void }

function StepView({ step, given, go, to }: StepProps & { step: Step }) {
  const { route } = useLocation()
  const persons = session.value.state === 'in' ? session.value.me.persons : []
  switch (step) {
    case 'who':
      return (
        <WhoQuestion
          persons={persons}
          onPick={(person) => go({ person: person.id })}
          onAdd={() => route('/people/new')}
        />
      )
    case 'flags':
      return <FlagsQuestion onNone={() => go({ flags: [] })} onFlag={(flag) => answer({ flags: [flag] })} />
    case 'kind':
      return <KindQuestion onPick={(kind) => go({ kind })} />
    case 'illness':
      return <Illness onPick={(condition) => go({ condition })} />
    case 'proof':
      return given.person && given.condition ? (
        <ProofQuestion
          person={given.person}
          condition={given.condition}
          onGo={() => go({ proof: 'given' })}
          onNone={() => go({ proof: 'none' })}
        />
      ) : null
    case 'about':
      return (
        <AboutQuestion
          complaint={given.complaint ?? ''}
          onPick={(severity, complaint) => go({ severity, complaint })}
        />
      )
    case 'consent':
      return <ConsentQuestion onAgree={() => go({ consents: { internet_care: true, sensitive_pi: true } })} />
    case 'answer':
      return <AnswerStep given={given} go={go} to={to} />
    case 'doctor':
      return <Doctors given={given} onPick={(doctor) => go({ doctor })} />
    case 'times':
      return given.doctor ? (
        <Times
          doctor={given.doctor}
          given={given}
          onPick={(slot, held) => go({ slot, held })}
          onOther={() => to('doctor')}
        />
      ) : null
    case 'confirm':
      return <Confirm given={given} to={to} />
  }
}

function Illness({ onPick }: { onPick: (condition: Condition) => void }) {
  const conditions = useResource('conditions', (signal) => get<Condition[]>('/conditions', signal))
  if (!conditions.value) return <Waiting problem={conditions.problem} again={conditions.refresh} />
  return <IllnessQuestion conditions={conditions.value} onPick={onPick} />
}

function Waiting({ problem, again }: { problem: Problem | undefined; again: () => void }) {
  return problem ? <ProblemNote problem={problem} again={again} /> : <Loading />
}

function AnswerStep({ given, go, to }: StepProps) {
  const asked = question(given)
  const key = asked && JSON.stringify(asked)
  const decision = useResource(key, () => post<Decision>('/eligibility', asked), ['evidence.changed'])
  const hospitals = useResource('institutions', (signal) => get<Institution[]>('/institutions', signal))
  if (!decision.value)
    return decision.problem ? <ProblemNote problem={decision.problem} again={decision.refresh} /> : <Asking />
  const decided = decision.value
  return (
    <DecisionPage
      decision={decided}
      phone={hospitals.value?.find((one) => one.phone)?.phone}
      review={<ReviewBox key={decided.id} decision={decided.id} />}
      busy={decision.loading && !waitsForHospital(decided)}
      onGo={() => go({ decision: decided })}
      onUpload={() => {
        const { kind } = given
        if (kind === 'follow_up') to('proof')
        else {
          answer({ kind: 'follow_up' })
          to('proof')
        }
      }}
      onAgain={decision.refresh}
      onOther={() => to('illness')}
      onMistake={() => answer({ flags: [] })}
    />
  )
}

function Asking() {
  return (
    <>
      <h1 tabIndex={-1}>{w('ans.asking')}</h1>
      <Loading />
    </>
  )
}

function Doctors({ given, onPick }: { given: Draft; onPick: (doctor: DoctorRow) => void }) {
  const department = given.condition?.department
  const doctors = useResource(`${department} ${given.person}`, (signal) =>
    get<DoctorRow[]>(`/doctors${query({ department, person_id: given.person })}`, signal),
  )
  if (!doctors.value) return <Waiting problem={doctors.problem} again={doctors.refresh} />
  const first = doctors.value.find((one) => one.earliest)
  return (
    <>
      <DoctorQuestion doctors={doctors.value} onPick={onPick} />
      {first && <JoinWait doctor={first} given={given} walkIn />}
    </>
  )
}

function Times({
  doctor,
  given,
  onPick,
  onOther,
}: {
  doctor: DoctorRow
  given: Draft
  onPick: (slot: Slot, held: string) => void
  onOther: () => void
}) {
  const deed = useDeed()
  const slots = useResource(`slots ${doctor.practitioner_id}`, (signal) =>
    get<Slot[]>(`/doctors/${doctor.practitioner_id}/slots?days=7`, signal),
  )
  // A hold that was given already is given again, so each press may ask anew.
  const pick = (slot: Slot) =>
    void deed.run(async () => {
      const held = await post<Held>('/holds', { slot_id: slot.id }).catch((lost: unknown) => {
        slots.refresh() // the time that is gone goes from the list
        throw lost
      })
      onPick(slot, held.until)
    })
  const near = nearest(deed)
  if (!slots.value) return <Waiting problem={slots.problem} again={slots.refresh} />
  const here = slots.value.filter(
    (slot) => slot.institution.id === doctor.institution.id && slot.department === given.condition?.department,
  )
  return (
    <>
      {near.length > 0 ? (
        <section class="stack" role="alert" data-test="taken">
          <h2>{w('cfm.taken')}</h2>
          {near.map((one) => (
            <Button key={one.id} onPress={() => pick(one)}>
              {moment(one.start)}
            </Button>
          ))}
        </section>
      ) : (
        <ProblemNote problem={deed.problem} />
      )}
      <TimesQuestion doctor={doctor} slots={here} onPick={pick} onOther={onOther}>
        <JoinWait doctor={doctor} given={given} />
      </TimesQuestion>
    </>
  )
}

/** The server's own nearest times, when somebody else was faster. */
function nearest(deed: Deed): Slot[] {
  const slots = deed.problem?.code === 'slot_taken' ? deed.problem.given('nearest') : undefined
  return Array.isArray(slots) ? (slots as Slot[]) : []
}

function refused(deed: Deed): Decision | undefined {
  const decision = deed.problem?.code === 'not_eligible' ? deed.problem.given('decision') : undefined
  return typeof decision === 'object' && decision !== null ? (decision as Decision) : undefined
}

function Confirm({ given, to }: { given: Draft; to: (step: Step) => void }) {
  const { route } = useLocation()
  const deed = useDeed()
  const once = useOnce()
  const [booked, setBooked] = useState(false)
  const [later, setLater] = useState<string[]>([])
  const [gone, setGone] = useState<string>() // of the later times: somebody was faster
  const lost = deed.problem?.code === 'slot_taken' ? deed.problem.given('slot_id') : undefined
  useEffect(() => {
    if (typeof lost !== 'string' || !later.includes(lost)) return
    setLater(later.filter((one) => one !== lost))
    setGone(lost)
  }, [lost, later])
  const persons = session.value.state === 'in' ? session.value.me.persons : []
  const person = persons.find((one) => one.id === given.person)
  const asked = booking(given)
  const { doctor, slot, condition } = given
  if (!asked || !doctor || !slot || !condition || booked) return null

  const book = () =>
    deed.run(async () => {
      const { slot_id, ...wish } = asked
      const series = { ...wish, slot_ids: [slot_id, ...later] }
      const [visit] =
        later.length > 0
          ? await post<Visit[]>('/visits/series', series, once(series))
          : [await post<Visit>('/visits', asked, once(asked))]
      setBooked(true)
      startAgain()
      route(`/visits/${visit?.id ?? ''}`, true)
    })
  const decision = refused(deed)
  if (decision)
    return (
      <DecisionPage
        decision={decision}
        review={<ReviewBox key={decision.id} decision={decision.id} />}
        onGo={() => to('doctor')}
        onUpload={() => to('proof')}
        onAgain={() => {
          deed.clear()
          void book()
        }}
        onOther={() => to('doctor')}
        onMistake={() => answer({ flags: [] })}
      />
    )
  const near = nearest(deed)
  return (
    <>
      <h1 tabIndex={-1}>{w('cfm.title')}</h1>
      {gone && gone === lost ? (
        <div role="alert" data-test="later-taken">
          <Notice tone="warn" title={w('cfm.later.taken')}>
            {w('cfm.later.say')}
          </Notice>
        </div>
      ) : near.length > 0 ? (
        <section class="stack" role="alert">
          <h2>{w('cfm.taken')}</h2>
          {near.map((one) => (
            <Button
              key={one.id}
              onPress={() => {
                answer({ slot: one })
                deed.clear()
              }}
            >
              {moment(one.start)}
            </Button>
          ))}
        </section>
      ) : (
        <ProblemNote problem={deed.problem} />
      )}
      <dl class="facts card">
        <dt>{w('cfm.person')}</dt>
        <dd>{person?.name}</dd>
        <dt>{w('cfm.doctor')}</dt>
        <dd>
          {doctor.name} {doctor.title}
        </dd>
        <dt>{w('cfm.time')}</dt>
        <dd>
          <b>{moment(slot.start)}</b>
          {given.held && (
            <small data-test="held">
              <br />
              {schedule('held.until', { at: clock(given.held) })}
            </small>
          )}
        </dd>
        <dt>{w('cfm.place')}</dt>
        <dd>{slot.institution.name}</dd>
        <dt>{w('cfm.ill')}</dt>
        <dd>{pick(condition.name)}</dd>
        <dt>{w('cfm.fee')}</dt>
        <dd>{w('cfm.fee.value', { fee: yuan(slot.fee_fen) })}</dd>
      </dl>
      <Again key={gone} doctor={doctor} slot={slot} chosen={later} onChange={setLater} />
      <p class="push" />
      <Button look="primary" busy={deed.busy} onPress={() => void book()} test="book">
        {w('cfm.go')}
      </Button>
      <Button look="quiet" onPress={() => to('times')}>
        {w('times.title')}
      </Button>
    </>
  )
}
