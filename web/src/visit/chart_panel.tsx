// The patient beside the picture: allergies first, then measurements, medicines, history, evidence.
import type { Chart } from '../api/types/visit'
import { w as booking } from '../booking/words'
import { day } from '../i18n/format'
import { pick } from '../i18n/i18n'
import { Icon } from '../ui/icons'
import { Measure, type Reading } from '../ui/measure'
import { w } from './desk_words'

export function ChartPanel({ chart }: { chart: Chart }) {
  return (
    <section class="stack" data-test="chart">
      <div class={`banner${chart.allergies.length === 0 ? ' none' : ''}`}>
        <Icon name={chart.allergies.length === 0 ? 'info' : 'warn'} />
        <span>
          {chart.allergies.length === 0
            ? w('chart.noallergies')
            : w('chart.allergies', {
                list: chart.allergies
                  .map(({ name, reaction }) => `${pick(name)}${reaction ? `（${reaction}）` : ''}`)
                  .join('、'),
              })}
        </span>
      </div>
      <p class="meta">
        {chart.person.id_masked}
        {chart.person.weight_kg ? ` · ${w('chart.weight', { n: chart.person.weight_kg })}` : ''}
        {chart.conditions.length > 0 &&
          ` · ${chart.conditions.map(({ icd10, name }) => `${icd10} ${name}`).join('、')}`}
      </p>
      <section class="tight">
        <h3>{w('chart.measures')}</h3>
        {chart.observations.length === 0 && <span class="meta">{w('chart.nomeasures')}</span>}
        {byKind(chart.observations).map(({ kind, name, unit, low, high, readings }) => (
          <Measure key={kind} name={name} unit={unit} low={low} high={high} readings={readings} />
        ))}
      </section>
      <section class="tight">
        <h3>{w('chart.medicines')}</h3>
        {chart.medicines.length === 0 && <span class="meta">{w('chart.nomedicines')}</span>}
        {chart.medicines.map((medicine) => (
          <span key={medicine.ingredient}>
            {pick(medicine.name)} <span class="nowrap">{`${medicine.daily_dose} ${medicine.unit}/d`}</span>{' '}
            <span class="meta">{w('chart.left', { n: medicine.remaining_days })}</span>
          </span>
        ))}
      </section>
      {chart.evidence.length > 0 && (
        <section class="tight">
          <h3>{w('chart.evidence')}</h3>
          {chart.evidence.map((one) =>
            one.origin === 'upload' ? (
              <a key={one.id} href={`/api/v1/evidence/${one.id}/file`} target="_blank" rel="noreferrer">
                {one.icd10} {one.institution_name} {day(one.dx_date)} · {booking(`ver.${one.verify}`)}
              </a>
            ) : (
              <span key={one.id + one.icd10} data-test="found-record">
                {one.icd10} {one.institution_name} {day(one.dx_date)} {one.doctor}{' '}
                <span class="meta">{booking(`from.${one.origin}`)}</span>
              </span>
            ),
          )}
        </section>
      )}
    </section>
  )
}

type Series = {
  kind: string
  name: string
  unit: string
  low?: number | undefined
  high?: number | undefined
  readings: Reading[]
}

/** One row a kind of measurement, with all its readings. */
export function byKind(observations: Chart['observations']): Series[] {
  const kinds = new Map<string, Series>()
  for (const { kind, name, unit, low, high, value, at } of observations) {
    const series = kinds.get(kind) ?? { kind, name: pick(name), unit, low, high, readings: [] }
    series.readings.push({ value, at })
    kinds.set(kind, series)
  }
  return [...kinds.values()]
}
