// The pharmacist's desk: risk first, then age; three checks wake the approval; every end is signed.
import { useEffect, useState } from 'preact/hooks'
import { get, post } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import type { Override, Prescription, Review, ReviewReason, RxWaiting } from '../api/types/prescribe'
import { moment } from '../i18n/format'
import { w as identity } from '../identity/words'
import { Icon } from '../ui/icons'
import { useKeys } from '../ui/keys'
import { Button, Dialog, Field, Loading, ProblemNote, Select, Tick, useTitle } from '../ui/parts'
import { SignDialog } from '../ui/sign'
import { w as sign } from '../visit/desk_words'
import { Alerts } from './alerts'
import { w } from './desk_words'
import { useCodeNames } from './diagnosis'
import { Facts } from './facts'
import { rxPaper } from './paper'
import { drugName, rxUse } from './patient_rx'

const riskTone = { usual: 'plain', raised: 'warn', high: 'danger' } as const

export function ReviewDesk() {
  const queue = useResource('review', (signal) => get<RxWaiting[]>('/review/queue', signal), ['prescription.changed'])
  const [chosen, setChosen] = useState<string>()
  const now = useClock()
  useTitle(w('desk.title'))
  const list = queue.value ?? []
  const asks = useResource('seconds', (signal) => get<Prescription[]>('/seconds', signal), ['prescription.changed'])
  const [second, setSecond] = useState<Prescription>()
  const current = list.find((one) => one.id === chosen) ?? list[0]
  return (
    <div class="columns review">
      <aside class="column" aria-label={w('desk.title')}>
        <h2>{w('desk.count', { n: list.length })}</h2>
        <ProblemNote problem={queue.problem} again={queue.refresh} />
        {!queue.value && !queue.problem && <Loading />}
        <div class="queue">
          {list.map((one) => (
            <button
              key={one.id}
              type="button"
              aria-current={one.id === current?.id ? 'true' : undefined}
              onClick={() => setChosen(one.id)}
              data-test="to-review"
            >
              <span class="top">
                <span>
                  {one.person.name} {identity(`sex.${one.person.sex}`)} {one.person.age}
                </span>
                <span class={`tag ${riskTone[one.risk]}`}>{w(`risk.${one.risk}`)}</span>
              </span>
              <span class="meta">{one.items.map(drugName).join('、')}</span>
              <Clock waiting={one} now={now} />
            </button>
          ))}
        </div>
        {asks.value && asks.value.length > 0 && <h2>{w('second.title')}</h2>}
        {asks.value?.map((one) => (
          <button key={one.id} type="button" class="card" onClick={() => setSecond(one)} data-test="to-second">
            <b>{one.person.name}</b>
            <span class="meta">
              {one.doctor.name} · {one.items.map(drugName).join('、')}
            </span>
          </button>
        ))}
        {second && (
          <Seconding
            prescription={second}
            onDone={() => {
              setSecond(undefined)
              asks.refresh()
            }}
          />
        )}
        {queue.value?.length === 0 && (
          <div class="meta">
            <p>{w('desk.empty')}</p>
            <p>{w('desk.empty.say')}</p>
          </div>
        )}
      </aside>
      {current ? (
        <Reviewing key={current.id} prescription={current} onDone={queue.refresh} />
      ) : (
        <>
          <main class="column paper" id="content">
            <h1 class="visually-hidden">{w('desk.title')}</h1>
            <div class="empty">
              <Icon name="pill" />
              <p>{queue.value?.length === 0 ? w('desk.empty') : w('desk.pick')}</p>
            </div>
          </main>
          <aside class="column" aria-label={w('desk.checks')} />
        </>
      )}
    </div>
  )
}

/** The minute by which the clocks are read. */
function useClock(): number {
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    const tick = setInterval(() => setNow(Date.now()), 10_000)
    return () => clearInterval(tick)
  }, [])
  return now
}

