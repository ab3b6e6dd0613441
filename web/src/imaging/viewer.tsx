// The viewer: previews within seconds, originals as they are read, tools with words, and the presenter's state when
// people look together. What is on the screen is said in the image's own columns and rows.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { bytes } from '../i18n/format'
import { Icon } from '../ui/icons'
import { composing } from '../ui/keys'
import { Button } from '../ui/parts'
import { inside, type Mark, type On, placed, pointsOf, type Shape, same, type Tool, tools } from './marks'
import { MarksLayer } from './marks_layer'
import type { Draft } from './marks_store'
import { Pointers } from './pointers'
import { Previews } from './previews'
import type { ShareView, Shown } from './share'
import { isSheet, Sheets } from './sheets'
import { carried, dragged, type Point, type Sight, toImage, toScreen, type Voi, whole, zoomed } from './sight'
import { slidesOf } from './slide'
import { SlideView } from './slide_view'
import type { Stack } from './stack'
import {
  bytesOf,
  hasPixels,
  type Instance,
  memoryBudget,
  NotForYou,
  type Picture,
  type Preset,
  pictures,
  planeOf,
  presets,
  seriesMetadata,
  windowOf,
} from './study'
import { w } from './words'

type Moving = 'scroll' | 'window' | 'zoom' | 'pan' | 'point'
type Mode = Moving | Tool
const moving: readonly Moving[] = ['scroll', 'window', 'zoom', 'pan', 'point']
const presetKeys: readonly Preset[] = ['default', 'lung', 'soft', 'bone', 'brain', 'liver']
const isTool = (mode: Mode): mode is Tool => tools.some((one) => one === mode)
const sliceEvery = 12 // pixels of a finger's way for the next slice
const cineEvery = 100 // ms
// On a bad line the pictures of all slices come before the first original and its decoders, on a good one they take no
// time; a very long series must not keep it away for ever.
const previewsFirst = 25_000 // ms

export type Opened = { study: string; series: string; title: string; modality: string }

/** Marks as this person may see and make them. */
export type Marking = {
  marks: readonly Mark[]
  drafts: readonly Draft[]
  may: boolean
  draw: (on: On, shape: Shape | undefined) => void
  put: (changed: Mark | undefined, on: On, shape: Shape | 'key') => void
  remove: (mark: Mark) => void
}

type Props = {
  opened: Opened
  share: ShareView
  /** Names of the people in the room by seat. */
  names: Record<string, string>
  onMoved: (shown: Shown) => void
  onPoint: (at: { sop: string; frame: number; x: number; y: number }) => void
  onLead: () => void
  onRelease: () => void
  onFollow: (on: boolean) => void
  together: boolean
  marking: Marking
  /** Where to go: a new object each time. */
  go: Pick<On, 'sop' | 'frame'> | undefined
  /** The series before or after this one. */
  onSeries: (by: number) => void
}

type Series = {
  sheets: Instance[]
  glass: Instance[]
  pictures: Picture[]
  previews: Previews
  bytes: number
  largest: number
}
type State = { index: number; sight: Sight }
type Drawing = { shape: Shape; from: { x: number; y: number }; changed: Mark | undefined }

