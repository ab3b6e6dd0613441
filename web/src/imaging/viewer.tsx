// The viewer: pixels from our own server, tools with words, and the presenter's state when people look together.
import { useEffect, useRef, useState } from 'preact/hooks'
import { Icon } from '../ui/icons'
import { composing } from '../ui/keys'
import { Button } from '../ui/parts'
import type { ShareView, Shown } from './share'
import type { Stack, StackView } from './stack'
import { NotForYou, type Preset, pictures, presets, seriesMetadata } from './study'
import { w } from './words'

type Mode = 'scroll' | 'window' | 'zoom' | 'pan' | 'point'
const modes: readonly Mode[] = ['scroll', 'window', 'zoom', 'pan', 'point']
const presetKeys: readonly Preset[] = ['default', 'lung', 'soft', 'bone', 'brain', 'liver']
const pointerColours = ['#FFC857', '#6FC7D6', '#F29AD6', '#A8E36B']

export type Opened = { study: string; series: string; title: string; modality: string }

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
}

export function Viewer({ opened, share, names, onMoved, onPoint, onLead, onRelease, onFollow, together }: Props) {
  const canvas = useRef<HTMLDivElement>(null)
  const stack = useRef<Stack | undefined>(undefined)
  const [view, setView] = useState<StackView>()
  const [problem, setProblem] = useState<'broken' | 'refused' | undefined>()
  const [mode, setMode] = useState<Mode>('scroll')
  const drag = useRef<{ x: number; y: number; carry: number } | undefined>(undefined)
  const moved = useRef(onMoved)
  moved.current = onMoved

  useEffect(() => {
    const element = canvas.current
    if (!element) return
    let closed = false
    const stop = new AbortController()
    setView(undefined)
    setProblem(undefined)
    const open = async () => {
      const [{ Stack }, instances] = await Promise.all([
        import('./stack'),
        seriesMetadata(opened.study, opened.series, stop.signal),
      ])
      if (closed) return
      const shown = await Stack.open(element, (state) => !closed && setView(state))
      if (closed) return shown.close()
      stack.current = shown
      const images = pictures(opened.study, opened.series, instances)
      await shown.load(images, Math.floor((images.length - 1) / 2))
    }
    open().catch((error: unknown) => {
      if (!closed) setProblem(error instanceof NotForYou ? 'refused' : 'broken')
    })
    return () => {
      closed = true
      stop.abort()
      stack.current?.close()
      stack.current = undefined
    }
  }, [opened.study, opened.series])

  /** Our own move: told to the room. A move that follows the presenter is not. */
  const own = (deed: (stack: Stack) => void | Promise<void>) => {
    const shown = stack.current
    if (!shown) return
    void Promise.resolve(deed(shown)).then(() => {
      const picture = shown.picture()
      if (!picture || stack.current !== shown) return
      const { voi, zoom, x, y } = shown.view()
      moved.current({
        study: opened.study,
        series: opened.series,
        sop: picture.sop,
        frame: picture.frame,
        voi,
        zoom,
        x,
        y,
      })
    })
  }

  // The presenter's state arrives: go there, and nowhere else.
  const target = share.following ? share.shown : undefined
  const ready = view !== undefined
  useEffect(() => {
    const shown = stack.current
    if (!shown || !target || !ready || target.study !== opened.study || target.series !== opened.series) return
    const index = shown.indexOf(target.sop, target.frame)
    if (index < 0) return
    let stale = false
    void shown.show(index).then(() => {
      if (stale || stack.current !== shown) return
      shown.window(target.voi)
      shown.zoom(target.zoom)
      shown.centre(target.x, target.y)
    })
    return () => {
      stale = true
    }
  }, [target, ready, opened.study, opened.series])

  // Who begins to present says at once what is on the screen.
  useEffect(() => {
    if (share.leading) own(() => undefined)
  }, [share.leading, opened.series, ready])

  const step = (by: number) => own((shown) => shown.show(shown.view().index + by))
  const preset = (name: Preset) =>
    own((shown) => (name === 'default' ? shown.resetWindow() : shown.window(presets[name])))

  const keys = (event: KeyboardEvent) => {
    if (composing(event) && event.code === '') return
    const deeds: Record<string, () => void> = {
      ArrowDown: () => step(1),
      ArrowRight: () => step(1),
      ArrowUp: () => step(-1),
      ArrowLeft: () => step(-1),
      Home: () => own((shown) => shown.show(0)),
      End: () => own((shown) => shown.show(shown.view().count - 1)),
      KeyW: () => setMode('window'),
      KeyZ: () => setMode('zoom'),
      KeyP: () => setMode('point'),
      KeyF: () => onFollow(true),
      Escape: () => setMode('scroll'),
    }
    presetKeys.forEach((name, index) => {
      deeds[`Digit${index + 1}`] = () => preset(name)
    })
    const deed = deeds[event.code]
    if (!deed) return
    event.preventDefault()
    deed()
  }

  const place = (event: { clientX: number; clientY: number }) => {
    const box = canvas.current?.getBoundingClientRect()
    return { left: event.clientX - (box?.left ?? 0), top: event.clientY - (box?.top ?? 0) }
  }
  const pointAt = (event: { clientX: number; clientY: number }) => {
    const shown = stack.current
    const picture = shown?.picture()
    const { left, top } = place(event)
    const at = shown?.toImage(left, top)
    if (picture && at) onPoint({ sop: picture.sop, frame: picture.frame, x: at.x, y: at.y })
  }
  const dragged = (event: PointerEvent) => {
    if (mode === 'point') pointAt(event)
    const from = drag.current
    if (!from) return
    const dx = event.clientX - from.x
    const dy = event.clientY - from.y
    from.x = event.clientX
    from.y = event.clientY
    if (mode === 'scroll') {
      from.carry += dy
      const slices = Math.trunc(from.carry / 12)
      from.carry -= slices * 12
      if (slices !== 0) step(slices)
    } else if (mode === 'window')
      own((shown) =>
        shown.window({ center: shown.view().voi.center + dy * 2, width: Math.max(1, shown.view().voi.width + dx * 4) }),
      )
    else if (mode === 'zoom') own((shown) => shown.zoom(shown.view().zoom * (1 - dy / 200)))
    else if (mode === 'pan') own((shown) => shown.drag(dx, dy))
  }

  const wrong = problem !== undefined || view?.failed
  const picture = stack.current?.picture()
  return (
    <section
      class="viewer"
      aria-label={w('img.title')}
      data-test="viewer"
      data-drawn={view?.drawn ? 'true' : 'false'}
      data-index={view?.index ?? -1}
      data-sop={picture?.sop}
      data-window={view ? `${Math.round(view.voi.width)}/${Math.round(view.voi.center)}` : ''}
    >
      <div class="toolbar" role="toolbar" aria-label={w('img.title')}>
        {modes.map((one) => (
          <Button key={one} pressed={mode === one} onPress={() => setMode(one)} test={`tool-${one}`}>
            {w(`tool.${one}`)}
          </Button>
        ))}
        <Button onPress={() => own((shown) => shown.reset())}>{w('tool.reset')}</Button>
        {opened.modality === 'CT' &&
          presetKeys.map((name) => (
            <Button key={name} look="quiet" onPress={() => preset(name)} test={`preset-${name}`}>
              {w(`win.${name}`)}
            </Button>
          ))}
        {opened.modality !== 'CT' && (
          <Button look="quiet" onPress={() => preset('default')}>
            {w('win.default')}
          </Button>
        )}
        <span class="grow" />
        {together && (
          <>
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
            <Button look={share.leading ? 'plain' : 'primary'} onPress={share.leading ? onRelease : onLead} test="lead">
              {share.leading ? w('lead.release') : w('lead.take')}
            </Button>
          </>
        )}
      </div>
      <div
        class="viewport"
        role="application"
        aria-label={opened.title}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the viewport takes its own keys
        tabIndex={0}
        data-test="viewport"
        onKeyDown={keys}
        onWheel={(event) => {
          event.preventDefault()
          step(event.deltaY > 0 ? 1 : -1)
        }}
        onPointerDown={(event) => {
          event.currentTarget.focus()
          event.currentTarget.setPointerCapture(event.pointerId)
          drag.current = { x: event.clientX, y: event.clientY, carry: 0 }
          if (mode === 'point') pointAt(event)
        }}
        onPointerMove={dragged}
        onPointerUp={() => (drag.current = undefined)}
        onPointerCancel={() => (drag.current = undefined)}
        onContextMenu={(event) => event.preventDefault()}
      >
        <div class="canvas" ref={canvas} />
        {(wrong || !view?.drawn) && (
          <div class="failed" role={wrong ? 'alert' : 'status'} data-test="blank">
            {wrong ? (
              <>
                <Icon name="warn" />
                <span>{problem === 'refused' ? w('img.refused') : w('img.err')}</span>
              </>
            ) : (
              <span class="meta">{view ? w('img.loading', { n: view.index + 1 }) : w('img.viewer')}</span>
            )}
          </div>
        )}
        {view && (
          <>
            <span class="corner tl">{opened.title}</span>
            <span class="corner tr">{w('img.slice', { n: view.index + 1, m: view.count })}</span>
            <span class="corner bl">
              {w('img.window', { w: Math.round(view.voi.width), c: Math.round(view.voi.center) })}
            </span>
            <span class="corner br">{w('img.ready', { n: Math.min(view.ready, view.count), m: view.count })}</span>
            {view.drawn &&
              share.pointers
                .filter((one) => one.sop === picture?.sop && one.frame === picture.frame)
                .map((one) => {
                  const at = stack.current?.toScreen(one.x, one.y)
                  const colour =
                    pointerColours[Math.max(0, Object.keys(names).sort().indexOf(one.seat)) % pointerColours.length]
                  return (
                    at && (
                      <span
                        key={one.seat}
                        class="pointer"
                        style={{ left: `${at.left}px`, top: `${at.top}px`, color: colour }}
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
                  )
                })}
          </>
        )}
      </div>
      <div class="slider">
        <input
          type="range"
          min={1}
          max={Math.max(1, view?.count ?? 1)}
          value={(view?.index ?? 0) + 1}
          aria-label={w('img.slice', { n: (view?.index ?? 0) + 1, m: view?.count ?? 0 })}
          onInput={(event) => {
            const to = Number(event.currentTarget.value) - 1
            own((shown) => shown.show(to))
          }}
        />
        <span class="meta">{w('img.slice', { n: (view?.index ?? 0) + 1, m: view?.count ?? 0 })}</span>
      </div>
    </section>
  )
}
