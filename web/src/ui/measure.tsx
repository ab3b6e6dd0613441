// A number with its history: line on a true time axis, value, unit, range, date.
import { isoDay } from '../i18n/format'

export type Reading = { value: number; at: string }

export function Measure({
  name,
  unit,
  low,
  high,
  readings,
}: {
  name: string
  unit: string
  low?: number | undefined
  high?: number | undefined
  readings: Reading[]
}) {
  const sorted = [...readings].sort((a, b) => a.at.localeCompare(b.at))
  const last = sorted.at(-1)
  if (!last) return null
  const over = high !== undefined && last.value > high
  const under = low !== undefined && last.value < low
  const range =
    low !== undefined && high !== undefined
      ? `${low}-${high}`
      : high !== undefined
        ? `≤${high}`
        : low !== undefined
          ? `≥${low}`
          : ''
  return (
    <div class="measure">
      <span>{name}</span>
      <Spark readings={sorted} low={low} high={high} out={over || under} />
      <b class={over || under ? 'out' : ''}>
        {over ? '↑' : under ? '↓' : ''}
        {last.value}
      </b>
      <span class="meta nowrap">
        {unit} {range && `(${range})`} {isoDay(last.at).slice(5)}
      </span>
    </div>
  )
}

const width = 120
const height = 28

/** Where each reading stands: time across, value up. */
export function places(
  readings: readonly Reading[],
  low: number | undefined,
  high: number | undefined,
): { x: number; y: number }[] {
  const times = readings.map(({ at }) => Date.parse(at))
  const values = [
    ...readings.map(({ value }) => value),
    ...(low === undefined ? [] : [low]),
    ...(high === undefined ? [] : [high]),
  ]
  const [from, to] = [Math.min(...times), Math.max(...times)]
  const [least, most] = [Math.min(...values), Math.max(...values)]
  return readings.map(({ value }, index) => ({
    x: to === from ? width - 4 : 4 + (((times[index] ?? 0) - from) / (to - from)) * (width - 8),
    y: most === least ? height / 2 : height - 4 - ((value - least) / (most - least)) * (height - 8),
  }))
}

function Spark({
  readings,
  low,
  high,
  out,
}: {
  readings: Reading[]
  low: number | undefined
  high: number | undefined
  out: boolean
}) {
  const dots = places(readings, low, high)
  const end = dots.at(-1)
  return (
    <svg class="spark" viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
      {dots.length > 1 && <path d={`M${dots.map(({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`).join('L')}`} />}
      {end && <circle cx={end.x} cy={end.y} r="3" class={out ? 'out' : ''} />}
    </svg>
  )
}