/** Time left, or over; and who was asked. Nothing passes by it. */
function Clock({ waiting, now }: { waiting: RxWaiting; now: number }) {
  const left = Math.floor((Date.parse(waiting.due_at) - now) / 60_000)
  return (
    <span class="row" data-test="clock" data-step={waiting.step}>
      <span class={`tag ${left < 0 ? 'danger' : waiting.step > 0 ? 'warn' : 'plain'}`}>
        {left < 0 ? w('clock.over', { n: -left }) : w('clock.left', { n: left })}
      </span>
      {waiting.step > 0 && <span class="meta">{w(waiting.step === 2 ? 'clock.head' : 'clock.lead')}</span>}
    </span>
  )
}

/** The second person reads the stops and the whole text, says yes or no with a reason, and signs. */
function Seconding({ prescription, onDone }: { prescription: Prescription; onDone: () => void }) {
  const [reason, setReason] = useState('')
  const [agrees, setAgrees] = useState(true)
  const named = useCodeNames(prescription.diagnosis)
  return (
    <SignDialog
      title={w('second.title')}
      canonical={prescription.canonical}
      sha256={prescription.sha256}
      paper={(canonical) => rxPaper(canonical, named)}
      ready={reason.trim() !== ''}
      onClose={onDone}
      onSign={async (passphrase) => {
        await post(`/prescriptions/${prescription.id}/second`, {
          sha256: prescription.sha256,
          agrees,
          reason,
          passphrase,
        })
        onDone()
      }}
    >
      <Alerts check={prescription.check} />
      <Select
        label={w('second.title')}
        value={agrees ? 'yes' : 'no'}
        options={[
          { value: 'yes', label: w('second.agree') },
          { value: 'no', label: w('second.disagree') },
        ]}
        onChange={(value) => setAgrees(value === 'yes')}
      />
      <Field
        label={w('second.reason')}
        name="second_reason"
        lines={2}
        value={reason}
        onInput={setReason}
        maxLength={500}
      />
      <p class="meta">{w('second.sure')}</p>
    </SignDialog>
  )
}

type Checks = { legality: boolean; form: boolean; suitability: boolean }

function Reviewing({ prescription, onDone }: { prescription: RxWaiting; onDone: () => void }) {
  const [checks, setChecks] = useState<Checks>({ legality: false, form: false, suitability: false })
  const [step, setStep] = useState<'pass' | 'return' | 'refuse' | undefined>()
  const named = useCodeNames(prescription.diagnosis)
  const all = checks.legality && checks.form && checks.suitability
  const review = (body: Omit<Review, keyof Checks>) =>
    post<Prescription>(`/prescriptions/${prescription.id}/review`, { ...checks, ...body }).then(() => {
      setStep(undefined)
      onDone()
    })
  useKeys({ F8: all ? () => setStep('pass') : undefined, F4: () => setStep('return') })
  useEffect(() => setStep(undefined), [prescription.id])

  return (
    <>
      <main class="column paper" id="content" data-test="reviewing">
        <div class="top">
          <h1>
            {w('person', {
              name: prescription.person.name,
              sex: identity(`sex.${prescription.person.sex}`),
              age: prescription.person.age,
            })}
          </h1>
          <span class="meta mono">{prescription.no}</span>
        </div>
        <dl class="facts">
          <dt>{w('desk.diagnosis')}</dt>
          <dd>{prescription.diagnosis.map(named).join('、')}</dd>
          <dt>{w('desk.doctor')}</dt>
          <dd>
            {prescription.doctor.name} {prescription.doctor.title} · {prescription.institution.name}
          </dd>
          <dt>{w('desk.signed')}</dt>
          <dd>{prescription.signed_at ? moment(prescription.signed_at) : ''}</dd>
        </dl>
        <section>
          <h2>{w('desk.lines')}</h2>
          <ul>
            {prescription.items.map((item) => (
              <li key={item.line} class="rx-line">
                <b lang="zh">
                  {item.line}. {drugName(item)}
                </b>
                <span>
                  {rxUse(item)} {item.quantity && `· ${item.quantity}`}
                </span>
              </li>
            ))}
          </ul>
        </section>
        <Alerts check={prescription.check} />
        <Overrides overrides={prescription.overrides} />
        <Facts prescription={prescription} />
      </main>
      <aside class="column" aria-label={w('desk.checks')}>
        <h2>{w('desk.checks')}</h2>
        <Tick
          label={w('desk.legality')}
          checked={checks.legality}
          onChange={(legality) => setChecks({ ...checks, legality })}
          test="check-legality"
        />
        <Tick
          label={w('desk.form')}
          checked={checks.form}
          onChange={(form) => setChecks({ ...checks, form })}
          test="check-form"
        />
        <Tick
          label={w('desk.suitability')}
          checked={checks.suitability}
          onChange={(suitability) => setChecks({ ...checks, suitability })}
          test="check-suitability"
        />
        <Button look="primary" icon="pen" disabled={!all} onPress={() => setStep('pass')} test="pass">
          {w('desk.pass')} <kbd>F8</kbd>
        </Button>
        {!all && <p class="meta">{w('desk.next')}</p>}
        <div class="row">
          <Button icon="back" onPress={() => setStep('return')} test="return">
            {w('desk.return')} <kbd>F4</kbd>
          </Button>
          <Button look="danger" onPress={() => setStep('refuse')}>
            {w('desk.refuse')}
          </Button>
        </div>
      </aside>
      {step === 'pass' && (
        <SignDialog
          title={w('desk.pass')}
          canonical={prescription.canonical}
          sha256={prescription.sha256}
          paper={(canonical) => rxPaper(canonical, named)}
          onClose={() => setStep(undefined)}
          onSign={(passphrase) => review({ result: 'pass', passphrase })}
        >
          <Overrides overrides={prescription.overrides} />
        </SignDialog>
      )}
      {(step === 'return' || step === 'refuse') && (
        <SendBack result={step} onClose={() => setStep(undefined)} onSend={review} />
      )}
    </>
  )
}

