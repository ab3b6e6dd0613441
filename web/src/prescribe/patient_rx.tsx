// A prescription as the patient holds it: state in a sentence, the lines, and the code for the pharmacy.
import { useRoute } from 'preact-iso'
import { get, query } from '../api/client'
import { useResource } from '../api/resource'
import type { Prescription, RxItem } from '../api/types/prescribe'
import { day } from '../i18n/format'
import { pick } from '../i18n/i18n'
import { Icon } from '../ui/icons'
import { Loading, Notice, ProblemNote, useTitle } from '../ui/parts'
import { rxTone } from '../visit/states'
import { Collect, Paused, paused } from './collect'
import { PaperAndProof } from './paper_proof'
import { Reminder } from './reminder'
import { sayUse } from './use'
import { w } from './words'

export function rxSentence(prescription: Pick<Prescription, 'state' | 'valid_until'>): string {
  if (prescription.state === 'approved')
    return w('say.approved', { date: prescription.valid_until ? day(prescription.valid_until) : '' })
  return w(`say.${prescription.state}`)
}

/** How to take it; a dose never breaks from its unit. */
export function rxUse(item: RxItem): string {
  const amount = item.units ? `${item.units}\u00a0${w('line.units')}` : `${item.dose ?? ''}\u00a0${item.unit ?? ''}`
  const often = rxOften(item) + (item.timing ? w('line.comma') + w(`timing.${item.timing}`) : '')
  return w('line.use', { amount, often, days: item.days })
}

export const rxOften = ({ per_week, per_day }: Pick<RxItem, 'per_day' | 'per_week'>): string =>
  per_week ? w('line.week', { n: per_week }) : w('line.day', { n: per_day ?? 1 })

export const drugName = (item: RxItem) => (item.name ? pick(item.name) : (item.product ?? item.ingredient ?? ''))

export function RxLine({ item }: { item: RxItem }) {
  return (
    <li>
      <b lang="zh">
        {item.line}. {drugName(item)}
      </b>
      <span data-test="use">{sayUse(item)}</span>
      {item.quantity && <span class="meta">{w('line.quantity', { q: item.quantity })}</span>}
    </li>
  )
}

export function PrescriptionSummary({ id }: { id: string }) {
  const rx = useResource(`rx ${id}`, (signal) => get<Prescription>(`/prescriptions/${id}`, signal), [
    'prescription.changed',
  ])
  if (!rx.value) return rx.problem ? <ProblemNote problem={rx.problem} again={rx.refresh} /> : <Loading />
  const prescription = rx.value
  return (
    <a class="card" href={`/prescriptions/${id}`} data-test="rx-card" data-state={prescription.state}>
      <div class="top">
        <b>{w('rx.title')}</b>
        <span class={`tag ${rxTone[prescription.state]}`}>{w(`state.${prescription.state}`)}</span>
      </div>
      <span>{prescription.items.map(drugName).join('、')}</span>
      <span class="meta">{rxSentence(prescription)}</span>
    </a>
  )
}

export function PrescriptionPage() {
  const { params } = useRoute()
  const id = params.id ?? ''
  const rx = useResource(`rx ${id}`, (signal) => get<Prescription>(`/prescriptions/${id}`, signal), [
    'prescription.changed',
  ])
  useTitle(w('rx.title'))
  return (
    <main class="page" id="content">
      {rx.value ? (
        <PrescriptionView prescription={rx.value} />
      ) : rx.problem ? (
        <ProblemNote problem={rx.problem} again={rx.refresh} />
      ) : (
        <Loading />
      )}
    </main>
  )
}

export function PrescriptionView({ prescription }: { prescription: Prescription }) {
  const tone = rxTone[prescription.state]
  return (
    <>
      <header class="tight">
        <h1>{w('rx.title')}</h1>
        <p class="meta">{w('rx.no', { no: prescription.no })}</p>
      </header>
      <div data-test="rx-state" data-state={prescription.state}>
        {paused(prescription) ? (
          <Paused />
        ) : (
          <Notice tone={tone} live title={w(`state.${prescription.state}`)}>
            {rxSentence(prescription)}
          </Notice>
        )}
      </div>
      <Collect prescription={prescription} />
      {prescription.state === 'approved' && (
        <section class="qr">
          <h2>{w('qr.title')}</h2>
          <img
            src={prescription.qr_url ?? `/api/v1/prescriptions/${prescription.id}/qr.png`}
            alt={w('qr.title')}
            data-test="qr"
          />
          <p class="meta">{w('qr.hint')}</p>
          {prescription.evidence_code && (
            <a class="button" href={`/verify#${prescription.evidence_code}`} data-test="verify-link">
              <Icon name="check" />
              <span>{w('qr.verify')}</span>
            </a>
          )}
        </section>
      )}
      <section>
        <p class="meta">
          {prescription.person.name} ·{' '}
          {w('by', {
            doctor: `${prescription.doctor.name} ${prescription.doctor.title}`,
            hospital: prescription.institution.name,
          })}
        </p>
        <ul class="rx-lines">
          {prescription.items.map((item) => (
            <RxLine key={item.line} item={item} />
          ))}
        </ul>
      </section>
      {['approved', 'dispensed', 'expired'].includes(prescription.state) && (
        <PaperAndProof at={`/prescriptions/${prescription.id}`} no={prescription.no} />
      )}
      <Reminder prescription={prescription} />
      {prescription.review?.note && <Notice tone="plain" title={prescription.review.note} />}
    </>
  )
}

export function PrescriptionList({ persons }: { persons: string[] }) {
  const all = useResource(
    `rxs ${persons.join(' ')}`,
    async (signal) =>
      (
        await Promise.all(persons.map((id) => get<Prescription[]>(`/prescriptions${query({ person_id: id })}`, signal)))
      ).flat(),
    ['prescription.changed'],
  )
  useTitle(w('rx.list'))
  return (
    <main class="page" id="content">
      <h1>{w('rx.list')}</h1>
      {!all.value && (all.problem ? <ProblemNote problem={all.problem} again={all.refresh} /> : <Loading />)}
      {all.value?.length === 0 && <p>{w('rx.empty')}</p>}
      {all.value?.map((one) => (
        <PrescriptionSummary key={one.id} id={one.id} />
      ))}
    </main>
  )
}
