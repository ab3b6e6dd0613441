// Where doctors may work: the doctor files, the hospital's administrator confirms; what ends soon stands on top.
import { useState } from 'preact/hooks'
import { get, post, put, query } from '../api/client'
import { useDeed, useOnce, useResource } from '../api/resource'
import { me } from '../api/session'
import type { Institution } from '../api/types/common'
import type { Cleared, Filing, NewFiling, Registration, RegistrationKind } from '../api/types/schedule'
import { isoDay } from '../i18n/format'
import { useHospital } from '../ui/hospital'
import { Button, Dialog, Field, Loading, Notice, ProblemNote, Select, useTitle } from '../ui/parts'
import { addDays, base64, soon, verySoon } from './week'
import { w } from './words'

const kinds: readonly RegistrationKind[] = ['filed', 'registered', 'primary']

export function RegistrationsPage() {
  const registrations = useResource('registrations', (signal) => get<Registration[]>('/registrations', signal), [
    'filing.changed',
  ])
  const filings = useResource('filings', (signal) => get<Filing[]>('/filings', signal), ['filing.changed'])
  const doctor = Boolean(me().practitioner_id)
  const hospital = useHospital('administrator', 'coordinator')
  const settles = me().roles.some(({ role }) => role === 'administrator')
  const again = () => {
    registrations.refresh()
    filings.refresh()
  }
  useTitle(w('reg.title'))
  const here = <T extends { institution: { id: string } }>(all: T[] | undefined) =>
    (all ?? []).filter(({ institution }) => doctor || institution.id === hospital.id)
  const list = here(registrations.value).sort((a, b) => a.days_left - b.days_left)
  const open = here(filings.value).filter((one) => one.state === 'submitted')
  const past = here(filings.value).filter((one) => one.state !== 'submitted')
  return (
    <main class="column paper roster" id="content">
      <h1>{w('reg.title')}</h1>
      {!doctor && hospital.chooser}
      <ProblemNote problem={registrations.problem ?? filings.problem} again={again} />
      {!registrations.value && !registrations.problem && <Loading />}
      <div class="roster-tools">
        {open.length > 0 && (
          <section class="card">
            <h2>{w('fil.open')}</h2>
            {open.map((one) => (
              <OpenFiling key={one.id} filing={one} settles={settles} onDone={again} />
            ))}
          </section>
        )}
        <section class="card" data-test="registrations">
          <h2>{w(doctor ? 'reg.mine' : 'reg.here')}</h2>
          {registrations.value && list.length === 0 && <p class="meta">{w('reg.none')}</p>}
          {list.map((one) => (
            <OneRegistration key={one.id} one={one} ends={settles} onDone={again} />
          ))}
        </section>
        {doctor && <NewFilingForm onDone={again} />}
        {settles && <Holidays key={hospital.id} place={hospital.id} />}
        {past.length > 0 && (
          <section class="card">
            <h2>{w('fil.past')}</h2>
            <ul class="bare">
              {past.map((one) => (
                <li key={one.id}>
                  <span class={`tag ${one.state === 'confirmed' ? 'ok' : one.state === 'refused' ? 'danger' : ''}`}>
                    {w(`fil.state.${one.state}`)}
                  </span>{' '}
                  {one.doctor.name} · {one.institution.name} · {w('fil.span', one)}
                  {one.note && ` · ${one.note}`}
                </li>
              ))}
            </ul>
          </section>
        )}
      </div>
    </main>
  )
}

