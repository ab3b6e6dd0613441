// What the checks were told of the patient, and what was prescribed before: the pharmacist judges by the same facts.
import { get, query } from '../api/client'
import { useResource } from '../api/resource'
import type { Prescription, RxWaiting } from '../api/types/prescribe'
import { day } from '../i18n/format'
import { pick } from '../i18n/i18n'
import { Icon } from '../ui/icons'
import { ProblemNote } from '../ui/parts'
import { w } from './desk_words'
import { useCodeNames } from './diagnosis'
import { drugName } from './patient_rx'
import { w as rx } from './words'

export function Facts({ prescription }: { prescription: RxWaiting }) {
  const { picture, person } = prescription
  const named = useCodeNames(picture.conditions)
  const measured = picture.creatinine_umol_l
  return (
    <section class="stack" data-test="picture">
      <h2>{w('facts.title')}</h2>
      <p class={picture.allergies.length > 0 ? 'alert hard_stop' : 'meta'}>
        {picture.allergies.length > 0 && <Icon name="warn" />}
        <span>
          {w('facts.allergies')}{' '}
          {picture.allergies.map(({ name, reaction }) => pick(name) + (reaction ? `（${reaction}）` : '')).join('、') ||
            w('facts.none')}
        </span>
      </p>
      <dl class="facts">
        <dt>{w('facts.medicines')}</dt>
        <dd>
          {picture.medicines.length === 0 && w('facts.none')}
          {picture.medicines.map(({ name, daily, left }) => (
            <div key={`${name.zh} ${daily} ${left}`}>
              {pick(name)} {daily && w('facts.daily', { daily })}{' '}
              <span class="meta">{w('facts.left', { n: left })}</span>
            </div>
          ))}
          {picture.unlisted.map((one) => (
            <div key={one} class="meta">
              {w('facts.unlisted', { name: one })}
            </div>
          ))}
        </dd>
        <dt>{w('facts.conditions')}</dt>
        <dd>{picture.conditions.map(named).join('、') || w('facts.none')}</dd>
        <dt>{w('facts.kidney')}</dt>
        <dd>
          {measured
            ? w('facts.creatinine', { value: measured, days: picture.creatinine_days ?? 0 })
            : w('facts.unknown')}
        </dd>
        <dt>{w('facts.weight')}</dt>
        <dd>{picture.weight_kg ? `${picture.weight_kg}\u00a0kg` : w('facts.unknown')}</dd>
        {person.sex === 'F' && (
          <>
            <dt>{w('facts.pregnancy')}</dt>
            <dd>
              {w(`facts.${picture.pregnancy ?? 'unknown'}`)} · {w('facts.lactation')}{' '}
              {w(`facts.${picture.lactation ?? 'unknown'}`)}
            </dd>
          </>
        )}
      </dl>
      <Before prescription={prescription} />
    </section>
  )
}

/** Earlier prescriptions that the pharmacist's hospital knows, all versions. */
function Before({ prescription }: { prescription: Prescription }) {
  const all = useResource(`before ${prescription.person.id}`, (signal) =>
    get<Prescription[]>(`/prescriptions${query({ person_id: prescription.person.id })}`, signal),
  )
  const earlier = all.value?.filter(({ id }) => id !== prescription.id).slice(0, 5) ?? []
  return (
    <details open={earlier.length > 0}>
      <summary>{w('facts.before', { n: earlier.length })}</summary>
      <ProblemNote problem={all.problem} again={all.refresh} />
      <ul>
        {earlier.map((one) => (
          <li key={one.id}>
            {one.signed_at ? day(one.signed_at) : ''} {one.items.map(drugName).join('、')}{' '}
            <span class="meta">
              {rx(`state.${one.state}`)}
              {one.review?.reason_code ? ` · ${w(`why.${one.review.reason_code as 'dose'}`)}` : ''}
            </span>
          </li>
        ))}
      </ul>
    </details>
  )
}
