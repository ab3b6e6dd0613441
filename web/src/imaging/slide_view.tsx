// A slide under the microscope: only the tiles that are seen are fetched, in the level that fits the screen, over a
// coarse level that came first and is marked as a preview. Sight, pointers and the presenter's state are those of
// every other image, in columns and rows of the finest level.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import { bytes } from '../i18n/format'
import { Icon } from '../ui/icons'
import { composing } from '../ui/keys'
import { Button } from '../ui/parts'
import { Drawn, isTool, type Marking, marksOn, useDrawing } from './drawing'
import { type Going, keyImage, type On, placed, same } from './marks'
import { Pointers } from './pointers'
import type { ShareView, Shown } from './share'
import { dragged, type Place, type Point, type Sight, scaleOf, toImage, whole, zoomed, zoomedAt } from './sight'
import {
  closest,
  cornersOf,
  fitting,
  focusOf,
  type Level,
  levelOf,
  powerOf,
  previewOf,
  type Slide,
  scaleBar,
  seen,
  sightOf,
  slidesOf,
  type Tile,
  tileBytes,
  zoomFor,
} from './slide'
import { paint, paintOverview, tilePixels } from './slide_paint'
import type { Instance } from './study'
import { Tiles } from './tiles'
import { Measures, type Mode } from './toolbar'
import { useViewport } from './viewport'
import { w } from './words'

/** What a slide may take of the memory, however large it is: two screens of tiles. */
export const slideBudget = 48e6
const rounded = (power: number) => (power < 10 ? power.toFixed(1) : String(Math.round(power)))
const powers = [1.25, 5, 10, 20, 40] as const

type Props = {
  study: string
  series: string
  title: string
  instances: readonly Instance[]
  share: ShareView
  names: Record<string, string>
  marking: Marking
  /** A mark to go to: a new object each time. */
  go: Going | undefined
  onMoved: (shown: Shown) => void
  onPoint: (at: { sop: string; frame: number; x: number; y: number }) => void
  onFollow: (on: boolean) => void
  onSeries: (by: number) => void
}

export function SlideView(props: Props) {
  const [chosen, setChosen] = useState(0)
  const [focus, setFocus] = useState<number>()
  const slides = useMemo(() => slidesOf(props.instances, focus), [props.instances, focus])
  // A follower looks at the glass that is presented.
  const shown = props.share.following ? props.share.shown : undefined
  useEffect(() => {
    const at = slides.findIndex(({ sop }) => sop === shown?.sop)
    if (at >= 0) setChosen(at)
  }, [slides, shown?.sop])
  useEffect(() => {
    const { go } = props
    const at = go ? slides.findIndex((slide) => levelOf(slide, go.sop)) : -1
    if (at >= 0) setChosen(at)
  }, [slides, props.go])
  useEffect(() => {
    const { go } = props
    if (go?.tool === 'key') setFocus((now) => focusOf(props.instances, go.sop, go.frame) ?? now)
  }, [props.go])
  const slide = slides[Math.min(chosen, slides.length - 1)]
  if (!slide) return null
  const at = focus ?? Math.floor(slide.planes / 2)
  return (
    <div class="slide" data-test="slide-view">
      {(slides.length > 1 || slide.planes > 1) && (
        <div class="row">
          {slides.length > 1 &&
            slides.map((one, n) => (
              <Button key={one.key} pressed={one === slide} onPress={() => setChosen(n)}>
                {one.name || w('sheet.of', { n: n + 1, m: slides.length })}
              </Button>
            ))}
          {slide.planes > 1 && (
            <>
              <Button look="quiet" disabled={at === 0} onPress={() => setFocus(at - 1)}>
                {w('slide.deeper')}
              </Button>
              <span class="meta">{w('slide.plane', { n: at + 1, m: slide.planes })}</span>
              <Button look="quiet" disabled={at + 1 >= slide.planes} onPress={() => setFocus(at + 1)}>
                {w('slide.higher')}
              </Button>
            </>
          )}
        </div>
      )}
      <Glass key={slide.key} {...props} slide={slide} />
    </div>
  )
}