function OpenFiling({ filing, settles, onDone }: { filing: Filing; settles: boolean; onDone: () => void }) {
  const deed = useDeed()
  const once = useOnce()
  const [note, setNote] = useState('')
  const settle = (result: 'confirmed' | 'refused') =>
    void deed.run(async () => {
      const body = { result, note: note.trim() }
      await post<Filing>(`/filings/${filing.id}/settle`, body, once([filing.id, body]))
      onDone()
    })
  return (
    <div class="stack" data-test="filing">
      <b>
        {filing.doctor.name} {filing.title} · {filing.institution.name}
      </b>
      <span class="meta">
        {w(`kind.${filing.kind}`)} · {w('fil.span', filing)} · {w('reg.way', { n: filing.way_min })} · {filing.level}
      </span>
      <a href={`/api/v1/filings/${filing.id}/document`} target="_blank" rel="noreferrer">
        {w('fil.see')}（{filing.file_name}）
      </a>
      <ProblemNote problem={deed.problem} />
      {settles ? (
        <>
          <Field label={w('fil.why')} value={note} onInput={setNote} maxLength={500} />
          <div class="row">
            <Button look="primary" icon="check" busy={deed.busy} onPress={() => settle('confirmed')} test="confirm">
              {w('fil.yes')}
            </Button>
            <Button
              look="danger"
              busy={deed.busy}
              disabled={note.trim() === ''}
              onPress={() => settle('refused')}
              test="refuse"
            >
              {w('fil.no')}
            </Button>
          </div>
        </>
      ) : (
        me().practitioner_id === filing.doctor.id && (
          <div class="row">
            <Button
              look="quiet"
              busy={deed.busy}
              onPress={() =>
                void deed.run(async () => {
                  await post<Filing>(`/filings/${filing.id}/withdraw`, {}, once([filing.id, 'withdraw']))
                  onDone()
                })
              }
            >
              {w('fil.back')}
            </Button>
          </div>
        )
      )}
    </div>
  )
}

function OneRegistration({ one, ends, onDone }: { one: Registration; ends: boolean; onDone: () => void }) {
  const deed = useDeed()
  const once = useOnce()
  const [asking, setAsking] = useState(false)
  const [last, setLast] = useState(isoDay(new Date()))
  const [why, setWhy] = useState('')
  const [done, setDone] = useState<Cleared>()
  return (
    <div class="stack" data-test="registration">
      <div class="top">
        <b>
          {one.doctor.name} · {one.institution.name}
        </b>
        <span class="tag">{w(`kind.${one.kind}`)}</span>
      </div>
      <span class="row">
        <span class="meta">
          {one.days_left < 0
            ? w('reg.ended', { day: one.until })
            : w('reg.until', { day: one.until, n: one.days_left })}
          {one.kind !== 'primary' && ` · ${w('reg.way', { n: one.way_min })}`}
        </span>
        {one.days_left >= 0 && one.days_left <= soon && (
          <span class={`tag ${one.days_left <= verySoon ? 'danger' : 'warn'}`}>
            {w('reg.soon', { n: one.days_left <= verySoon ? verySoon : soon })}
          </span>
        )}
        {ends && one.days_left >= 0 && (
          <Button look="quiet" onPress={() => setAsking(true)}>
            {w('reg.end')}
          </Button>
        )}
      </span>
      {done && <Notice tone="ok" live title={w('sick.done', { slots: done.slots, visits: done.visits.length })} />}
      {asking && (
        <Dialog title={w('reg.end')} onClose={() => setAsking(false)}>
          <form
            class="stack"
            onSubmit={(event) => {
              event.preventDefault()
              void deed.run(async () => {
                const body = { last_day: last, reason: why.trim() }
                setDone(await post<Cleared>(`/registrations/${one.id}/end`, body, once([one.id, body])))
                setAsking(false)
                onDone()
              })
            }}
          >
            <p>{w('reg.end.lead')}</p>
            <Field label={w('reg.end.day')} type="date" value={last} onInput={setLast} max={one.until} />
            <Field label={w('reg.end.why')} value={why} onInput={setWhy} maxLength={200} />
            <ProblemNote problem={deed.problem} />
            <Button look="danger" type="submit" busy={deed.busy} disabled={why.trim() === ''}>
              {w('reg.end')}
            </Button>
          </form>
        </Dialog>
      )}
    </div>
  )
}

