// One human's calendar over all places: the week, the weekly sessions, what is published and what is refused, the sick day.
import { useState } from 'preact/hooks'
import { get, query } from '../api/client'
import { useResource } from '../api/resource'
import { me } from '../api/session'
import type { Registration, RosterSession, RosterView } from '../api/types/schedule'
import { clock, day, isoDay } from '../i18n/format'
import { useHospital } from '../ui/hospital'
import { Button, Loading, Notice, ProblemNote, Select, useTitle } from '../ui/parts'
import { DayOff, Late, Sick } from './roster_day'
import { Feed, Spreadsheet } from './roster_file'
import { Publishing, Templates } from './roster_plan'
import { addDays, monday, soon, verySoon } from './week'
import { w } from './words'

export function RosterPage() {
  const registrations = useResource('registrations', (signal) => get<Registration[]>('/registrations', signal), [
    'filing.changed',
  ])
  const own = me().practitioner_id
  const hospital = useHospital('coordinator', 'administrator')
  const [chosen, setChosen] = useState<string>()
  useTitle(w('roster.title'))
  const list = registrations.value ?? []
  const here = own ? list : list.filter(({ institution }) => institution.id === hospital.id)
  const doctors = [...new Map(here.map((one) => [one.doctor.id, one.doctor])).values()]
  const doctor = own ?? (doctors.find(({ id }) => id === chosen) ?? doctors[0])?.id
  return (
    <main class="column paper roster" id="content">
      <h1>{w('roster.title')}</h1>
      {!own && hospital.chooser}
      <ProblemNote problem={registrations.problem} again={registrations.refresh} />
      {!registrations.value && !registrations.problem && <Loading />}
      {registrations.value && here.length === 0 && <p>{w('roster.none')}</p>}
      {!own && doctors.length > 0 && doctor && (
        <Select
          label={w('roster.whose')}
          value={doctor}
          options={doctors.map((one) => ({ value: one.id, label: one.name }))}
          onChange={setChosen}
        />
      )}
      {doctor && here.length > 0 && (
        <Week key={`${doctor} ${hospital.id}`} doctor={doctor} registrations={here} place={own ? '' : hospital.id} />
      )}
    </main>
  )
}

type WeekProps = {
  doctor: string
  registrations: Registration[]
  /** The hospital that plans; empty when the doctor does. */
  place: string
}

function Week({ doctor, registrations, place }: WeekProps) {
  const [from, setFrom] = useState(monday(isoDay(new Date())))
  const roster = useResource(
    `roster ${doctor} ${from}`,
    (signal) => get<RosterView>(`/rosters/${doctor}${query({ from, days: 7 })}`, signal),
    ['roster.changed', 'visit.changed', 'queue.changed', 'filing.changed'],
  )
  const view = roster.value
  const places = registrations.filter((one) => one.doctor.id === doctor)
  const zone = places[0]?.zone
  return (
    <>
      <div class="row">
        <Button icon="back" onPress={() => setFrom(addDays(from, -7))} test="week-before">
          {w('roster.prev')}
        </Button>
        <h2 class="grow">{w('roster.week', { from: day(`${from}T12:00:00Z`) })}</h2>
        <Button icon="next" onPress={() => setFrom(addDays(from, 7))} test="week-after">
          {w('roster.next')}
        </Button>
      </div>
      {places.map(
        (one) =>
          one.days_left <= soon && (
            <div key={one.id} data-test="ends-soon">
              <Notice
                tone={one.days_left <= verySoon ? 'danger' : 'warn'}
                title={
                  one.days_left < 0
                    ? w('ends.over', { place: one.institution.name, day: one.until })
                    : w('ends.soon', { place: one.institution.name, day: one.until, n: one.days_left })
                }
              >
                <a href="/staff/registrations">{w('reg.title')}</a>
              </Notice>
            </div>
          ),
      )}
      <ProblemNote problem={roster.problem} again={roster.refresh} />
      {!view && !roster.problem && <Loading />}
      {view && (
        <div class="week" data-test="week">
          {view.days.map((one) => (
            <section key={one.day} class="weekday" aria-label={day(`${one.day}T12:00:00Z`)}>
              <h3>
                {day(`${one.day}T12:00:00Z`)}
                {one.kind !== 'ordinary' && (
                  <span class={`tag ${one.kind === 'holiday' ? 'warn' : 'info'}`}>
                    {w(`day.${one.kind}`, { name: one.name ?? '' })}
                  </span>
                )}
              </h3>
              <Sessions list={view.sessions.filter((each) => isoDay(each.start, zone) === one.day)} zone={zone} />
            </section>
          ))}
        </div>
      )}
      {view && (
        <div class="roster-tools">
          <Templates doctor={doctor} list={view.templates} places={places} onChange={roster.refresh} />
          <Publishing doctor={doctor} onDone={roster.refresh} />
          <Sick doctor={doctor} places={places} everybody={registrations} onDone={roster.refresh} />
          <Late doctor={doctor} places={places} />
          <DayOff doctor={doctor} list={view.exceptions} place={place} onDone={roster.refresh} />
          <Spreadsheet doctor={doctor} places={places} onDone={roster.refresh} />
          {!place && <Feed />}
        </div>
      )}
    </>
  )
}

function Sessions({ list, zone }: { list: RosterSession[]; zone: string | undefined }) {
  if (list.length === 0) return <p class="meta">{w('roster.empty')}</p>
  return (
    <ul class="sessions">
      {list.map((one) => (
        <li key={`${one.start} ${one.busy}`} class={one.busy ? 'busy' : (one.purpose ?? '')} data-test="session">
          <b>
            {clock(one.start, zone)}-
            {isoDay(one.end, zone) > isoDay(one.start, zone) && clock(one.end, zone) !== '00:00'
              ? w('roster.nextday', { at: clock(one.end, zone) })
              : clock(one.end, zone)}
          </b>
          {one.busy ? (
            <span title={w('roster.busy.say')}>{w('roster.busy')}</span>
          ) : (
            <>
              <span>{one.institution?.name}</span>
              <span class="meta">
                {w(`purpose.${(one.purpose ?? 'visit') as 'visit'}`)}
                {one.purpose === 'visit' && ` · ${w(`mode.${(one.mode ?? 'online') as 'online'}`)}`}
                {one.purpose === 'visit' &&
                  ` · ${w('roster.booked', { booked: one.booked ?? 0, slots: one.slots ?? 0 })}`}
              </span>
            </>
          )}
        </li>
      ))}
    </ul>
  )
}