type Held = { tiles: Tiles<Tile, ImageBitmap>; loaded: number }

function Glass({
  slide,
  study,
  series,
  title,
  share,
  names,
  marking,
  go,
  onMoved,
  onPoint,
  onFollow,
  onSeries,
}: Props & { slide: Slide }) {
  const viewport = useViewport()
  const { size, placeOf } = viewport
  const canvas = useRef<HTMLCanvasElement>(null)
  const overview = useRef<HTMLCanvasElement>(null)
  const held = useRef<Held | undefined>(undefined)
  const sight = useRef<Sight>(whole(slide.plane))
  const fingers = useRef(new Map<number, Place>())
  const [mode, setMode] = useState<Mode>('pan')
  const [, setTurn] = useState(0)
  const redraw = () => setTurn((n) => n + 1)
  const { plane } = slide
  const on: On = { study, series, sop: slide.sop, frame: 1 } // as a whole, not the tile of that number
  const drawing = useDrawing(on, marking, () => undefined)
  const ratio = Math.min(2, devicePixelRatio || 1)
  const preview = useMemo(() => previewOf(slide, slideBudget / 2), [slide])

  const levels = useRef<ReadonlyMap<string, Level>>(new Map())
  useEffect(() => {
    const made: Held = {
      loaded: 0,
      tiles: new Tiles<Tile, ImageBitmap>(
        (tile, signal) =>
          tilePixels(study, series, levels.current.get(tile.id) as Level, tile, signal, (n) => {
            made.loaded += n
          }),
        redraw,
        slideBudget,
      ),
    }
    held.current = made
    redraw()
    return () => {
      held.current = undefined
      made.tiles.close()
    }
  }, [slide, study, series])

  const under = useMemo(
    () => (preview ? seen(preview, plane, { width: plane.columns, height: plane.rows }, whole(plane)) : []),
    [preview, plane],
  )
  const ready = size.width > 0 && size.height > 0
  const budget = slideBudget - (preview ? under.length * tileBytes(preview) : 0) - 2e6 // and what is on its way
  const level = ready ? fitting(slide, size, sight.current, ratio, budget) : 0
  const fit = slide.levels[level] as Level
  const all = ready ? seen(fit, plane, size, sight.current) : []
  // Of a slide without small levels as many tiles as the memory holds, around the middle of the view.
  const visible = all.slice(0, Math.max(1, Math.floor(budget / tileBytes(fit))))
  const missing = visible.filter(({ id }) => !held.current?.tiles.of(id) && !held.current?.tiles.isBroken(id))
  const broken = visible.filter(({ id }) => held.current?.tiles.isBroken(id))
  const drawn = ready && missing.length === 0 && visible.length === all.length && held.current !== undefined

  // After each turn: what is seen is asked for, and what is here is drawn.
  useLayoutEffect(() => {
    const { tiles } = held.current ?? {}
    if (!tiles || !ready) return
    const of = (one: Level, some: readonly Tile[]) => some.map(({ id }) => [id, one] as const)
    levels.current = new Map([...(preview ? of(preview, under) : []), ...of(fit, visible)])
    tiles.want([...under, ...visible])
    const seen = { plane, size, sight: sight.current, tiles, preview, under }
    const context = canvas.current?.getContext('2d')
    if (context) paint(context, ratio, { ...seen, level: fit, visible, missing })
    const small = overview.current?.getContext('2d')
    if (small) paintOverview(small, seen)
  })

  const say = () => onMoved({ ...on, ...sight.current })
  const set = (next: Sight) => {
    sight.current = next
    redraw()
  }
  const own = (next: Sight) => {
    set(next)
    say()
  }
  const scale = scaleOf(plane, size, sight.current.zoom)
  const middle = { left: size.width / 2, top: size.height / 2 }
  const most = ready ? closest(slide, size) : 1
  const zoom = (by: number, at: Place = middle) =>
    own(zoomedAt(plane, size, sight.current, at, sight.current.zoom * by, most))
  const move = (dx: number, dy: number) => own(dragged(plane, size, sight.current, dx, dy))

  const target = share.following && share.shown?.sop === slide.sop ? share.shown : undefined
  useEffect(() => {
    if (target) set({ x: target.x, y: target.y, zoom: target.zoom, voi: undefined })
  }, [target])
  useEffect(() => {
    if (share.leading) say()
  }, [share.leading])

  const imageAt = (event: { clientX: number; clientY: number }) => toImage(plane, size, sight.current, placeOf(event))
  const turnTo = (next: Mode) => {
    drawing.drop()
    setMode(next)
  }
  const measuring = isTool(mode) && drawn && marking.may

  // To a mark, once: its middle in the middle, so near that it is seen; to a key image: what was seen.
  const gone = useRef<Going | undefined>(undefined)
  useEffect(() => {
    const to = go && levelOf(slide, go.sop)
    if (!ready || !to || !go?.points?.length || gone.current === go) return
    gone.current = go
    if (go.tool === 'key') {
      const seen = sightOf(to, plane, size, go.points)
      if (seen) own(zoomed(seen, seen.zoom, most))
      return
    }
    const [wide, high] = [go.points.map(({ x }) => x), go.points.map(({ y }) => y)]
    const [left, top] = [Math.min(...wide), Math.min(...high)]
    const [across, down] = [Math.max(...wide) - left, Math.max(...high) - top]
    const near = 1 / (3 * Math.max(across / plane.columns, down / plane.rows, 1e-9))
    own({ ...sight.current, x: left + across / 2, y: top + down / 2, zoom: Math.min(most, Math.max(1, near)) })
  }, [go, ready])

  // What is seen as a key image: of the object that is read, by the tile in the middle.
  const [center] = visible
  const keyOn: On | undefined = drawn && center ? { study, series, sop: center.sop, frame: center.frame } : undefined
  const corners = ready ? cornersOf(fit, plane, size, sight.current) : []
  const near = ({ x, y }: Point, n: number) =>
    Math.hypot(x - (corners[n]?.x ?? 0), y - (corners[n]?.y ?? 0)) * fit.across * scale < 1
  const key = marking.marks.find(
    (one) => one.tool === 'key' && keyOn && same(one, keyOn) && one.points.length === 2 && one.points.every(near),
  )
  const markKey = () => {
    if (!keyOn || !marking.may) return
    const text = power === undefined ? '' : `${rounded(power)}×`
    key ? marking.remove(key) : marking.put(undefined, keyOn, { ...keyImage, points: corners, text })
  }

  const point = (at: Place) => {
    const { x, y } = toImage(plane, size, sight.current, at)
    if (x >= 0 && y >= 0 && x <= plane.columns && y <= plane.rows) onPoint({ sop: slide.sop, frame: 1, x, y })
  }
  const keys = (event: KeyboardEvent) => {
    if ((composing(event) && event.code === '') || event.ctrlKey || event.altKey || event.metaKey) return
    const [wide, high] = [size.width / 8, size.height / 8]
    const deeds: Record<string, () => void> = {
      ArrowLeft: () => move(wide, 0),
      ArrowRight: () => move(-wide, 0),
      ArrowUp: () => move(0, high),
      ArrowDown: () => move(0, -high),
      Equal: () => zoom(1.5),
      NumpadAdd: () => zoom(1.5),
      Minus: () => zoom(1 / 1.5),
      NumpadSubtract: () => zoom(1 / 1.5),
      Home: () => own(whole(plane)),
      Digit0: () => own(whole(plane)),
      KeyP: () => turnTo(mode === 'point' ? 'pan' : 'point'),
      KeyF: () => onFollow(true),
      KeyK: markKey,
      Escape: () => turnTo('pan'),
      Delete: () => marking.may && drawing.remove(),
      Enter: () => {
        if (measuring) drawing.finish(placed(mode, sight.current, Math.min(size.width, size.height) / 8 / scale))
      },
      BracketLeft: () => onSeries(-1),
      BracketRight: () => onSeries(1),
    }
    const deed = deeds[event.code]
    if (!deed) return
    event.preventDefault()
    deed()
  }
  const pressed = (event: PointerEvent) => {
    drawing.choose(undefined)
    fingers.current.set(event.pointerId, placeOf(event))
    if (fingers.current.size > 1)
      drawing.drop() // two fingers zoom
    else if (mode === 'point') point(placeOf(event))
    else if (measuring) drawing.press(mode, event, imageAt(event))
  }
  const swept = (event: PointerEvent) => {
    const was = fingers.current.get(event.pointerId)
    if (fingers.current.size < 2 && drawing.sweep(imageAt(event))) return
    if (!was) return
    const now = placeOf(event)
    fingers.current.set(event.pointerId, now)
    const other = [...fingers.current].find(([id]) => id !== event.pointerId)?.[1]
    if (other) {
      // Two fingers: what lay between them stays between them.
      const apart = (one: Place) => Math.max(8, Math.hypot(one.left - other.left, one.top - other.top))
      const between = (one: Place) => ({ left: (one.left + other.left) / 2, top: (one.top + other.top) / 2 })
      const [from, to] = [between(was), between(now)]
      const moved = dragged(plane, size, sight.current, to.left - from.left, to.top - from.top)
      own(zoomedAt(plane, size, moved, to, moved.zoom * (apart(now) / apart(was)), most))
    } else if (mode === 'point') point(now)
    else if (mode === 'pan') move(now.left - was.left, now.top - was.top)
  }

  const released = (event: PointerEvent) => {
    fingers.current.delete(event.pointerId)
    drawing.release(event, imageAt(event))
  }

  const { zoom: at } = sight.current
  const power = ready ? powerOf(slide, size, at) : undefined
  const bar = ready ? scaleBar(slide, size, at, size.width < 500 ? 80 : 120) : undefined
  const shape = (size.width < 500 ? 96 : 150) / Math.max(plane.columns, plane.rows) // of the overview, its longer side
  const from = toImage(plane, size, sight.current, { left: 0, top: 0 })
  const to = toImage(plane, size, sight.current, { left: size.width, top: size.height })
  const [left, top] = [Math.max(0, from.x) * shape, Math.max(0, from.y) * shape]
  const gigabytes = plane.columns * plane.rows * 3
  return (
    <>
      <div class="row toolbar" role="toolbar" aria-label={w('tool.moving')}>
        <fieldset class="group" aria-label={w('tool.moving')}>
          {(['pan', 'point'] as const).map((one) => (
            <Button key={one} pressed={mode === one} onPress={() => turnTo(one)} test={`slide-${one}`}>
              {w(`tool.${one}`)}
            </Button>
          ))}
        </fieldset>
        {marking.may && (
          <Measures
            mode={mode}
            onMode={turnTo}
            onRemove={marksOn(on, marking).some(({ id }) => id === drawing.chosen) ? drawing.remove : undefined}
          >
            <Button pressed={key !== undefined} disabled={!keyOn} onPress={markKey} test="tool-key">
              {w('tool.key')}
            </Button>
          </Measures>
        )}
        <Button look="quiet" onPress={() => zoom(1.5)} test="slide-in">
          {w('tool.in')}
        </Button>
        <Button look="quiet" onPress={() => zoom(1 / 1.5)} test="slide-out">
          {w('tool.out')}
        </Button>
        <Button look="quiet" onPress={() => own(whole(plane))} test="slide-whole">
          {w('slide.whole')}
        </Button>
        {powers.map((one) => {
          const wanted = ready ? zoomFor(slide, size, one) : undefined
          if (!wanted || wanted > most || wanted < 1) return null
          return (
            <Button
              key={one}
              look="quiet"
              onPress={() => own(zoomedAt(plane, size, sight.current, middle, wanted, most))}
              test={`slide-x${one}`}
            >
              {one}×
            </Button>
          )
        })}
      </div>
      <div
        class={`viewport ${mode}`}
        role="application"
        aria-label={title}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the viewport takes its own keys
        tabIndex={0}
        ref={viewport.ref}
        data-test="slide"
        data-drawn={drawn ? 'true' : 'false'}
        data-level={level}
        data-broken={broken.length}
        data-loaded={held.current?.loaded ?? 0}
        data-held={held.current?.tiles.held() ?? 0}
        data-zoom={at}
        data-x={sight.current.x}
        data-y={sight.current.y}
        onKeyDown={keys}
        onWheel={(event) => {
          event.preventDefault()
          zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, placeOf(event))
        }}
        onPointerDown={(event) => {
          event.currentTarget.focus()
          event.currentTarget.setPointerCapture(event.pointerId)
          pressed(event)
        }}
        onPointerMove={swept}
        onPointerUp={released}
        onPointerCancel={(event) => {
          fingers.current.delete(event.pointerId)
          drawing.drop()
        }}
        onContextMenu={(event) => event.preventDefault()}
      >
        <canvas
          ref={canvas}
          width={Math.round(size.width * ratio)}
          height={Math.round(size.height * ratio)}
          style={{ width: `${size.width}px`, height: `${size.height}px` }}
        />
        {ready && (
          <>
            <Drawn
              drawing={drawing}
              on={on}
              marking={marking}
              names={names}
              plane={plane}
              size={size}
              sight={sight.current}
              may={marking.may && drawn}
              at={imageAt}
            />
            <Pointers
              pointed={share.pointers.filter(({ sop }) => sop === slide.sop)}
              names={names}
              plane={plane}
              size={size}
              sight={sight.current}
            />
          </>
        )}
        <span class="corner tl">{[title, slide.name].filter(Boolean).join(' ')}</span>
        {power !== undefined && (
          <span class="corner tr" data-test="slide-power">
            {w('slide.power', { n: rounded(power) })}
          </span>
        )}
        {preview && (
          <div
            class="overview"
            aria-hidden="true"
            data-test="slide-overview"
            onPointerDown={(event) => {
              event.stopPropagation()
              const box = event.currentTarget.getBoundingClientRect()
              own({ ...sight.current, x: (event.clientX - box.left) / shape, y: (event.clientY - box.top) / shape })
            }}
            style={{ width: `${plane.columns * shape}px`, height: `${plane.rows * shape}px` }}
          >
            <canvas ref={overview} width={Math.round(plane.columns * shape)} height={Math.round(plane.rows * shape)} />
            <span
              data-test="slide-box"
              style={{
                left: `${left}px`,
                top: `${top}px`,
                width: `${Math.max(4, Math.min(plane.columns, to.x) * shape - left)}px`,
                height: `${Math.max(4, Math.min(plane.rows, to.y) * shape - top)}px`,
              }}
            />
          </div>
        )}
        {bar ? (
          <span class="corner bl bar" data-test="slide-bar" data-um={bar.um} data-width={bar.width}>
            <i style={{ width: `${bar.width}px` }} />
            {bar.um >= 1000 ? `${bar.um / 1000} mm` : `${bar.um} µm`}
          </span>
        ) : (
          ready && <span class="corner bl">{w('slide.noscale')}</span>
        )}
        <span class="corner br" data-test="slide-bytes">
          {w('slide.bytes', { a: bytes(held.current?.loaded ?? 0), b: bytes(gigabytes) })}
        </span>
        {!drawn && ready && (
          <span class="corner tc badge" role="status" data-test="badge">
            {all.length > visible.length ? w('slide.part') : w('img.pre')}
          </span>
        )}
        {broken.length === 0 && isTool(mode) && !drawn && ready && <span class="corner bc">{w('mark.wait')}</span>}
        {broken.length > 0 && (
          <span class="corner bc badge" role="alert" data-test="slide-broken">
            <Icon name="warn" /> {w('slide.broken', { n: broken.length })}
          </span>
        )}
      </div>
    </>
  )
}