function NewFilingForm({ onDone }: { onDone: () => void }) {
  const deed = useDeed()
  const once = useOnce()
  const hospitals = useResource('institutions', (signal) => get<Institution[]>('/institutions', signal))
  const [place, setPlace] = useState('')
  const [kind, setKind] = useState<RegistrationKind>('filed')
  const [from, setFrom] = useState(isoDay(new Date()))
  const [until, setUntil] = useState(addDays(isoDay(new Date()), 365))
  const [way, setWay] = useState('30')
  const [paper, setPaper] = useState<File>()
  const chosen = place || hospitals.value?.[0]?.id || ''
  return (
    <section class="card">
      <h2>{w('fil.new')}</h2>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          void deed.run(async () => {
            if (!paper) return
            const body: NewFiling = {
              institution_id: chosen,
              kind,
              from,
              until,
              way_min: Number(way),
              file_name: paper.name,
              document: await base64(paper),
            }
            await post<Filing>('/filings', body, once(body))
            onDone()
          })
        }}
      >
        <div class="two">
          <Select
            label={w('fil.place')}
            value={chosen}
            options={(hospitals.value ?? []).map((one) => ({ value: one.id, label: one.name }))}
            onChange={setPlace}
          />
          <Select
            label={w('fil.kind')}
            value={kind}
            options={kinds.map((value) => ({ value, label: w(`kind.${value}`) }))}
            onChange={setKind}
          />
          <Field label={w('fil.from')} name="filing-from" type="date" value={from} onInput={setFrom} />
          <Field label={w('fil.until')} name="filing-until" type="date" value={until} onInput={setUntil} />
          <Field label={w('fil.way')} name="way" value={way} onInput={setWay} inputMode="numeric" maxLength={3} />
        </div>
        <div class="field">
          <label for="filing-paper">{w('fil.paper')}</label>
          <input
            id="filing-paper"
            type="file"
            accept="image/jpeg,image/png,application/pdf"
            onChange={(event) => setPaper(event.currentTarget.files?.[0])}
          />
        </div>
        <ProblemNote problem={deed.problem} />
        <div class="row">
          <Button
            look="primary"
            type="submit"
            busy={deed.busy}
            disabled={!paper || chosen === '' || !(Number(way) >= 15)}
            test="file"
          >
            {w('fil.send')}
          </Button>
        </div>
      </form>
    </section>
  )
}

type DayKind = 'holiday' | 'workday' | 'ordinary'
type CalendarDay = { day: string; kind: DayKind; follows: number; name: string }
const dayKinds: readonly DayKind[] = ['holiday', 'workday', 'ordinary']
const weekdays = ['1', '2', '3', '4', '5', '6', '7'] as const

function Holidays({ place }: { place: string }) {
  const year = Number(isoDay(new Date()).slice(0, 4))
  const [of, setOf] = useState(String(year))
  const days = useResource(`calendar ${place} ${of}`, (signal) =>
    get<CalendarDay[]>(`/institutions/${place}/calendar${query({ year: of })}`, signal),
  )
  const deed = useDeed()
  const [on, setOn] = useState(isoDay(new Date()))
  const [kind, setKind] = useState<DayKind>('holiday')
  const [follows, setFollows] = useState<(typeof weekdays)[number]>('1')
  const [name, setName] = useState('')
  return (
    <section class="card">
      <h2>{w('cal.title')}</h2>
      <p class="meta">{w('cal.lead')}</p>
      <Select
        label={w('cal.title')}
        value={of}
        options={[year, year + 1].map((value) => ({ value: String(value), label: String(value) }))}
        onChange={setOf}
      />
      <details>
        <summary>{w('cal.list', { n: days.value?.length ?? 0 })}</summary>
        <ul class="bare">
          {days.value?.map((one) => (
            <li key={one.day}>
              {one.day} <span class={`tag ${one.kind === 'holiday' ? 'warn' : 'info'}`}>{w(`cal.${one.kind}`)}</span>{' '}
              {one.name}
            </li>
          ))}
        </ul>
      </details>
      <div class="two">
        <Field label={w('off.day')} type="date" value={on} onInput={setOn} />
        <Select
          label={w('cal.kind')}
          value={kind}
          options={dayKinds.map((value) => ({ value, label: w(`cal.${value}`) }))}
          onChange={setKind}
        />
        {kind === 'workday' && (
          <Select
            label={w('cal.follows')}
            value={follows}
            options={weekdays.map((value) => ({ value, label: w(`weekday.${value}`) }))}
            onChange={setFollows}
          />
        )}
        <Field label={w('cal.name')} value={name} onInput={setName} maxLength={50} />
      </div>
      <ProblemNote problem={deed.problem ?? days.problem} />
      <div class="row">
        <Button
          busy={deed.busy}
          onPress={() =>
            void deed.run(async () => {
              await put<void>(`/institutions/${place}/calendar`, {
                day: on,
                kind,
                follows: kind === 'workday' ? Number(follows) : 0,
                name: name.trim(),
              })
              days.refresh()
            })
          }
        >
          {w('cal.set')}
        </Button>
      </div>
    </section>
  )
}