function Overrides({ overrides }: { overrides: Override[] }) {
  if (overrides.length === 0) return null
  return (
    <section class="stack">
      <h2>{w('desk.overrides')}</h2>
      {overrides.map((one) => (
        <p key={one.alert}>
          <b>{w(`over.${one.reason_code}`)}</b> {one.text} <span class="mono meta">{one.alert}</span>
        </p>
      ))}
    </section>
  )
}

const reasons: readonly ReviewReason[] = [
  'dose',
  'interaction',
  'allergy',
  'contraindication',
  'duplicate',
  'diagnosis',
  'quantity',
  'incomplete',
  'other',
]

function SendBack({
  result,
  onClose,
  onSend,
}: {
  result: 'return' | 'refuse'
  onClose: () => void
  onSend: (body: Omit<Review, keyof Checks>) => Promise<void>
}) {
  const [reason, setReason] = useState<ReviewReason>('dose')
  const [note, setNote] = useState('')
  const [passphrase, setPassphrase] = useState('')
  const deed = useDeed()
  return (
    <Dialog title={w(`desk.${result}`)} onClose={onClose}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          void deed.run(() => onSend({ result, reason_code: reason, note, passphrase }))
        }}
      >
        <ProblemNote problem={deed.problem} />
        <Select
          label={w('desk.reason')}
          value={reason}
          options={reasons.map((value) => ({ value, label: w(`why.${value}`) }))}
          onChange={setReason}
        />
        <Field label={w('desk.note')} name="note" lines={3} value={note} onInput={setNote} maxLength={1000} />
        <Field
          label={sign('sign.pass')}
          name="passphrase"
          type="password"
          value={passphrase}
          onInput={setPassphrase}
          autoComplete="off"
        />
        <p class="meta">{w('desk.sure')}</p>
        <Button
          look="primary"
          type="submit"
          busy={deed.busy}
          disabled={note.trim() === '' || passphrase === ''}
          test="send-back"
        >
          {w(`desk.${result}`)}
        </Button>
      </form>
    </Dialog>
  )
}
