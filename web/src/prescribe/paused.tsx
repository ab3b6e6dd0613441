// Long prescriptions that a red answer paused: the prescriber reads the answers, speaks with the patient, and lets it go on.
import { get, post } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import type { Prescription, RxCheckIn } from '../api/types/prescribe'
import { day } from '../i18n/format'
import { Button, ProblemNote } from '../ui/parts'
import { w } from './desk_words'
import { drugName } from './patient_rx'

export function PausedPlans() {
  const paused = useResource('paused plans', (signal) => get<Prescription[]>('/plans/paused', signal), [
    'prescription.changed',
  ])
  if (!paused.problem && !paused.value?.length) return null
  return (
    <section class="stack" data-test="paused-plans">
      <h2>{w('plan.paused', { n: paused.value?.length ?? 0 })}</h2>
      <ProblemNote problem={paused.problem} again={paused.refresh} />
      {paused.value?.map((one) => (
        <Paused key={one.id} plan={one} onDone={paused.refresh} />
      ))}
    </section>
  )
}

function Paused({ plan, onDone }: { plan: Prescription; onDone: () => void }) {
  const deed = useDeed()
  const part = plan.parts.find(({ state, answers }) => state === 'paused' && answers)
  return (
    <article class="card" data-test="paused-plan">
      <div class="top">
        <b>{plan.person.name}</b>
        <span class="meta">{part?.paused_at ? day(part.paused_at) : ''}</span>
      </div>
      <span>{plan.items.map(drugName).join('、')}</span>
      {part?.answers && (
        <ul data-test="red-answers">
          {said(part.answers).map((one) => (
            <li key={one}>
              <b>{one}</b>
            </li>
          ))}
        </ul>
      )}
      <ProblemNote problem={deed.problem} />
      <p class="meta">{w('plan.say')}</p>
      <Button
        busy={deed.busy}
        onPress={() =>
          void deed.run(async () => {
            await post(`/prescriptions/${plan.id}/go-on`)
            onDone()
          })
        }
        test="go-on-plan"
      >
        {w('plan.goon')}
      </Button>
    </article>
  )
}

function said({ new_symptoms, side_effects, new_medicines, pregnant, systolic }: RxCheckIn): string[] {
  return [
    new_symptoms && w('said.symptoms'),
    side_effects && w('said.effects'),
    new_medicines && w('said.medicines'),
    pregnant && w('said.pregnant'),
    systolic && w('said.pressure', { n: systolic }),
  ].filter((one): one is string => typeof one === 'string')
}
