// The viewer: previews within seconds, originals as they are read, tools with words, and the presenter's state when
// people look together. What is on the screen is said in the image's own columns and rows.
import { useEffect, useRef, useState } from 'preact/hooks'
import { bytes } from '../i18n/format'
import { composing } from '../ui/keys'
import { Button } from '../ui/parts'
import { Blank, Corners } from './corners'
import { Drawn, isTool, type Marking, marksOn, useDrawing } from './drawing'
import type { Link, Side } from './linked'
import { type Going, keyImage, type On, placed, same } from './marks'
import { noWeight, type Opened, type State, useOpening, type Weight } from './opening'
import { Pointers } from './pointers'
import type { ShareView, Shown } from './share'
import { Sheets } from './sheets'
import { carried, dragged, type Point, type Sight, toImage, toScreen, type Voi, whole, zoomed } from './sight'
import { SlideView } from './slide_view'
import { type Preset, planeOf, presets, windowOf } from './study'
import { Leading, Measures, type Mode, Moves, presetKeys, Windows } from './toolbar'
import { useViewport } from './viewport'
import { w } from './words'

const sliceEvery = 12 // pixels of a finger's way for the next slice
const cineEvery = 100 // ms

export type Props = {
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
  go: Going | undefined
  /** The series before or after this one. */
  onSeries: (by: number) => void
  /** The other viewer, where two stand side by side. */
  pair?: Pair
}

export type Pair = {
  side: Side
  link: Link
  /** What this one is beside the other, on the pixels. */
  tag: string
  /** What the other's originals take of the memory. */
  other: Weight
  onWeight: (weight: Weight) => void
  /** The archive does not show us this series. */
  onRefused: () => void
}

