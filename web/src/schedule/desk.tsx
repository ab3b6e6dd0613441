// The waiting list as the hospital works it, and the numbers for the display in the corridor.
import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { get, post } from '../api/client'
import { useDeed, useOnce, useResource } from '../api/resource'
import { me } from '../api/session'
import type { Numbers, WaitEntry } from '../api/types/schedule'
import type { Visit } from '../api/types/visit'
import { moment } from '../i18n/format'
import { useHospital } from '../ui/hospital'
import { Button, Dialog, Field, Loading, Notice, ProblemNote, Select, useTitle } from '../ui/parts'
import { w } from './words'

export function WaitsPage() {
  const { route } = useLocation()
  const list = useResource('waits', (signal) => get<WaitEntry[]>('/waits', signal), ['wait.changed', 'visit.changed'])
  const deed = useDeed()
  const once = useOnce()
  const [squeezing, setSqueezing] = useState<WaitEntry>()
  const doctor = Boolean(me().practitioner_id)
  const pool = list.value?.filter((one) => one.walk_in) ?? []
  useTitle(w('wait.title'))
  return (
    <main class="column paper roster" id="content">
      <h1>{w('wait.title')}</h1>
      <ProblemNote problem={list.problem ?? deed.problem} again={list.refresh} />
      {!list.value && !list.problem && <Loading />}
      {list.value?.length === 0 && <p>{w('wait.none')}</p>}
      {doctor && pool.length > 0 && (
        <div class="row">
          <Button
            look="primary"
            busy={deed.busy}
            onPress={() =>
              void deed.run(async () => {
                const visit = await post<Visit>('/waits/next-walk-in', undefined, once(pool.map((one) => one.id)))
                route(`/staff/visits/${visit.id}`)
              })
            }
            test="next-walk-in"
          >
            {w('wait.take')}
          </Button>
        </div>
      )}
      <div class="roster-tools">
        {list.value?.map((one) => (
          <section class="card" key={one.id} data-test="wait-entry">
            <div class="top">
              <b>
                {one.person.name} {one.person.age}
              </b>
              {one.walk_in && <span class="tag info">{w('wait.walkin')}</span>}
            </div>
            <span class="meta">
              {one.doctor.name || w('wait.any')} · {one.department} · {w('wait.since', { at: moment(one.joined_at) })}
            </span>
            {one.offer && <Notice tone="info" title={w('wait.offered', { at: moment(one.offer.slot.start) })} />}
            {!doctor && !one.walk_in && (
              <div class="row">
                <Button onPress={() => setSqueezing(one)} test="squeeze">
                  {w('wait.squeeze')}
                </Button>
              </div>
            )}
          </section>
        ))}
      </div>
      {squeezing && (
        <Squeeze
          entry={squeezing}
          onClose={() => setSqueezing(undefined)}
          onDone={() => {
            setSqueezing(undefined)
            list.refresh()
          }}
        />
      )}
    </main>
  )
}

function Squeeze({ entry, onClose, onDone }: { entry: WaitEntry; onClose: () => void; onDone: () => void }) {
  const visits = useResource('place visits', (signal) => get<Visit[]>('/visits', signal))
  const deed = useDeed()
  const once = useOnce()
  const [slot, setSlot] = useState('')
  const [why, setWhy] = useState('')
  const taken = (visits.value ?? [])
    .filter(
      (one) =>
        one.state === 'booked' &&
        one.department === entry.department &&
        (!entry.doctor.id || one.doctor.id === entry.doctor.id) &&
        new Date(one.start) > new Date(),
    )
    .sort((a, b) => a.start.localeCompare(b.start))
  const chosen = slot || taken[0]?.id || ''
  return (
    <Dialog title={w('wait.squeeze')} onClose={onClose}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          void deed.run(async () => {
            const body = { slot_id: taken.find((one) => one.id === chosen)?.slot_id ?? '', reason: why.trim() }
            await post<Visit>(`/waits/${entry.id}/squeeze-in`, body, once([entry.id, body]))
            onDone()
          })
        }}
      >
        <p>{w('wait.squeeze.lead')}</p>
        {visits.value && taken.length === 0 && <p>{w('wait.noslot')}</p>}
        {taken.length > 0 && (
          <Select
            label={w('wait.slot')}
            value={chosen}
            options={taken.map((one) => ({ value: one.id, label: `${moment(one.start)} ${one.doctor.name}` }))}
            onChange={setSlot}
          />
        )}
        <Field label={w('wait.why')} name="squeeze-why" value={why} onInput={setWhy} maxLength={200} />
        <ProblemNote problem={deed.problem ?? visits.problem} />
        <Button
          look="primary"
          type="submit"
          busy={deed.busy}
          disabled={chosen === '' || why.trim() === ''}
          test="squeeze-go"
        >
          {w('wait.squeeze')}
        </Button>
      </form>
    </Dialog>
  )
}

/** Numbers, no names: fit to hang in a corridor. */
export function NumbersPage() {
  const hospital = useHospital('coordinator', 'administrator')
  const list = useResource(
    hospital.id && `numbers ${hospital.id}`,
    (signal) => get<Numbers[]>(`/institutions/${hospital.id}/numbers`, signal),
    ['queue.changed', 'visit.changed'],
  )
  useTitle(w('calls.title'))
  const numbers = (of: number[]) => of.map((n) => w('calls.no', { n })).join('　')
  return (
    <main class="column paper calls" id="content">
      <h1>
        {hospital.name} {w('calls.title')}
      </h1>
      {hospital.chooser}
      <ProblemNote problem={list.problem} again={list.refresh} />
      {!list.value && !list.problem && <Loading />}
      {list.value?.length === 0 && <p class="figure">{w('calls.none')}</p>}
      {list.value?.map((one) => (
        <section class="card" key={`${one.department} ${one.doctor}`} data-test="calls">
          <h2>
            {one.department} {one.doctor}
          </h2>
          {one.delay_min > 0 && <Notice tone="warn" title={w('calls.late', { n: one.delay_min })} />}
          <dl class="facts">
            <dt>{w('calls.called')}</dt>
            <dd class="called" aria-live="polite">
              {numbers(one.called)}
            </dd>
            <dt>{w('calls.now')}</dt>
            <dd>{numbers(one.now)}</dd>
            <dt>{w('calls.waiting')}</dt>
            <dd>{numbers(one.waiting)}</dd>
          </dl>
        </section>
      ))}
    </main>
  )
}
