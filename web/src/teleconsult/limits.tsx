// How long the hospital gives itself for consults and readings: set by its administrator, in versions. The server says what makes
// no sense.
import { useState } from 'preact/hooks'
import { get, put } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import type { Limit, Limits } from '../api/types/teleconsult'
import { moment } from '../i18n/format'
import { Button, Field, Loading, Notice, ProblemNote, Select, useTitle } from '../ui/parts'
import { shown, type Unit, units, whole } from './limit_spans'
import { consultKinds } from './request'
import { w } from './words'

export function LimitsPage() {
  const list = useResource('consult-limits', (signal) => get<Limits[]>('/consult-limits', signal))
  useTitle(w('lm.title'))
  return (
    <main class="column paper" id="content" data-test="limits">
      <h1>{w('lm.title')}</h1>
      <p class="meta">{w('lm.lead')}</p>
      <ProblemNote problem={list.problem} again={list.refresh} />
      {!list.value && !list.problem && <Loading />}
      {list.value?.length === 0 && <p>{w('lm.none')}</p>}
      {list.value?.map((one) => (
        <Setting
          key={`${one.place.id} ${one.version}`}
          one={one}
          onSet={(next) => list.set((list.value ?? []).map((each) => (each.place.id === next.place.id ? next : each)))}
        />
      ))}
    </main>
  )
}

function Setting({ one, onSet }: { one: Limits; onSet: (next: Limits) => void }) {
  const [limits, setLimits] = useState(one.limits)
  const [reason, setReason] = useState('')
  const [fill, setFill] = useState(0) // fields are begun anew with what was filled in
  const deed = useDeed()
  const change = (next: Limit) =>
    setLimits((now) => now.map((each) => (each.kind === next.kind && each.urgency === next.urgency ? next : each)))
  const changed = JSON.stringify(limits) !== JSON.stringify(one.limits)
  return (
    <form
      class="stack"
      aria-label={one.place.name}
      onSubmit={(event) => {
        event.preventDefault()
        void deed.run(async () =>
          onSet(
            await put<Limits>(`/consult-limits/${one.place.id}`, {
              version: one.version,
              reason: reason.trim(),
              limits,
            }),
          ),
        )
      }}
    >
      <h2>{one.place.name}</h2>
      {one.version === 0 ? (
        <Notice tone="info" title={w('lm.customary')} />
      ) : (
        <Notice tone="info" title={w('lm.version', { n: one.version })} />
      )}
      {consultKinds.map((kind) => (
        <section key={`${kind} ${fill}`} class="card stack">
          <h3>{w(`kind.${kind}`)}</h3>
          {limits
            .filter((each) => each.kind === kind)
            .map((limit) => (
              <fieldset key={limit.urgency} class="tight" data-test={`limit-${kind}-${limit.urgency}`}>
                <legend>{w(`urgency.${limit.urgency}`)}</legend>
                <div class="two">
                  <Span
                    label={w('lm.arrange')}
                    minutes={limit.arrange_min}
                    days={0}
                    onChange={(arrange_min) => change({ ...limit, arrange_min })}
                  />
                  <Span
                    label={w('lm.finish')}
                    minutes={limit.finish_min}
                    days={limit.finish_days}
                    working={limit.urgency !== 'emergency'}
                    onChange={(finish_min, finish_days) => change({ ...limit, finish_min, finish_days })}
                  />
                </div>
              </fieldset>
            ))}
        </section>
      ))}
      <ProblemNote problem={deed.problem} />
      <Field label={w('lm.reason')} name="limits_reason" value={reason} onInput={setReason} maxLength={500} />
      <div class="row">
        <Button
          look="primary"
          type="submit"
          busy={deed.busy}
          disabled={!changed || reason.trim().length < 2}
          test="set-limits"
        >
          {w('lm.save')}
        </Button>
        <Button
          look="quiet"
          onPress={() => {
            setLimits(one.customary)
            setFill((n) => n + 1)
          }}
        >
          {w('lm.back')}
        </Button>
      </div>
      {one.history.length > 0 && (
        <details data-test="limits-history">
          <summary>{w('lm.history')}</summary>
          <ol class="bare tight">
            {one.history.map((each) => (
              <li key={each.version}>
                {w('lm.was', { n: each.version, by: each.by, at: moment(each.at), why: each.reason })}
              </li>
            ))}
          </ol>
        </details>
      )}
    </form>
  )
}

/** A number and its unit; what is stored is minutes, or working days. */
function Span({
  label,
  minutes,
  days,
  working = false,
  onChange,
}: {
  label: string
  minutes: number
  days: number
  working?: boolean
  onChange: (minutes: number, days: number) => void
}) {
  const now = shown(minutes, days)
  const [unit, setUnit] = useState<Unit>(now.unit)
  const [text, setText] = useState(String(now.n))
  const say = (value: string, of: Unit) => {
    setText(value)
    setUnit(of)
    onChange(...whole(value, of))
  }
  return (
    <div class="two">
      <Field label={label} value={text} inputMode="numeric" onInput={(value) => say(value, unit)} maxLength={5} />
      <Select
        label={w('lm.unit')}
        value={unit}
        options={units
          .filter((each) => working || each !== 'workday')
          .map((value) => ({ value, label: w(`lm.${value}`) }))}
        onChange={(value) => say(text, value)}
      />
    </div>
  )
}
