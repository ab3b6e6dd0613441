// A day that is not as planned: the doctor falls ill, is late, or is off.
import { useState } from 'preact/hooks'
import { post } from '../api/client'
import { useDeed, useOnce } from '../api/resource'
import type { Cleared, Registration, RosterView } from '../api/types/schedule'
import { clock, isoDay } from '../i18n/format'
import { Button, Field, Notice, ProblemNote, Select } from '../ui/parts'
import { addDays } from './week'
import { w } from './words'

export function Sick({
  doctor,
  places,
  everybody,
  onDone,
}: {
  doctor: string
  places: Registration[]
  everybody: Registration[]
  onDone: () => void
}) {
  const deed = useDeed()
  const once = useOnce()
  const [place, setPlace] = useState(places[0]?.institution.id ?? '')
  const [on, setOn] = useState(isoDay(new Date()))
  const [substitute, setSubstitute] = useState('')
  const [result, setResult] = useState<{ dry: boolean; of: Cleared }>()
  const others = everybody.filter((one) => one.institution.id === place && one.doctor.id !== doctor)
  const zone = places[0]?.zone
  const call = (dry: boolean) =>
    void deed.run(async () => {
      const body = {
        practitioner_id: doctor,
        institution_id: place,
        from: `${on}T00:00:00+08:00`,
        until: `${addDays(on, 1)}T00:00:00+08:00`,
        ...(substitute ? { substitute_id: substitute } : {}),
        dry_run: dry,
      }
      setResult({ dry, of: await post<Cleared>('/absences', body, dry ? undefined : once(body)) })
      if (!dry) onDone()
    })
  return (
    <section class="card" data-test="sick">
      <h2>{w('sick.title')}</h2>
      <p class="meta">{w('sick.lead')}</p>
      <div class="two">
        <Select
          label={w('sick.place')}
          value={place}
          options={places.map((one) => ({ value: one.institution.id, label: one.institution.name }))}
          onChange={setPlace}
        />
        <Field label={w('sick.day')} name="sick-day" type="date" value={on} onInput={setOn} />
        <Select
          label={w('sick.who')}
          value={substitute}
          options={[
            { value: '', label: w('sick.nobody') },
            ...others.map((one) => ({ value: one.doctor.id, label: `${one.doctor.name} ${one.title}` })),
          ]}
          onChange={setSubstitute}
        />
      </div>
      <ProblemNote problem={deed.problem} />
      <div class="row">
        <Button busy={deed.busy} onPress={() => call(true)} test="sick-try">
          {w('sick.try')}
        </Button>
        {result?.dry && (
          <Button look="danger" busy={deed.busy} onPress={() => call(false)} test="sick-go">
            {w('sick.go')}
          </Button>
        )}
      </div>
      {result && (
        <div role="status" class="stack" data-test="sick-result" data-dry={result.dry}>
          <Notice
            tone={result.dry ? 'warn' : 'ok'}
            title={w(result.dry ? 'sick.would' : 'sick.done', {
              slots: result.of.slots,
              visits: result.of.visits.length,
            })}
          >
            {result.of.teleconsults > 0 && w('sick.tele', { n: result.of.teleconsults })}
          </Notice>
          <ul class="bare">
            {result.of.visits.map((one) => (
              <li key={one.id}>
                <b>
                  {clock(one.was, zone)} {one.person}
                </b>{' '}
                {one.moved_to
                  ? w('sick.moved', { at: clock(one.moved_to.start, zone), doctor: one.doctor ?? '' })
                  : w(one.refund_due ? 'sick.cancelled' : 'sick.free')}
              </li>
            ))}
          </ul>
        </div>
      )}
    </section>
  )
}

export function Late({ doctor, places }: { doctor: string; places: Registration[] }) {
  const deed = useDeed()
  const once = useOnce()
  const [minutes, setMinutes] = useState('15')
  const [place, setPlace] = useState(places[0]?.institution.id ?? '')
  const [said, setSaid] = useState(false)
  return (
    <section class="card" data-test="late-card">
      <h2>{w('late.title')}</h2>
      <div class="two">
        <Select
          label={w('sick.place')}
          value={place}
          options={places.map((one) => ({ value: one.institution.id, label: one.institution.name }))}
          onChange={setPlace}
        />
        <Field
          label={w('late.minutes')}
          name="late"
          value={minutes}
          onInput={setMinutes}
          inputMode="numeric"
          maxLength={3}
        />
      </div>
      <ProblemNote problem={deed.problem} />
      <div class="row">
        <Button
          busy={deed.busy}
          disabled={!/^\d{1,3}$/.test(minutes)}
          onPress={() =>
            void deed.run(async () => {
              const body = { institution_id: place, minutes: Number(minutes) }
              await post<void>(`/rosters/${doctor}/late`, body, once([body, isoDay(new Date())]))
              setSaid(true)
            })
          }
          test="late"
        >
          {w('late.go')}
        </Button>
        {said && <span role="status">{w('late.done')}</span>}
      </div>
    </section>
  )
}

export function DayOff({
  doctor,
  list,
  place,
  onDone,
}: {
  doctor: string
  list: RosterView['exceptions']
  /** The hospital that gives the day off; empty when the doctor takes it. */
  place: string
  onDone: () => void
}) {
  const deed = useDeed()
  const once = useOnce()
  const [on, setOn] = useState(addDays(isoDay(new Date()), 1))
  return (
    <section class="card">
      <h2>{w('off.title')}</h2>
      <Field label={w('off.day')} name="day-off" type="date" value={on} onInput={setOn} />
      <ProblemNote problem={deed.problem} />
      <div class="row">
        <Button
          busy={deed.busy}
          onPress={() =>
            void deed.run(async () => {
              const body = { day: on, ...(place ? { institution_id: place } : {}) }
              await post<void>(`/rosters/${doctor}/days-off`, body, once(body))
              onDone()
            })
          }
        >
          {w('off.go')}
        </Button>
      </div>
      {list.length > 0 && (
        <>
          <p class="meta">{w('off.list')}</p>
          <ul>
            {list.map((one) => (
              <li key={one.id} class="row">
                {one.day} {one.institution.name} {one.reason}
                {(!place || one.institution.id) && (
                  <Button
                    busy={deed.busy}
                    onPress={() =>
                      void deed.run(async () => {
                        await post<void>(`/days-off/${one.id}/undo`, {}, once([one.id, 'undo']))
                        onDone()
                      })
                    }
                  >
                    {w('off.undo')}
                  </Button>
                )}
              </li>
            ))}
          </ul>
          <p class="hint">{w('off.undo.hint')}</p>
        </>
      )}
    </section>
  )
}