export function Viewer(props: Props) {
  const { opened, share, names, onFollow, together, marking } = props
  const viewport = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLDivElement>(null)
  const stack = useRef<Stack | undefined>(undefined)
  const series = useRef<Series | undefined>(undefined)
  const state = useRef<State>({ index: 0, sight: { x: 0, y: 0, zoom: 1, voi: undefined } })
  const drag = useRef<{ x: number; y: number; carry: number } | undefined>(undefined)
  const [, setTurn] = useState(0)
  const redraw = () => setTurn((n) => n + 1)
  const [size, setSize] = useState({ width: 0, height: 0 })
  const [problem, setProblem] = useState<'broken' | 'refused' | undefined>()
  const [agreed, setAgreed] = useState(false)
  const [free, setFree] = useState(false)
  const [mode, setMode] = useState<Mode>('scroll')
  const [drawing, setDrawing] = useState<Drawing>()
  const [chosen, setChosen] = useState<string>()
  const [playing, setPlaying] = useState(false)
  const budget = memoryBudget((navigator as { deviceMemory?: number }).deviceMemory)

  useLayoutEffect(() => {
    const element = viewport.current
    if (!element) return
    const measure = () => setSize({ width: element.clientWidth, height: element.clientHeight })
    measure()
    const watch = new ResizeObserver(measure)
    watch.observe(element)
    return () => watch.disconnect()
  }, [])

  // Metadata and previews first: neither needs Cornerstone.
  useEffect(() => {
    const stop = new AbortController()
    setProblem(undefined)
    setAgreed(false)
    setFree(false)
    const patience = setTimeout(() => setFree(true), previewsFirst)
    setDrawing(undefined)
    setChosen(undefined)
    setPlaying(false)
    series.current = undefined
    redraw()
    seriesMetadata(opened.study, opened.series, stop.signal)
      .then((instances) => {
        if (stop.signal.aborted) return
        const glass = slidesOf(instances).length > 0 ? instances : []
        const all = glass.length > 0 ? [] : pictures(opened.study, opened.series, instances.filter(hasPixels))
        const sizes = all.map(bytesOf)
        series.current = {
          sheets: all.length === 0 && glass.length === 0 ? instances.filter(isSheet) : [],
          glass,
          pictures: all,
          previews: new Previews(all, () => {
            redraw()
            if (!series.current?.previews.idle()) return
            setFree(true)
            stack.current?.fetchNear()
          }),
          bytes: sizes.reduce((sum, one) => sum + one, 0),
          largest: Math.max(0, ...sizes),
        }
        const index = Math.floor((all.length - 1) / 2)
        const first = all[index]
        if (first) {
          state.current = { index, sight: whole(planeOf(first)) }
          series.current.previews.want(index, undefined)
        }
        redraw()
      })
      .catch((error: unknown) => {
        if (!stop.signal.aborted) setProblem(error instanceof NotForYou ? 'refused' : 'broken')
      })
    return () => {
      stop.abort()
      clearTimeout(patience)
      series.current?.previews.close()
      series.current = undefined
    }
  }, [opened.study, opened.series])

  // Then the originals, when they fit into the memory or the reader has agreed to keep only some.
  const held = series.current
  const tooBig = held !== undefined && held.largest > budget * 0.8
  const over = held !== undefined && held.bytes > budget
  const open = free && held !== undefined && held.pictures.length > 0 && !tooBig && (!over || agreed)
  useEffect(() => {
    const element = canvas.current
    const all = series.current?.pictures
    if (!open || !element || !all) return
    let closed = false
    void import('./stack')
      .then(({ Stack }) => Stack.open(element, all, budget, redraw, () => series.current?.previews.idle() ?? false))
      .then((made) => {
        if (closed) return made.close()
        stack.current = made
        const picture = all[state.current.index]
        if (picture) made.show(state.current.index, planeOf(picture), state.current.sight)
        redraw()
      })
      .catch(() => {
        if (!closed) setProblem('broken')
      })
    return () => {
      closed = true
      stack.current?.close()
      stack.current = undefined
    }
  }, [open, held, budget])

  const count = held?.pictures.length ?? 0
  const sheets = held?.sheets ?? []
  const glass = held?.glass ?? []
  const apart = sheets.length > 0 || glass.length > 0 // no stack of images
  const picture = held?.pictures[state.current.index]
  const plane = picture && planeOf(picture)
  const { sight } = state.current
  const drawn = stack.current?.drawn() ?? false
  const failed = stack.current?.broken() ?? false
  const preview = picture && !drawn && !failed ? held?.previews.of(picture) : undefined
  const voi: Voi | undefined = sight.voi ?? stack.current?.voi() ?? (picture && windowOf(picture))
  const on: On | undefined = picture && {
    study: opened.study,
    series: opened.series,
    sop: picture.sop,
    frame: picture.frame,
  }

  const set = (next: State) => {
    const all = series.current
    const to = all?.pictures[next.index]
    if (!all || !to) return
    state.current = next
    all.previews.want(next.index, next.sight.voi)
    stack.current?.show(next.index, planeOf(to), next.sight)
    redraw()
  }
  const at = (index: number, seen = state.current.sight): State => {
    const all = series.current?.pictures ?? []
    const to = Math.min(Math.max(0, index), all.length - 1)
    const [from, next] = [all[state.current.index], all[to]]
    return { index: to, sight: from && next ? carried(seen, planeOf(from), planeOf(next)) : seen }
  }
  const moved = useRef(props.onMoved)
  moved.current = props.onMoved
  const say = () => {
    const shown = series.current?.pictures[state.current.index]
    if (shown)
      moved.current({
        study: opened.study,
        series: opened.series,
        sop: shown.sop,
        frame: shown.frame,
        ...state.current.sight,
      })
  }
  /** Our own move: told to the room. A move that follows the presenter is not. */
  const own = (next: State) => {
    set(next)
    say()
  }
  const look = (change: Partial<Sight>) => own({ ...state.current, sight: { ...state.current.sight, ...change } })
  const step = (by: number) => own(at(state.current.index + by))
  const preset = (name: Preset) => look({ voi: name === 'default' ? undefined : presets[name] })
  const turnTo = (next: Mode) => {
    setDrawing(undefined)
    if (on && drawing) marking.draw(on, undefined)
    setMode(next)
  }

  // The presenter's state arrives: go there, and nowhere else.
  const target = share.following ? share.shown : undefined
  useEffect(() => {
    if (!target || !held || target.study !== opened.study || target.series !== opened.series) return
    const index = held.pictures.findIndex((one) => one.sop === target.sop && one.frame === target.frame)
    const { zoom, x, y, voi } = target
    if (index >= 0) set({ index, sight: { zoom, x, y, voi } })
  }, [target, held, opened.study, opened.series])

  // Who begins to present says at once what is on the screen.
  useEffect(() => {
    if (share.leading) say()
  }, [share.leading, held])

  useEffect(() => {
    const index =
      props.go && held
        ? held.pictures.findIndex((one) => one.sop === props.go?.sop && one.frame === props.go.frame)
        : -1
    if (index >= 0) own(at(index))
  }, [props.go, held])

  useEffect(() => {
    if (!playing) return
    const timer = setInterval(() => own(at((state.current.index + 1) % Math.max(1, count))), cineEvery)
    return () => clearInterval(timer)
  }, [playing, count])

  /** A finished shape: with what its pixels say, where there are any. */
  const finish = ({ shape, changed }: Drawing) => {
    setDrawing(undefined)
    const samples = stack.current?.samples()
    if (on) marking.put(changed, on, { ...shape, found: samples && inside(samples, shape) })
  }
  const grow = (next: Drawing) => {
    setDrawing(next)
    if (on) marking.draw(on, next.shape)
  }
  const place = (event: { clientX: number; clientY: number }) => {
    const box = viewport.current?.getBoundingClientRect()
    return { left: event.clientX - (box?.left ?? 0), top: event.clientY - (box?.top ?? 0) }
  }
  const imageAt = (event: { clientX: number; clientY: number }): Point =>
    plane ? toImage(plane, size, state.current.sight, place(event)) : { x: 0, y: 0 }
  const pointAt = (event: { clientX: number; clientY: number }) => {
    const { x, y } = imageAt(event)
    if (picture && plane && x >= 0 && y >= 0 && x <= plane.columns && y <= plane.rows)
      props.onPoint({ sop: picture.sop, frame: picture.frame, x, y })
  }
  const mark = (key: boolean) => {
    if (!on || !marking.may) return
    const here = marking.marks.find((one) => one.tool === 'key' && same(one, on))
    if (key) return here ? marking.remove(here) : marking.put(undefined, on, 'key')
    const gone = marking.marks.find((one) => one.id === chosen)
    if (gone) marking.remove(gone)
    setChosen(undefined)
  }
  const measuring = isTool(mode) && drawn && marking.may

  const keys = (event: KeyboardEvent) => {
    if (composing(event) && event.code === '') return
    if (event.ctrlKey || event.altKey || event.metaKey) return
    const zoom = (by: number) =>
      own({ ...state.current, sight: zoomed(state.current.sight, state.current.sight.zoom * by) })
    const deeds: Record<string, () => void> = {
      ArrowDown: () => step(1),
      ArrowRight: () => step(1),
      ArrowUp: () => step(-1),
      ArrowLeft: () => step(-1),
      PageDown: () => step(10),
      PageUp: () => step(-10),
      Home: () => own(at(0)),
      End: () => own(at(count - 1)),
      KeyW: () => turnTo('window'),
      KeyL: () => turnTo('window'),
      KeyZ: () => turnTo('zoom'),
      KeyP: () => turnTo('point'),
      KeyF: () => onFollow(true),
      KeyK: () => mark(true),
      Space: () => setPlaying(!playing),
      BracketLeft: () => props.onSeries(-1),
      BracketRight: () => props.onSeries(1),
      Equal: () => zoom(1.25),
      Minus: () => zoom(0.8),
      Delete: () => mark(false),
      Escape: () => turnTo('scroll'),
      Enter: () => {
        if (!measuring || !plane) return
        const reach = Math.min(plane.columns, plane.rows) / 8 / sight.zoom
        finish({ shape: placed(mode, state.current.sight, reach), from: { x: 0, y: 0 }, changed: undefined })
      },
    }
    presetKeys.forEach((name, index) => {
      deeds[`Digit${index + 1}`] = () => preset(name)
    })
    const deed = deeds[event.code]
    if (!deed) return
    event.preventDefault()
    if (event.code !== 'Space') setPlaying(false)
    deed()
  }

  const pressed = (event: PointerEvent) => {
    setChosen(undefined)
    setPlaying(false)
    if (mode === 'point') pointAt(event)
    drag.current = { x: event.clientX, y: event.clientY, carry: 0 }
    if (!isTool(mode) || !measuring) return
    const here = imageAt(event)
    const from = { x: event.clientX, y: event.clientY }
    if (drawing)
      grow({ ...drawing, from, shape: { ...drawing.shape, points: [...drawing.shape.points.slice(0, -1), here] } })
    else grow({ from, changed: undefined, shape: { tool: mode, points: [here, here], text: '', found: undefined } })
  }
  const swept = (event: PointerEvent) => {
    if (mode === 'point') pointAt(event)
    if (drawing && isTool(mode)) {
      grow({ ...drawing, shape: { ...drawing.shape, points: [...drawing.shape.points.slice(0, -1), imageAt(event)] } })
      return
    }
    const from = drag.current
    if (!from || !plane) return
    const dx = event.clientX - from.x
    const dy = event.clientY - from.y
    from.x = event.clientX
    from.y = event.clientY
    const { sight: seen } = state.current
    if (mode === 'scroll') {
      from.carry += dy
      const slices = Math.trunc(from.carry / sliceEvery)
      from.carry -= slices * sliceEvery
      if (slices !== 0) step(slices)
    } else if (mode === 'window' && voi) {
      const { center, width } = seen.voi ?? voi
      look({ voi: { center: center + dy * 2, width: Math.max(1, width + dx * 4) } })
    } else if (mode === 'zoom') own({ ...state.current, sight: zoomed(seen, seen.zoom * (1 - dy / 200)) })
    else if (mode === 'pan') own({ ...state.current, sight: dragged(plane, size, seen, dx, dy) })
  }
  /** Points are set by dragging, or by one press each. */
  const released = (event: PointerEvent) => {
    drag.current = undefined
    if (!drawing) return
    const { points, tool } = drawing.shape
    const still = Math.hypot(event.clientX - drawing.from.x, event.clientY - drawing.from.y) < 4
    const first = points.length === 2 && points[0] === points[1]
    if (first || (still && points.length === 2 && points[0]?.x === points[1]?.x && points[0]?.y === points[1]?.y))
      return
    if (points.length === pointsOf[tool]) finish(drawing)
    else grow({ ...drawing, shape: { ...drawing.shape, points: [...points, imageAt(event)] } })
  }

  const wrong = problem !== undefined || failed
  const here = on ? marking.marks.filter((one) => one.tool !== 'key' && same(one, on)) : []
  const isKey = on !== undefined && marking.marks.some((one) => one.tool === 'key' && same(one, on))
  const corner = plane && picture && toScreen(plane, size, sight, { x: 0, y: 0 })
  const opposite = plane && picture && toScreen(plane, size, sight, { x: plane.columns, y: plane.rows })
  const number = (label: string, value: number, deed: (value: number) => void, test: string) => (
    <label class="number">
      <span>{label}</span>
      <input
        type="number"
        value={Math.round(value)}
        data-test={test}
        onChange={(event) => {
          const typed = event.currentTarget.valueAsNumber
          if (Number.isFinite(typed)) deed(typed)
        }}
      />
    </label>
  )
  return (
    <section
      class="viewer"
      aria-label={w('img.title')}
      data-test="viewer"
      data-drawn={drawn ? 'true' : 'false'}
      data-preview={preview ? 'true' : 'false'}
      data-index={held ? state.current.index : -1}
      data-sop={picture?.sop}
      data-window={voi ? `${Math.round(voi.width)}/${Math.round(voi.center)}` : ''}
      data-zoom={sight.zoom}
    >
      <div class="toolbar" role="toolbar" aria-label={w('img.title')} hidden={apart && !together}>
        <fieldset class="group" aria-label={w('tool.moving')} hidden={apart}>
          {moving.map((one) => (
            <Button key={one} pressed={mode === one} onPress={() => turnTo(one)} test={`tool-${one}`}>
              {w(`tool.${one}`)}
            </Button>
          ))}
        </fieldset>
        {marking.may && !apart && (
          <fieldset class="group" aria-label={w('tool.measuring')}>
            {tools.map((one) => (
              <Button key={one} pressed={mode === one} onPress={() => turnTo(one)} test={`tool-${one}`}>
                {w(`tool.${one}`)}
              </Button>
            ))}
            <Button pressed={isKey} disabled={!on} onPress={() => mark(true)} test="tool-key">
              {w('tool.key')}
            </Button>
            {here.some((one) => one.id === chosen) && (
              <Button look="quiet" onPress={() => mark(false)} test="remove-mark">
                {w('mark.remove')}
              </Button>
            )}
          </fieldset>
        )}
        <fieldset class="group" aria-label={w('tool.windows')} hidden={apart}>
          {(opened.modality === 'CT' ? presetKeys : (['default'] as const)).map((name) => (
            <Button key={name} look="quiet" onPress={() => preset(name)} test={`preset-${name}`}>
              {w(`win.${name}`)}
            </Button>
          ))}
          {voi &&
            number(w('tool.width'), voi.width, (width) => width >= 1 && look({ voi: { ...voi, width } }), 'width')}
          {voi && number(w('tool.center'), voi.center, (center) => look({ voi: { ...voi, center } }), 'center')}
          <Button look="quiet" onPress={() => own({ ...state.current, sight: zoomed(sight, sight.zoom * 1.25) })}>
            {w('tool.in')}
          </Button>
          <Button look="quiet" onPress={() => own({ ...state.current, sight: zoomed(sight, sight.zoom * 0.8) })}>
            {w('tool.out')}
          </Button>
          {count > 1 && (
            <Button look="quiet" pressed={playing} onPress={() => setPlaying(!playing)}>
              {w('tool.cine')}
            </Button>
          )}
          <Button look="quiet" onPress={() => plane && look(whole(plane))} test="reset">
            {w('tool.reset')}
          </Button>
        </fieldset>
        <span class="grow" />
        {together && (
          <div class="group">
            <span class={`tag ${share.leading ? 'ok' : share.leader ? 'info' : ''}`} role="status" data-test="leader">
              {share.leading
                ? w('lead.me')
                : share.leader
                  ? w('lead.other', { name: share.leader.name })
                  : w('lead.none')}
            </span>
            {share.leader && !share.leading && (
              <Button pressed={share.following} onPress={() => onFollow(!share.following)} test="follow">
                {share.following ? w('follow.is') : w('follow.on')}
              </Button>
            )}
            <Button
              look={share.leading ? 'plain' : 'primary'}
              onPress={share.leading ? props.onRelease : props.onLead}
              test="lead"
            >
              {share.leading ? w('lead.release') : w('lead.take')}
            </Button>
          </div>
        )}
      </div>
      <div
        class={`viewport ${mode}`}
        role="application"
        aria-label={opened.title}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the viewport takes its own keys
        tabIndex={0}
        data-test="viewport"
        ref={viewport}
        onKeyDown={keys}
        onWheel={(event) => {
          event.preventDefault()
          setPlaying(false)
          step(event.deltaY > 0 ? 1 : -1)
        }}
        onPointerDown={(event) => {
          event.currentTarget.focus()
          event.currentTarget.setPointerCapture(event.pointerId)
          pressed(event)
        }}
        onPointerMove={swept}
        onPointerUp={released}
        onPointerCancel={() => {
          drag.current = undefined
          turnTo(mode)
        }}
        onContextMenu={(event) => event.preventDefault()}
      >
        <div class="canvas" ref={canvas} />
        {preview && corner && opposite && (
          <img
            key={preview}
            class="preview"
            alt=""
            draggable={false}
            src={preview}
            data-test="preview"
            style={{
              left: `${corner.left}px`,
              top: `${corner.top}px`,
              width: `${opposite.left - corner.left}px`,
              height: `${opposite.top - corner.top}px`,
            }}
          />
        )}
        {plane && size.width > 0 && (drawn || preview) && (
          <>
            <MarksLayer
              plane={plane}
              size={size}
              sight={sight}
              drawn={[
                ...here
                  .filter((one) => one.id !== drawing?.changed?.id)
                  .map((one) => ({ shape: shapeOf(one), mark: one, look: 'theirs' as const })),
                ...(drawing
                  ? [
                      {
                        shape: drawing.shape,
                        look: 'draft' as const,
                        ...(drawing.changed ? { mark: drawing.changed } : {}),
                      },
                    ]
                  : []),
                ...marking.drafts
                  .filter((one) => on && same(one, on))
                  .map((one) => ({
                    shape: one.shape,
                    look: 'draft' as const,
                    name: w('mark.drawing', { name: names[one.seat] ?? '' }),
                  })),
              ]}
              chosen={chosen}
              onChoose={setChosen}
              onMoved={(changed, points, done) => {
                if (!marking.may || !drawn) return
                const next = { shape: { ...shapeOf(changed), points, found: undefined }, from: { x: 0, y: 0 }, changed }
                if (done) finish(next)
                else grow(next)
              }}
              at={imageAt}
            />
            <Pointers
              pointed={share.pointers.filter((one) => one.sop === picture?.sop && one.frame === picture.frame)}
              names={names}
              plane={plane}
              size={size}
              sight={sight}
            />
          </>
        )}
        {(wrong || (!drawn && !preview)) && !apart && (
          <div class="failed" role={wrong ? 'alert' : 'status'} data-test="blank">
            {wrong ? (
              <>
                <Icon name="warn" />
                <span>{problem === 'refused' ? w('img.refused') : w('img.err')}</span>
              </>
            ) : (
              <span class="meta">
                {!held
                  ? w('img.viewer')
                  : count === 0
                    ? w('img.noplane')
                    : w('img.loading', { n: state.current.index + 1 })}
              </span>
            )}
          </div>
        )}
        <span class="corner tl">{opened.title}</span>
        {held && count > 0 && (
          <>
            <span class="corner tr">{w('img.slice', { n: state.current.index + 1, m: count })}</span>
            {voi && (
              <span class="corner bl">{w('img.window', { w: Math.round(voi.width), c: Math.round(voi.center) })}</span>
            )}
            <span class="corner br" data-test="prepared">
              {w('img.prepared', {
                a: Math.min(held.previews.ready(), count),
                b: stack.current?.ready() ?? 0,
                m: count,
              })}
            </span>
            {!drawn && !wrong && (
              <span class="corner tc badge" role="status" data-test="badge">
                {w('img.pre')}
              </span>
            )}
            {isTool(mode) && marking.may && !measuring && !wrong && <span class="corner bc">{w('mark.wait')}</span>}
            {measuring && plane && !plane.mm && <span class="corner bc">{w('img.noscale')}</span>}
            {(tooBig || (over && !agreed)) && (
              <div class="gate" data-test="memory-gate">
                <p>
                  {tooBig
                    ? w('img.toobig', { a: bytes(held.largest), b: bytes(budget) })
                    : w('img.over', { a: bytes(held.bytes), b: bytes(budget) })}
                </p>
                {!tooBig && (
                  <Button look="primary" onPress={() => setAgreed(true)} test="open-originals">
                    {w('img.open')}
                  </Button>
                )}
              </div>
            )}
          </>
        )}
      </div>
      {sheets.length > 0 && (
        <Sheets key={opened.series} at={`/studies/${opened.study}/series/${opened.series}`} instances={sheets} />
      )}
      {glass.length > 0 && (
        <SlideView
          key={opened.series}
          {...opened}
          instances={glass}
          share={share}
          names={names}
          onMoved={props.onMoved}
          onPoint={props.onPoint}
          onFollow={onFollow}
          onSeries={props.onSeries}
        />
      )}
      <div class="slider" hidden={apart}>
        <input
          type="range"
          min={1}
          max={Math.max(1, count)}
          value={state.current.index + 1}
          aria-label={w('img.slice', { n: state.current.index + 1, m: count })}
          onInput={(event) => own(at(Number(event.currentTarget.value) - 1))}
        />
        <span class="meta">{w('img.slice', { n: state.current.index + 1, m: count })}</span>
        {held && count > 0 && (
          <span class="meta" data-test="memory">
            {w('img.memory', { a: bytes(held.bytes), b: bytes(budget) })}
          </span>
        )}
        {open && (stack.current?.ready() ?? 0) < count && (
          <Button look="quiet" onPress={() => stack.current?.fetchAll()} test="fetch-all">
            {w('img.all')}
          </Button>
        )}
      </div>
    </section>
  )
}

const shapeOf = ({ tool, points, text, found }: Mark): Shape => ({
  tool: tool === 'key' ? 'arrow' : tool,
  points,
  text,
  found,
})
