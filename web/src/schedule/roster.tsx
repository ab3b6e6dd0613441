// One human's calendar over all places: the week, the weekly sessions, what is published and what is refused, the sick day.
import { useState } from 'preact/hooks'
import { call, get, post, query } from '../api/client'
import { useDeed, useOnce, useResource } from '../api/resource'
import { me } from '../api/session'
import type { Cleared, Published, Registration, RosterImport, RosterSession, RosterView, Template } from '../api/types'
import { clock, day, isoDay, moment, yuan } from '../i18n/format'
import { pick } from '../i18n/i18n'
import { Button, Field, Loading, Notice, ProblemNote, Select, useTitle } from '../ui/parts'
import { addDays, base64, clockOf, minutesOf, monday, soon, verySoon } from './week'
import { w } from './words'

type Weekday = '1' | '2' | '3' | '4' | '5' | '6' | '7'
const weekdays: readonly Weekday[] = ['1', '2', '3', '4', '5', '6', '7']

export function RosterPage() {
  const registrations = useResource('registrations', (signal) => get<Registration[]>('/registrations', signal), [
    'filing.changed',
  ])
  const own = me().practitioner_id
  const [chosen, setChosen] = useState<string>()
  useTitle(w('roster.title'))
  const list = registrations.value ?? []
  const doctors = [...new Map(list.map((one) => [one.doctor.id, one.doctor])).values()]
  const doctor = own ? own : (chosen ?? doctors[0]?.id)
  return (
    <main class="column paper roster" id="content">
      <h1>{w('roster.title')}</h1>
      <ProblemNote problem={registrations.problem} again={registrations.refresh} />
      {!registrations.value && !registrations.problem && <Loading />}
      {registrations.value?.length === 0 && <p>{w('roster.none')}</p>}
      {!own && doctors.length > 0 && doctor && (
        <Select
          label={w('roster.whose')}
          value={doctor}
          options={doctors.map((one) => ({ value: one.id, label: one.name }))}
          onChange={setChosen}
        />
      )}
      {doctor && list.length > 0 && <Week key={doctor} doctor={doctor} registrations={list} own={Boolean(own)} />}
    </main>
  )
}

