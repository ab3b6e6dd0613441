// What the patient does to get the medicine: agree to a plan, answer before a later part, show a code at a pharmacy of
// the own choice.
import { useState } from 'preact/hooks'
import { get, post } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import type { ClaimCode, Prescription, PublicPharmacy, RxPart } from '../api/types/prescribe'
import { day } from '../i18n/format'
import { Icon } from '../ui/icons'
import { Button, Field, Loading, Notice, ProblemNote, Tick } from '../ui/parts'
import { w } from './words'

export const paused = (rx: Prescription) => rx.parts.some((part) => part.state === 'paused')
const planned = (rx: Prescription) => rx.parts.length > 1

export function Collect({ prescription }: { prescription: Prescription }) {
  if (!['approved', 'dispensed'].includes(prescription.state) || prescription.parts.length === 0) return null
  const agreed = !planned(prescription) || prescription.plan_confirmed_at !== undefined
  const open = prescription.parts.some((part) => ['ready', 'waiting'].includes(part.state))
  return (
    <section class="stack" data-test="collect">
      <h2>{planned(prescription) ? w('plan.title') : w('get.title')}</h2>
      {planned(prescription) && (
        <p>
          {w('plan.say', {
            n: prescription.parts.length,
            days: Math.max(...(prescription.parts[0]?.lines.map((line) => line.days) ?? [28])),
          })}
        </p>
      )}
      {!agreed && <Agree prescription={prescription} />}
      <ol class="stack parts">
        {prescription.parts.map((part) => (
          <Part key={part.id} prescription={prescription} part={part} agreed={agreed} />
        ))}
      </ol>
      {agreed && open && <Shops />}
    </section>
  )
}

/** Stands where "ready" would: a green word above it would be read first. */
export function Paused() {
  return (
    <div data-test="paused">
      <Notice tone="warn" live title={w('paused.title')}>
        <p>{w('paused.say')}</p>
        <a class="button" href="/book/who">
          {w('paused.book')}
        </a>
      </Notice>
    </div>
  )
}

function Agree({ prescription }: { prescription: Prescription }) {
  const deed = useDeed()
  return (
    <div class="stack no-print">
      <ProblemNote problem={deed.problem} />
      <Button
        look="primary"
        busy={deed.busy}
        onPress={() => void deed.run(() => post(`/prescriptions/${prescription.id}/confirm-plan`))}
        test="confirm-plan"
      >
        {w('plan.yes')}
      </Button>
    </div>
  )
}

function Part({ prescription, part, agreed }: { prescription: Prescription; part: RxPart; agreed: boolean }) {
  const [code, setCode] = useState<ClaimCode>()
  const deed = useDeed()
  const most = Math.max(...part.lines.map((line) => line.days))
  const rest = Math.max(...part.lines.map((line) => line.remain))
  const begun = part.lines.some((line) => line.remain < line.days)
  const ready = part.state === 'ready' && agreed
  const asks = ready && part.part > 1 && !part.checked_in_at
  return (
    <li class="card" data-test="part" data-part={part.part} data-state={part.state}>
      <div class="top">
        <b>{planned(prescription) ? w('part.title', { n: part.part, days: most }) : w('part.one', { days: most })}</b>
        <span class="meta">
          {w(`part.${part.state}`, { date: day(part.not_before), pharmacy: part.pharmacy ?? '' })}
        </span>
      </div>
      {begun && rest > 0 && <p>{w('part.rest', { n: rest })}</p>}
      {part.recalls?.map((one) => (
        <Notice key={one.lot} tone="danger" live title={w('part.recall', one)} />
      ))}
      {asks && <CheckIn prescription={prescription} part={part} />}
      {ready && !asks && (
        <div class="stack no-print">
          <ProblemNote problem={deed.problem} />
          <Button
            look="primary"
            icon="pill"
            busy={deed.busy}
            onPress={() =>
              void deed.run(async () =>
                setCode(await post<ClaimCode>(`/prescriptions/${prescription.id}/code`, { part: part.part })),
              )
            }
            test="show-code"
          >
            {code || part.coded ? w('get.again') : w('get.code')}
          </Button>
          {code && (
            <div class="qr" role="status">
              <img src={`data:image/png;base64,${code.png}`} alt={w('get.code')} />
              <p class="mono claim-code" data-test="claim-code">
                {code.code.match(/.{1,4}/g)?.join(' ')}
              </p>
              <p class="meta">{w('get.once')}</p>
            </div>
          )}
        </div>
      )}
    </li>
  )
}

function CheckIn({ prescription, part }: { prescription: Prescription; part: RxPart }) {
  const [said, setSaid] = useState({ new_symptoms: false, new_medicines: false, side_effects: false, pregnant: false })
  const [systolic, setSystolic] = useState('')
  const deed = useDeed()
  const questions = [
    ['new_symptoms', w('in.symptoms')],
    ['side_effects', w('in.effects')],
    ['new_medicines', w('in.medicines')],
    ...(prescription.person.sex === 'F' ? ([['pregnant', w('in.pregnant')]] as const) : []),
  ] as const
  return (
    <form
      class="stack no-print"
      data-test="check-in-form"
      onSubmit={(event) => {
        event.preventDefault()
        const measured = systolic === '' ? {} : { systolic: Number(systolic) }
        void deed.run(() =>
          post(`/prescriptions/${prescription.id}/check-in`, { part: part.part, ...said, ...measured }),
        )
      }}
    >
      <h3>{w('in.title', { n: part.part })}</h3>
      <ProblemNote problem={deed.problem} />
      {questions.map(([key, label]) => (
        <Tick
          key={key}
          label={label}
          checked={said[key]}
          onChange={(yes) => setSaid({ ...said, [key]: yes })}
          test={`in-${key}`}
        />
      ))}
      <Field
        label={w('in.pressure')}
        name="systolic"
        inputMode="numeric"
        unit="mmHg"
        optional
        value={systolic}
        onInput={(value) => setSystolic(value.replace(/\D/g, '').slice(0, 3))}
      />
      <p class="meta">{w('in.none')}</p>
      <Button look="primary" type="submit" busy={deed.busy} test="check-in-send">
        {w('in.send')}
      </Button>
    </form>
  )
}

/** By name, as the registry lists them: nobody is ranked, nothing is priced. */
function Shops() {
  const shops = useResource('pharmacies', (signal) => get<PublicPharmacy[]>('/pharmacies', signal))
  return (
    <details class="no-print" open>
      <summary>{w('get.shops')}</summary>
      <p class="meta">{w('get.say')}</p>
      {!shops.value && (shops.problem ? <ProblemNote problem={shops.problem} again={shops.refresh} /> : <Loading />)}
      {shops.value?.length === 0 && <p>{w('get.none')}</p>}
      <ul class="stack">
        {shops.value?.map((shop) => (
          <li key={shop.id} class="tight" data-test="shop">
            <b>{shop.name}</b>
            <span>{shop.address}</span>
            <a href={`tel:${shop.phone.replace(/\s/g, '')}`}>
              <Icon name="phone" /> {shop.phone}
            </a>
            <span class="meta">
              {shop.channels.map((one) => w(one === 'online_retail' ? 'get.post' : 'get.counter')).join('、')} ·{' '}
              {shop.licence_no}
              {shop.checked_on && ` · ${w('get.checked', { date: shop.checked_on.slice(0, 10) })}`}
            </span>
          </li>
        ))}
      </ul>
    </details>
  )
}
