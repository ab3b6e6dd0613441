// Drawing on an image by hand: points are set by dragging or by one press each, and others see the shape as it grows.
import { useState } from 'preact/hooks'
import {
  inside,
  type KeyImage,
  type Mark,
  type On,
  pointsOf,
  type Samples,
  type Shape,
  same,
  type Tool,
  tools,
} from './marks'
import { MarksLayer } from './marks_layer'
import type { Draft } from './marks_store'
import type { Plane, Point, Sight, Size } from './sight'
import { w } from './words'

/** Marks as this person may see and make them. */
export type Marking = {
  marks: readonly Mark[]
  drafts: readonly Draft[]
  may: boolean
  draw: (on: On, shape: Shape | undefined) => void
  put: (changed: Mark | undefined, on: On, shape: Shape | KeyImage) => void
  remove: (mark: Mark) => void
}

export const isTool = (mode: string): mode is Tool => tools.some((one) => one === mode)

type Press = { clientX: number; clientY: number }
type Begun = { shape: Shape; from: { x: number; y: number }; changed: Mark | undefined }

export type Drawing = {
  begun: Begun | undefined
  /** The mark whose points may be moved. */
  chosen: string | undefined
  choose: (id: string | undefined) => void
  /** A press in the image; with a shape under way it sets the next point. */
  press: (tool: Tool, event: Press, here: Point) => void
  /** The hand moves; reports whether a shape follows it. */
  sweep: (here: Point) => boolean
  release: (event: Press, here: Point) => void
  /** A whole shape at once, new or in the place of a mark. */
  finish: (shape: Shape, changed?: Mark) => void
  grow: (shape: Shape, changed: Mark) => void
  /** What is under way is given up. */
  drop: () => void
  /** Of another image: nothing of the one before is kept. */
  forget: () => void
  remove: () => void
}

/** `samples` are the pixels of the image on the screen, where they can be read. */
export function useDrawing(on: On | undefined, marking: Marking, samples: () => Samples | undefined): Drawing {
  const [begun, setBegun] = useState<Begun>()
  const [chosen, setChosen] = useState<string>()
  const grow = (next: Begun) => {
    setBegun(next)
    if (on) marking.draw(on, next.shape)
  }
  /** A finished shape: with what its pixels say, where there are any. */
  const finish = (shape: Shape, changed?: Mark) => {
    setBegun(undefined)
    const found = samples()
    if (on) marking.put(changed, on, { ...shape, found: found && inside(found, shape) })
  }
  const withLast = ({ shape, ...rest }: Begun, point: Point): Begun => ({
    ...rest,
    shape: { ...shape, points: [...shape.points.slice(0, -1), point] },
  })
  return {
    begun,
    chosen,
    choose: setChosen,
    press: (tool, event, here) => {
      const from = { x: event.clientX, y: event.clientY }
      if (begun) grow(withLast({ ...begun, from }, here))
      else grow({ from, changed: undefined, shape: { tool, points: [here, here], text: '', found: undefined } })
    },
    sweep: (here) => {
      if (!begun) return false
      grow(withLast(begun, here))
      return true
    },
    release: (event, here) => {
      if (!begun) return
      const { points, tool } = begun.shape
      const still = Math.hypot(event.clientX - begun.from.x, event.clientY - begun.from.y) < 4
      const [first, second] = points
      if (points.length === 2 && first === second) return
      if (still && points.length === 2 && first?.x === second?.x && first?.y === second?.y) return
      if (points.length === pointsOf[tool]) finish(begun.shape, begun.changed)
      else grow({ ...begun, shape: { ...begun.shape, points: [...points, here] } })
    },
    finish,
    grow: (shape, changed) => grow({ shape, from: { x: 0, y: 0 }, changed }),
    drop: () => {
      setBegun(undefined)
      if (on && begun) marking.draw(on, undefined)
    },
    forget: () => {
      setBegun(undefined)
      setChosen(undefined)
    },
    remove: () => {
      const gone = marking.marks.find((one) => one.id === chosen)
      if (gone) marking.remove(gone)
      setChosen(undefined)
    },
  }
}

/** The marks on an image: those that are kept, what the others are drawing, and what is under way here. */
export function Drawn({
  drawing,
  on,
  marking,
  names,
  plane,
  size,
  sight,
  may,
  at,
}: {
  drawing: Drawing
  on: On | undefined
  marking: Marking
  names: Record<string, string>
  plane: Plane
  size: Size
  sight: Sight
  /** Points may be moved now. */
  may: boolean
  at: (event: Press) => Point
}) {
  const { begun, chosen } = drawing
  return (
    <MarksLayer
      plane={plane}
      size={size}
      sight={sight}
      drawn={[
        // What is being moved keeps its place among them: the hand holds one of its points.
        ...marksOn(on, marking).map((mark) =>
          mark.id === begun?.changed?.id
            ? { shape: begun.shape, mark, look: 'draft' as const }
            : { shape: shapeOf(mark), mark, look: 'theirs' as const },
        ),
        ...(begun && !begun.changed ? [{ shape: begun.shape, look: 'draft' as const }] : []),
        ...marking.drafts
          .filter((one) => on && same(one, on))
          .map((one) => ({
            shape: one.shape,
            look: 'draft' as const,
            name: w('mark.drawing', { name: names[one.seat] ?? '' }),
          })),
      ]}
      chosen={chosen}
      onChoose={drawing.choose}
      onMoved={(changed, points, done) => {
        if (!may) return
        const next = { ...shapeOf(changed), points, found: undefined }
        if (done) drawing.finish(next, changed)
        else drawing.grow(next, changed)
      }}
      at={at}
    />
  )
}

/** The marks that are drawn on this image; a key image's is not. */
export const marksOn = (on: On | undefined, marking: Marking): readonly Mark[] =>
  on ? marking.marks.filter((one) => one.tool !== 'key' && same(one, on)) : []

const shapeOf = ({ tool, points, text, found }: Mark): Shape => ({
  tool: tool === 'key' ? 'arrow' : tool,
  points,
  text,
  found,
})