function Week({ doctor, registrations, own }: { doctor: string; registrations: Registration[]; own: boolean }) {
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
          <DayOff doctor={doctor} list={view.exceptions} onDone={roster.refresh} />
          <Spreadsheet doctor={doctor} places={places} onDone={roster.refresh} />
          {own && <Feed />}
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

function Templates({
  doctor,
  list,
  places,
  onChange,
}: {
  doctor: string
  list: Template[]
  places: Registration[]
  onChange: () => void
}) {
  const deed = useDeed()
  const once = useOnce()
  const [place, setPlace] = useState(places[0]?.institution.id ?? '')
  const [weekday, setWeekday] = useState<Weekday>('1')
  const [begins, setBegins] = useState('09:00')
  const [ends, setEnds] = useState('12:00')
  const [minutes, setMinutes] = useState('15')
  const [mode, setMode] = useState<'online' | 'on_site'>('online')
  const [purpose, setPurpose] = useState<'visit' | 'duty'>('visit')
  const [fee, setFee] = useState('20')
  const [every, setEvery] = useState<'1' | '2'>('1')
  const [since, setSince] = useState(isoDay(new Date()))
  const at = places.find((one) => one.institution.id === place)
  const [department, setDepartment] = useState('')
  const departments = at?.departments ?? []
  const where = departments.includes(department) ? department : (departments[0] ?? '')
  const [first, last, length] = [minutesOf(begins), minutesOf(ends), Number(minutes)]
  const body = {
    institution_id: place,
    weekday: Number(weekday),
    begins: first ?? -1,
    ends: last ?? -1,
    minutes: length,
    mode,
    purpose,
    department: where,
    fee_fen: Math.round(Number(fee) * 100),
    every: Number(every),
    since,
  }
  const usable =
    first !== undefined && last !== undefined && last > first && length >= 5 && where !== '' && Number(fee) >= 0
  return (
    <section class="card" data-test="templates">
      <h2>{w('tpl.title')}</h2>
      {list.length === 0 && <p class="meta">{w('tpl.none')}</p>}
      <ul class="bare">
        {list
          .filter((one) => !one.until)
          .map((one) => (
            <li key={one.id} class="row" data-test="template">
              <span class="grow">
                {one.every === 2 && `${w('tpl.every.2')} `}
                {w(`weekday.${String(one.weekday) as Weekday}`)} {clockOf(one.begins)}-{clockOf(one.ends)} ·{' '}
                {one.institution.name} · {w(`purpose.${one.purpose}`)} · {w(`mode.${one.mode}`)}
                {one.purpose === 'visit' && ` · ${one.department} · ${w('tpl.yuan', { fee: yuan(one.fee_fen) })}`}
              </span>
              <Button
                look="quiet"
                busy={deed.busy}
                onPress={() =>
                  void deed.run(async () => {
                    const end = { from: isoDay(new Date()) }
                    await post<Cleared>(`/roster-templates/${one.id}/end`, end, once([one.id, end]))
                    onChange()
                  })
                }
              >
                {w('tpl.end')}
              </Button>
            </li>
          ))}
      </ul>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          void deed.run(async () => {
            await post<Template>(`/rosters/${doctor}/templates`, body, once(body))
            onChange()
          })
        }}
      >
        <div class="two">
          <Select
            label={w('tpl.place')}
            value={place}
            options={places.map((one) => ({ value: one.institution.id, label: one.institution.name }))}
            onChange={setPlace}
          />
          <Select
            label={w('tpl.weekday')}
            value={weekday}
            options={weekdays.map((value) => ({ value, label: w(`weekday.${value}`) }))}
            onChange={setWeekday}
          />
          <Field label={w('tpl.begins')} name="begins" value={begins} onInput={setBegins} maxLength={5} />
          <Field
            label={w('tpl.ends')}
            name="ends"
            value={ends}
            onInput={setEnds}
            maxLength={5}
            error={first === undefined || last === undefined ? w('tpl.clock') : undefined}
          />
          <Field
            label={w('tpl.minutes')}
            name="minutes"
            value={minutes}
            onInput={setMinutes}
            inputMode="numeric"
            maxLength={3}
          />
          <Field label={w('tpl.fee')} name="fee" value={fee} onInput={setFee} inputMode="decimal" maxLength={7} />
          <Select
            label={w('tpl.mode')}
            value={mode}
            options={[
              { value: 'online', label: w('mode.online') },
              { value: 'on_site', label: w('mode.on_site') },
            ]}
            onChange={setMode}
          />
          <Select
            label={w('tpl.purpose')}
            value={purpose}
            options={[
              { value: 'visit', label: w('purpose.visit') },
              { value: 'duty', label: w('purpose.duty') },
            ]}
            onChange={setPurpose}
          />
          <Select
            label={w('tpl.department')}
            value={where}
            options={departments.map((value) => ({ value, label: value }))}
            onChange={setDepartment}
          />
          <Select
            label={w('tpl.every')}
            value={every}
            options={(['1', '2'] as const).map((value) => ({ value, label: w(`tpl.every.${value}`) }))}
            onChange={setEvery}
          />
          <Field
            label={w('tpl.since')}
            name="since"
            type="date"
            value={since}
            onInput={setSince}
            hint={every === '2' ? w('tpl.every.hint') : undefined}
          />
        </div>
        <p class="hint">{w('tpl.duty')}</p>
        {departments.length === 0 && <Notice tone="warn" title={w('tpl.nodept')} />}
        <ProblemNote problem={deed.problem} />
        <div class="row">
          <Button look="primary" type="submit" busy={deed.busy} disabled={!usable} test="add-template">
            {w('tpl.save')}
          </Button>
        </div>
      </form>
    </section>
  )
}

function Publishing({ doctor, onDone }: { doctor: string; onDone: () => void }) {
  const deed = useDeed()
  const once = useOnce()
  const [from, setFrom] = useState(isoDay(new Date()))
  const [weeks, setWeeks] = useState<'1' | '2' | '4' | '8'>('2')
  const [result, setResult] = useState<{ dry: boolean; of: Published }>()
  const publish = (dry: boolean) =>
    void deed.run(async () => {
      const body = { from, days: Number(weeks) * 7, dry_run: dry }
      // A look is asked anew each time; the deed keeps its key until something changes.
      const done = await post<Published>(`/rosters/${doctor}/publish`, body, dry ? undefined : once([body, result]))
      setResult({ dry, of: done })
      if (!dry) onDone()
    })
  const refused = result?.of.sessions.filter((one) => one.outcome === 'refused') ?? []
  const count = (outcome: string) => result?.of.sessions.filter((one) => one.outcome === outcome).length ?? 0
  return (
    <section class="card" data-test="publish">
      <h2>{w('pub.title')}</h2>
      <p class="meta">{w('pub.lead')}</p>
      <div class="two">
        <Field label={w('pub.from')} name="publish-from" type="date" value={from} onInput={setFrom} />
        <Select
          label={w('pub.weeks')}
          value={weeks}
          options={(['1', '2', '4', '8'] as const).map((value) => ({ value, label: value }))}
          onChange={setWeeks}
        />
      </div>
      <ProblemNote problem={deed.problem} />
      <div class="row">
        <Button busy={deed.busy} onPress={() => publish(true)} test="publish-try">
          {w('pub.try')}
        </Button>
        <Button look="primary" busy={deed.busy} onPress={() => publish(false)} test="publish-go">
          {w('pub.go')}
        </Button>
      </div>
      {result && (
        <div role="status" class="stack" data-test="published" data-slots={result.of.slots}>
          <Notice
            tone={refused.length > 0 ? 'warn' : 'ok'}
            title={w(result.dry ? 'pub.would' : 'pub.done', { n: result.of.slots })}
          >
            {[
              refused.length > 0 && w('pub.refused', { n: refused.length }),
              count('already') > 0 && w('pub.already', { n: count('already') }),
              count('off') > 0 && w('pub.off', { n: count('off') }),
            ]
              .filter(Boolean)
              .join(' · ')}
          </Notice>
          <ul class="bare">
            {refused.map((one) => (
              <li key={`${one.template_id} ${one.day}`} data-test="refused">
                <b>
                  {moment(one.start)}-{clock(one.end)}
                </b>{' '}
                {one.institution.name}
                <br />
                {one.reason && pick(one.reason)}
              </li>
            ))}
          </ul>
        </div>
      )}
    </section>
  )
}

