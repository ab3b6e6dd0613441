// How long a prescription may wait for review, and who is asked then. Time never approves.
import { useState } from 'preact/hooks'
import { get, put } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import type { ReviewLimits } from '../api/types/prescribe'
import { Button, Field, Loading, Notice, ProblemNote, Select } from '../ui/parts'
import { w } from './desk_words'

export function Limits() {
  const all = useResource('limits', (signal) => get<ReviewLimits[]>('/review/limits', signal))
  return (
    <section class="stack" data-test="limits">
      <h2>{w('limit.title')}</h2>
      <p class="meta">{w('limit.say')}</p>
      {!all.value && (all.problem ? <ProblemNote problem={all.problem} again={all.refresh} /> : <Loading />)}
      {all.value?.map((one) => (
        <Place key={one.institution_id} limits={one} />
      ))}
    </section>
  )
}

const digits = (text: string) => Number(text.replace(/\D/g, '').slice(0, 3))

function Place({ limits }: { limits: ReviewLimits }) {
  const [set, setSet] = useState(limits)
  const [saved, setSaved] = useState(false)
  const deed = useDeed()
  const change = (to: Partial<ReviewLimits>) => {
    setSet({ ...set, ...to })
    setSaved(false)
  }
  return (
    <form
      class="card stack"
      onSubmit={(event) => {
        event.preventDefault()
        void deed.run(async () => {
          const { day_minutes, night_minutes, pharmacists } = set
          const body = { day_minutes, night_minutes, pharmacists: pharmacists.map(({ id, step }) => ({ id, step })) }
          setSet(await put<ReviewLimits>(`/review/limits/${set.institution_id}`, body))
          setSaved(true)
        })
      }}
    >
      <b>{set.institution}</b>
      <ProblemNote problem={deed.problem} />
      <div class="two">
        <Field
          label={w('limit.day')}
          name="day_minutes"
          inputMode="numeric"
          unit={w('limit.minutes')}
          value={String(set.day_minutes || '')}
          onInput={(v) => change({ day_minutes: digits(v) })}
        />
        <Field
          label={w('limit.night')}
          name="night_minutes"
          inputMode="numeric"
          unit={w('limit.minutes')}
          value={String(set.night_minutes || '')}
          onInput={(v) => change({ night_minutes: digits(v) })}
        />
      </div>
      {set.pharmacists.map((one) => (
        <Select
          key={one.id}
          label={`${one.name} ${one.title}`}
          value={String(one.step) as '0' | '1' | '2'}
          options={(['0', '1', '2'] as const).map((value) => ({ value, label: w(`limit.step.${value}`) }))}
          onChange={(step) =>
            change({
              pharmacists: set.pharmacists.map((p) =>
                p.id === one.id ? { ...p, step: Number(step) as 0 | 1 | 2 } : p,
              ),
            })
          }
        />
      ))}
      {saved && <Notice tone="ok" live title={w('limit.saved')} />}
      <div class="row">
        <Button
          look="primary"
          type="submit"
          busy={deed.busy}
          disabled={set.day_minutes < 1 || set.night_minutes < 1}
          test="save-limits"
        >
          {w('limit.save')}
        </Button>
      </div>
    </form>
  )
}
