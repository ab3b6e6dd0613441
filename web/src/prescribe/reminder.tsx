// Reminders of medicines: nobody is reminded who did not ask, and one press ends them.
import { useState } from 'preact/hooks'
import { call, put } from '../api/client'
import { useDeed } from '../api/resource'
import type { Prescription } from '../api/types/prescribe'
import { Button, Notice, ProblemNote } from '../ui/parts'
import { w } from './words'

const times = ['07:00', '08:00', '12:00', '18:00', '20:00', '21:00'] as const

export function Reminder({ prescription }: { prescription: Prescription }) {
  const [on, setOn] = useState(prescription.reminders ?? [])
  const [chosen, setChosen] = useState<string[]>([])
  const deed = useDeed()
  if (!['approved', 'dispensed'].includes(prescription.state)) return null
  const path = `/prescriptions/${prescription.id}/reminder`
  const settle = (asked: Promise<Prescription>) => asked.then(({ reminders }) => setOn(reminders ?? []))
  return (
    <section class="stack no-print" data-test="reminder" data-on={on.length > 0}>
      <h2>{w('remind.title')}</h2>
      <ProblemNote problem={deed.problem} />
      {on.length > 0 ? (
        <>
          <Notice tone="ok" live title={w('remind.on', { times: on.join('、') })} />
          <Button
            busy={deed.busy}
            onPress={() => void deed.run(() => settle(call<Prescription>('DELETE', path)))}
            test="stop-reminding"
          >
            {w('remind.stop')}
          </Button>
        </>
      ) : (
        <>
          <p>{w('remind.say')}</p>
          <fieldset class="times" aria-label={w('remind.title')}>
            {times.map((at) => (
              <Button
                key={at}
                pressed={chosen.includes(at)}
                onPress={() => setChosen(chosen.includes(at) ? chosen.filter((one) => one !== at) : [...chosen, at])}
              >
                {at}
              </Button>
            ))}
          </fieldset>
          <Button
            look="primary"
            busy={deed.busy}
            disabled={chosen.length === 0}
            onPress={() => void deed.run(() => settle(put<Prescription>(path, { times: chosen })))}
            test="remind"
          >
            {w('remind.set')}
          </Button>
        </>
      )}
    </section>
  )
}