function Sick({
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

function Late({ doctor, places }: { doctor: string; places: Registration[] }) {
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

function DayOff({ doctor, list, onDone }: { doctor: string; list: RosterView['exceptions']; onDone: () => void }) {
  const deed = useDeed()
  const once = useOnce()
  const [on, setOn] = useState(addDays(isoDay(new Date()), 1))
  const own = Boolean(me().practitioner_id)
  const place = me().roles[0]?.place.id
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
              const body = { day: on, ...(own || !place ? {} : { institution_id: place }) }
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
                {(own || one.institution.id) && (
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

function Spreadsheet({ doctor, places, onDone }: { doctor: string; places: Registration[]; onDone: () => void }) {
  const deed = useDeed()
  const once = useOnce()
  const [place, setPlace] = useState(places[0]?.institution.id ?? '')
  const [file, setFile] = useState<string>()
  const [result, setResult] = useState<{ dry: boolean; of: RosterImport }>()
  const send = (content: string, dry: boolean) =>
    void deed.run(async () => {
      const body = { file: content, dry_run: dry }
      const done = await post<RosterImport>(`/rosters/${doctor}/csv/${place}`, body, dry ? undefined : once(body))
      setResult({ dry, of: done })
      if (!dry) {
        setFile(undefined)
        onDone()
      }
    })
  const input = `csv-${doctor}`
  return (
    <section class="card" data-test="spreadsheet">
      <h2>{w('file.title')}</h2>
      <Select
        label={w('tpl.place')}
        value={place}
        options={places.map((one) => ({ value: one.institution.id, label: one.institution.name }))}
        onChange={setPlace}
      />
      <a href={`/api/v1/rosters/${doctor}/csv/${place}`} download="roster.csv">
        {w('file.out')}
      </a>
      <div class="field">
        <label for={input}>{w('file.in')}</label>
        <p class="hint">{w('file.hint')}</p>
        <input
          id={input}
          type="file"
          accept=".csv,text/csv"
          onChange={(event) => {
            const chosen = event.currentTarget.files?.[0]
            if (chosen)
              void base64(chosen).then((content) => {
                setFile(content)
                send(content, true)
              })
          }}
        />
      </div>
      <ProblemNote problem={deed.problem} />
      {result && (
        <div role="status" class="stack">
          {result.of.errors.length > 0 ? (
            <Notice tone="danger" title={w('file.bad', { n: result.of.errors.length })} />
          ) : (
            <Notice
              tone="ok"
              title={result.dry ? w('file.would', { rows: result.of.rows }) : w('file.done', { n: result.of.added })}
            />
          )}
          <ul class="bare">
            {result.of.errors.map((one) => (
              <li key={one.line}>{w('file.line', { line: one.line, why: pick(one.reason) })}</li>
            ))}
          </ul>
        </div>
      )}
      {file && result?.dry && result.of.errors.length === 0 && (
        <Button look="primary" busy={deed.busy} onPress={() => send(file, false)}>
          {w('file.go')}
        </Button>
      )}
    </section>
  )
}

function Feed() {
  const deed = useDeed()
  const [path, setPath] = useState<string>()
  const [closed, setClosed] = useState(false)
  return (
    <section class="card">
      <h2>{w('feed.title')}</h2>
      <p class="meta">{w('feed.lead')}</p>
      <ProblemNote problem={deed.problem} />
      <div class="row">
        <Button
          busy={deed.busy}
          onPress={() =>
            void deed.run(async () => {
              setPath((await post<{ path: string }>('/calendar-feed')).path)
              setClosed(false)
            })
          }
          test="feed-open"
        >
          {w('feed.open')}
        </Button>
        <Button
          look="quiet"
          busy={deed.busy}
          onPress={() =>
            void deed.run(async () => {
              await call<void>('DELETE', '/calendar-feed')
              setPath(undefined)
              setClosed(true)
            })
          }
          test="feed-close"
        >
          {w('feed.close')}
        </Button>
      </div>
      {path && (
        <div role="status">
          <p>{w('feed.address')}</p>
          <code class="hash" data-test="feed">
            {location.origin + path}
          </code>
        </div>
      )}
      {closed && <p role="status">{w('feed.closed')}</p>}
    </section>
  )
}
