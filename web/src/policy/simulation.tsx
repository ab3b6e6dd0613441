// What a replay of past decisions has found: how many, where, and cases to open.
import { useState } from 'preact/hooks'
import type { Policy, Shift } from '../api/types/policy'
import { moment } from '../i18n/format'
import { Button, Select } from '../ui/parts'
import { w } from './words'

export const spans = [30, 90, 180, 366] as const

type SimulationProps = {
  simulation: Policy['simulation']
  busy: boolean
  /** Absent where nothing may be simulated any more. */
  onGo: ((days: number) => void) | undefined
}

export function Simulation({ simulation, busy, onGo }: SimulationProps) {
  const [days, setDays] = useState('90')
  if (!simulation && !onGo) return null
  return (
    <section class="card" data-test="simulation">
      <h2>{w('sim.title')}</h2>
      <p class="meta">{w('sim.lead')}</p>
      {onGo && (
        <div class="row">
          <Select
            label={w('sim.days')}
            value={days}
            options={spans.map((n) => ({ value: String(n), label: w('sim.days.n', { n }) }))}
            onChange={setDays}
          />
          <Button
            look={simulation ? 'plain' : 'primary'}
            busy={busy}
            onPress={() => onGo(Number(days))}
            test="simulate"
          >
            {w('sim.go')}
          </Button>
        </div>
      )}
      {simulation && <Found simulation={simulation} />}
    </section>
  )
}

export function Found({ simulation }: { simulation: NonNullable<Policy['simulation']> }) {
  const { result } = simulation
  const figures = (['passes', 'fails', 'other', 'same', 'unusable'] as const).filter(
    (name) => name !== 'unusable' || result.unusable > 0,
  )
  return (
    <>
      <p class="meta">
        {w('sim.done', {
          days: simulation.days,
          judged: result.judged,
          ms: simulation.took_ms,
          set: simulation.rule_set,
        })}
        {' · '}
        {w('sim.who', { name: simulation.by || w('pol.operator'), at: moment(simulation.at) })}
      </p>
      <dl class="figures" data-test="simulated">
        {figures.map((name) => (
          <div key={name}>
            <dt>{w(`sim.${name}`)}</dt>
            <dd class="figure" data-test={`sim-${name}`}>
              {result[name]}
            </dd>
          </div>
        ))}
      </dl>
      {result.passes + result.fails + result.other === 0 && <p>{w('sim.nothing')}</p>}
      <Groups name={w('sim.disease')} shifts={result.diseases} />
      <Groups name={w('sim.county')} shifts={result.counties} />
      <Groups
        name={w('sim.doctor')}
        shifts={result.doctors.map((one) => ({ ...one, key: simulation.doctors[one.key] ?? '' }))}
      />
      {result.examples.length > 0 && (
        <>
          <h3>{w('sim.examples')}</h3>
          <ul class="tight">
            {result.examples.map((one) => (
              <li key={one.decision}>
                <a href={`/staff/decisions/${one.decision}`}>
                  {w('sim.example', { disease: one.disease || '—', age: one.age, county: one.county || '—' })}
                </a>{' '}
                {w(`v.${one.before.verdict}`)} {one.before.reasons.join(' ')} → {w(`v.${one.after.verdict}`)}{' '}
                {one.after.reasons.join(' ')}
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  )
}

function Groups({ name, shifts }: { name: string; shifts: Shift[] }) {
  if (shifts.length === 0) return null
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{name}</th>
          <th scope="col">{w('sim.passes')}</th>
          <th scope="col">{w('sim.fails')}</th>
        </tr>
      </thead>
      <tbody>
        {shifts.slice(0, 10).map((one) => (
          <tr key={one.key}>
            <th scope="row">{one.key || w('sim.unknown')}</th>
            <td>{one.passes}</td>
            <td>{one.fails}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
