// Where the others point, on the same anatomy.
import type { Pointed } from './share'
import { type Plane, type Sight, type Size, toScreen } from './sight'

const colours = ['#FFC857', '#6FC7D6', '#F29AD6', '#A8E36B']

export function Pointers({
  pointed,
  names,
  plane,
  size,
  sight,
}: {
  pointed: readonly Pointed[]
  /** Names of the people in the room by seat. */
  names: Record<string, string>
  plane: Plane
  size: Size
  sight: Sight
}) {
  const seats = Object.keys(names).sort()
  return pointed.map((one) => {
    const { left, top } = toScreen(plane, size, sight, one)
    return (
      <span
        key={one.seat}
        class="pointer"
        style={{
          left: `${left}px`,
          top: `${top}px`,
          color: colours[Math.max(0, seats.indexOf(one.seat)) % colours.length],
        }}
        data-test="pointer"
        data-x={one.x}
        data-y={one.y}
      >
        <svg viewBox="0 0 34 34" aria-hidden="true">
          <circle cx="17" cy="17" r="11" fill="none" stroke="currentColor" stroke-width="2" />
          <path d="M17 0v11M17 23v11M0 17h11M23 17h11" stroke="currentColor" stroke-width="2" />
        </svg>
        <span>{names[one.seat] ?? ''}</span>
      </span>
    )
  })
}
