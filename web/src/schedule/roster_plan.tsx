// What comes round each week, and what of it is published.
import { useState } from 'preact/hooks'
import { post } from '../api/client'
import { useDeed, useOnce } from '../api/resource'
import type { Cleared, Published, Registration, Template } from '../api/types/schedule'
import { clock, isoDay, moment, yuan } from '../i18n/format'
import { pick } from '../i18n/i18n'
import { Button, Field, Notice, ProblemNote, Select } from '../ui/parts'
import { clockOf, minutesOf } from './week'
import { w } from './words'

type Weekday = '1' | '2' | '3' | '4' | '5' | '6' | '7'
const weekdays: readonly Weekday[] = ['1', '2', '3', '4', '5', '6', '7']

export function Templates({
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

export function Publishing({ doctor, onDone }: { doctor: string; onDone: () => void }) {
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
