// Marks drawn over an image, in image coordinates: the same on every screen.
import { useRef } from 'preact/hooks'
import { type Mark, measure, microscopic, type Shape, type Value } from './marks'
import { type Place, type Plane, type Point, type Sight, type Size, scaleOf, toScreen } from './sight'
import { w } from './words'

const digits = (value: number) => value.toFixed(value < 100 ? 1 : 0)

/** On a slide to what a pixel of it is worth. */
function amount(plane: Plane, { value, unit }: Value): string {
  if (!microscopic(plane) || unit === '°') return digits(value)
  return value.toFixed(unit === 'µm' ? 1 : unit === 'µm²' ? 0 : 3)
}

/** What a shape says in words: its measure, what lies inside, the note. */
export function saying(plane: Plane, shape: Pick<Shape, 'tool' | 'points' | 'text' | 'found'>): string[] {
  const value = measure(plane, shape)
  const unit = value && `${amount(plane, value)}${value.unit === '°' ? '' : ' '}${value.unit}`
  const { found } = shape
  return [
    ...(unit ? [value?.what === 'area' ? w('mark.area', { v: unit }) : unit] : []),
    ...(found
      ? [w('mark.mean', { m: digits(found.mean), s: digits(found.sd), u: found.unit ? ` ${found.unit}` : '' })]
      : []),
    ...(shape.text ? [shape.text] : []),
  ]
}

type Drawn = { shape: Shape; mark?: Mark; look: 'mine' | 'theirs' | 'draft'; name?: string }

export function MarksLayer({
  plane,
  size,
  sight,
  drawn,
  chosen,
  onChoose,
  onMoved,
  at,
}: {
  plane: Plane
  size: Size
  sight: Sight
  drawn: readonly Drawn[]
  chosen: string | undefined
  onChoose: (id: string) => void
  /** A point of the chosen mark was moved; `done` when it was let go. */
  onMoved: (mark: Mark, points: Point[], done: boolean) => void
  /** Where in the image an event happened. */
  at: (event: { clientX: number; clientY: number }) => Point
}) {
  const held = useRef<number | undefined>(undefined)
  const put = (point: Point) => toScreen(plane, size, sight, point)
  return (
    <svg class="marks" width={size.width} height={size.height} aria-hidden={drawn.length === 0}>
      <title>{w('mark.title')}</title>
      {drawn.map(({ shape, mark, look, name }, index) => {
        const places = shape.points.map(put)
        const last = places.at(-1)
        const moved = (number: number, point: Point, done: boolean) => {
          if (mark)
            onMoved(
              mark,
              shape.points.map((one, n) => (n === number ? point : one)),
              done,
            )
        }
        return (
          <g
            key={mark?.id ?? `draft-${index}`}
            class={`mark ${look}${mark && mark.id === chosen ? ' chosen' : ''}`}
            data-test="mark"
            data-tool={shape.tool}
            data-points={JSON.stringify(shape.points)}
          >
            <Outline tool={shape.tool} places={places} />
            {mark && (
              <Outline
                tool={shape.tool}
                places={places}
                hit
                onPress={(event) => {
                  event.stopPropagation()
                  onChoose(mark.id)
                }}
              />
            )}
            {last && (
              <text x={last.left + 10} y={last.top + 4}>
                {[...(name ? [name] : []), ...saying(plane, shape)].map((line, row) => (
                  <tspan key={line} x={last.left + 10} dy={row === 0 ? 0 : 17}>
                    {line}
                  </tspan>
                ))}
              </text>
            )}
            {mark?.id === chosen &&
              mark !== undefined &&
              places.map((place, number) => (
                // biome-ignore lint/a11y/useSemanticElements: a point of a drawing can be no <button>
                <circle
                  key={number}
                  class="handle"
                  cx={place.left}
                  cy={place.top}
                  r={8}
                  tabindex={0}
                  role="button"
                  aria-label={w('mark.handle', { n: number + 1 })}
                  onPointerDown={(event) => {
                    event.stopPropagation()
                    event.currentTarget.setPointerCapture(event.pointerId)
                    held.current = number
                  }}
                  onPointerMove={(event) => {
                    if (held.current !== number) return
                    event.stopPropagation()
                    moved(number, at(event), false)
                  }}
                  onPointerUp={(event) => {
                    if (held.current !== number) return
                    event.stopPropagation()
                    held.current = undefined
                    moved(number, at(event), true)
                  }}
                  onKeyDown={(event) => {
                    // Of a slide a pixel may be less than one of the screen.
                    const by = (event.shiftKey ? 10 : 1) * Math.max(1, 1 / scaleOf(plane, size, sight.zoom))
                    const step = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, -by], ArrowDown: [0, by] }[
                      event.code
                    ]
                    const from = shape.points[number]
                    if (!step || !from) return
                    event.preventDefault()
                    event.stopPropagation()
                    moved(number, { x: from.x + (step[0] ?? 0), y: from.y + (step[1] ?? 0) }, true)
                  }}
                />
              ))}
          </g>
        )
      })}
    </svg>
  )
}

function Outline({
  tool,
  places,
  hit,
  onPress,
}: {
  tool: Shape['tool']
  places: Place[]
  hit?: boolean
  onPress?: (event: PointerEvent) => void
}) {
  const [a, b, c] = places
  if (!a || !b) return null
  const look = { class: hit ? 'hit' : 'line', ...(onPress ? { onPointerDown: onPress } : {}) }
  switch (tool) {
    case 'ellipse':
      return (
        <ellipse
          {...look}
          cx={(a.left + b.left) / 2}
          cy={(a.top + b.top) / 2}
          rx={Math.abs(a.left - b.left) / 2}
          ry={Math.abs(a.top - b.top) / 2}
        />
      )
    case 'rectangle':
      return (
        <rect
          {...look}
          x={Math.min(a.left, b.left)}
          y={Math.min(a.top, b.top)}
          width={Math.abs(a.left - b.left)}
          height={Math.abs(a.top - b.top)}
        />
      )
    case 'angle':
      return (
        <polyline {...look} points={[a, b, ...(c ? [c] : [])].map(({ left, top }) => `${left},${top}`).join(' ')} />
      )
    case 'arrow': {
      const turn = Math.atan2(b.top - a.top, b.left - a.left)
      const wing = (by: number) => `${a.left + 14 * Math.cos(turn + by)},${a.top + 14 * Math.sin(turn + by)}`
      return (
        <polyline
          {...look}
          points={`${b.left},${b.top} ${a.left},${a.top} ${wing(0.4)} ${a.left},${a.top} ${wing(-0.4)}`}
        />
      )
    }
    case 'length':
      return <line {...look} x1={a.left} y1={a.top} x2={b.left} y2={b.top} />
  }
}