export function Viewer(props: Props) {
  const { opened, share, names, onFollow, together, marking, pair } = props
  const viewport = useViewport()
  const { size } = viewport
  const canvas = useRef<HTMLDivElement>(null)
  const drag = useRef<{ x: number; y: number; carry: number } | undefined>(undefined)
  const [mode, setMode] = useState<Mode>('scroll')
  const [playing, setPlaying] = useState(false)
  const opening = useOpening(opened, canvas, pair?.other ?? noWeight, () => {
    drawing.forget()
    setPlaying(false)
  })
  const { held, stack, state, problem, open, budget, other, redraw } = opening

  const count = held?.pictures.length ?? 0
  const sheets = held?.sheets ?? []
  const glass = held?.glass ?? []
  const apart = sheets.length > 0 || glass.length > 0 // no stack of images
  const picture = held?.pictures[state.current.index]
  const plane = picture && planeOf(picture)
  const { sight } = state.current
  const drawn = held !== undefined && (stack.current?.drawn() ?? false)
  const failed = held !== undefined && (stack.current?.broken() ?? false)
  const preview = picture && !drawn && !failed ? held?.previews.of(picture) : undefined
  const voi: Voi | undefined = sight.voi ?? stack.current?.voi() ?? (picture && windowOf(picture))
  const on: On | undefined = picture && {
    study: opened.study,
    series: opened.series,
    sop: picture.sop,
    frame: picture.frame,
  }
  const drawing = useDrawing(on, marking, () => stack.current?.samples())

  const set = (next: State, linked = true) => {
    const to = held?.pictures[next.index]
    if (!held || !to) return
    state.current = next
    held.previews.want(next.index, next.sight.voi)
    stack.current?.show(next.index, planeOf(to), next.sight)
    redraw()
    if (linked) pair?.link.moved(pair.side)
  }
  const at = (index: number, seen = state.current.sight): State => {
    const all = held?.pictures ?? []
    const to = Math.min(Math.max(0, index), all.length - 1)
    const [from, next] = [all[state.current.index], all[to]]
    return { index: to, sight: from && next ? carried(seen, planeOf(from), planeOf(next)) : seen }
  }
  const moved = useRef(props.onMoved)
  moved.current = props.onMoved
  const say = () => {
    const shown = held?.pictures[state.current.index]
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
  // What the other of two viewers does is done here, and told to the room as our own.
  const link = pair?.link
  useEffect(() => {
    pair?.onWeight(held ?? noWeight)
    if (!held) return
    return link?.join(pair?.side ?? 'main', {
      pictures: held.pictures,
      index: () => state.current.index,
      voi: () => state.current.sight.voi,
      go: (index, voi) => {
        const next = at(index)
        set({ ...next, sight: { ...next.sight, voi } }, false)
        say()
      },
    })
  }, [link, held])
  useEffect(() => {
    if (problem === 'refused') pair?.onRefused()
  }, [problem])
  const look = (change: Partial<Sight>) => own({ ...state.current, sight: { ...state.current.sight, ...change } })
  const step = (by: number) => own(at(state.current.index + by))
  const zoom = (by: number) => look(zoomed(state.current.sight, state.current.sight.zoom * by))
  const preset = (name: Preset) => look({ voi: name === 'default' ? undefined : presets[name] })
  const turnTo = (next: Mode) => {
    drawing.drop()
    setMode(next)
  }

  // The presenter's state arrives: go there, and nowhere else.
  const target = share.following ? share.shown : undefined
  useEffect(() => {
    if (!target || !held || target.study !== opened.study || target.series !== opened.series) return
    const index = held.pictures.findIndex((one) => one.sop === target.sop && one.frame === target.frame)
    const { zoom, x, y, voi } = target
    if (index >= 0) set({ index, sight: { zoom, x, y, voi } }, false) // the other is told where to go too
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

  const imageAt = (event: { clientX: number; clientY: number }): Point =>
    plane ? toImage(plane, size, state.current.sight, viewport.placeOf(event)) : { x: 0, y: 0 }
  const pointAt = (event: { clientX: number; clientY: number }) => {
    const { x, y } = imageAt(event)
    if (picture && plane && x >= 0 && y >= 0 && x <= plane.columns && y <= plane.rows)
      props.onPoint({ sop: picture.sop, frame: picture.frame, x, y })
  }
  const key = on && marking.marks.find((one) => one.tool === 'key' && same(one, on))
  const markKey = () => {
    if (on && marking.may) key ? marking.remove(key) : marking.put(undefined, on, keyImage)
  }
  const measuring = isTool(mode) && drawn && marking.may

  const keys = (event: KeyboardEvent) => {
    if (composing(event) && event.code === '') return
    if (event.ctrlKey || event.altKey || event.metaKey) return
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
      KeyK: markKey,
      Space: () => setPlaying(!playing),
      BracketLeft: () => props.onSeries(-1),
      BracketRight: () => props.onSeries(1),
      Equal: () => zoom(1.25),
      Minus: () => zoom(0.8),
      Delete: () => marking.may && drawing.remove(),
      Escape: () => turnTo('scroll'),
      Enter: () => {
        if (!measuring || !plane) return
        const reach = Math.min(plane.columns, plane.rows) / 8 / sight.zoom
        drawing.finish(placed(mode, state.current.sight, reach))
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
    drawing.choose(undefined)
    setPlaying(false)
    if (mode === 'point') pointAt(event)
    drag.current = { x: event.clientX, y: event.clientY, carry: 0 }
    if (isTool(mode) && measuring) drawing.press(mode, event, imageAt(event))
  }
  const swept = (event: PointerEvent) => {
    if (mode === 'point') pointAt(event)
    if (isTool(mode) && drawing.sweep(imageAt(event))) return
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
  const released = (event: PointerEvent) => {
    drag.current = undefined
    drawing.release(event, imageAt(event))
  }

  const wrong = problem !== undefined || failed
  const corner = plane && picture && toScreen(plane, size, sight, { x: 0, y: 0 })
  const opposite = plane && picture && toScreen(plane, size, sight, { x: plane.columns, y: plane.rows })
  return (
    <section
      class="viewer"
      aria-label={pair ? `${w('img.title')} ${pair.tag}` : w('img.title')}
      data-test="viewer"
      data-side={pair?.side}
      data-drawn={drawn ? 'true' : 'false'}
      data-preview={preview ? 'true' : 'false'}
      data-index={held ? state.current.index : -1}
      data-sop={picture?.sop}
      data-window={voi ? `${Math.round(voi.width)}/${Math.round(voi.center)}` : ''}
      data-zoom={sight.zoom}
    >
      <div class="toolbar" role="toolbar" aria-label={w('img.title')} hidden={apart && !together}>
        <Moves mode={mode} onMode={turnTo} hidden={apart} />
        {marking.may && !apart && (
          <Measures
            mode={mode}
            onMode={turnTo}
            onRemove={marksOn(on, marking).some((one) => one.id === drawing.chosen) ? drawing.remove : undefined}
          >
            <Button pressed={key !== undefined} disabled={!on} onPress={markKey} test="tool-key">
              {w('tool.key')}
            </Button>
          </Measures>
        )}
        <Windows
          modality={opened.modality}
          voi={voi}
          onPreset={preset}
          onVoi={(next) => look({ voi: next })}
          hidden={apart}
        >
          <Button look="quiet" onPress={() => zoom(1.25)}>
            {w('tool.in')}
          </Button>
          <Button look="quiet" onPress={() => zoom(0.8)}>
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
        </Windows>
        <span class="grow" />
        {together && <Leading share={share} onFollow={onFollow} onLead={props.onLead} onRelease={props.onRelease} />}
      </div>
      <div
        class={`viewport ${mode}`}
        role="application"
        aria-label={opened.title}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the viewport takes its own keys
        tabIndex={0}
        data-test="viewport"
        ref={viewport.ref}
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
        <div class="canvas" ref={canvas} hidden={!held} />
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
            <Drawn
              drawing={drawing}
              on={on}
              marking={marking}
              names={names}
              plane={plane}
              size={size}
              sight={sight}
              may={marking.may && drawn}
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
        {(wrong || (!drawn && !preview)) && !apart && <Blank opening={opening} wrong={wrong} />}
        <span class="corner tl">
          {pair && <b class="side">{pair.tag}</b>} {opened.title}
        </span>
        <Corners
          opening={opening}
          voi={voi}
          plane={plane}
          drawn={drawn}
          wrong={wrong}
          measures={isTool(mode) && marking.may}
        />
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
          marking={marking}
          go={props.go}
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
            {w(other.bytes > 0 ? 'img.memory.both' : 'img.memory', {
              a: bytes(held.bytes + other.bytes),
              b: bytes(budget),
            })}
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
