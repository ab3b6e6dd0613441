// The images that are asked about, and beside them an earlier study of the same patient when the reader wants it: two
// viewers, each its own, tied in slice and, if wished, window. Only what lies with the consult can be chosen. Who follows
// a presenter sees the presenter's pair, tied as there; their first own move, on either image or on the pair, is free look.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import { composing } from '../ui/keys'
import { Button, Select } from '../ui/parts'
import { Link, type Side } from './linked'
import { noWeight, type Opened, type Weight } from './opening'
import type { Seen, Shown } from './share'
import { type Props, Viewer } from './viewer'
import { w } from './words'

/** What a series is beside the one that is read; without two days that differ nothing is called earlier. */
export function relationOf(one: Opened, to: Opened): 'same' | 'earlier' | 'later' | 'other' {
  if (one.study === to.study) return 'same'
  if (!one.date || !to.date || one.date === to.date) return 'other'
  return one.date > to.date ? 'later' : 'earlier'
}

const unseen = ['SR', 'PR', 'KO'] // reports and marks show no image of their own
/** What can stand beside a series. */
const othersOf = (opened: Opened, all: readonly Opened[]): Opened[] =>
  all.filter(({ series, modality }) => series !== opened.series && !unseen.includes(modality))

/** The series to offer first: the newest earlier one that was made alike, else any earlier one, else another. */
export function priorOf(opened: Opened, all: readonly Opened[]): Opened | undefined {
  const others = othersOf(opened, all)
  const earlier = others
    .filter((one) => relationOf(one, opened) === 'earlier')
    .sort((a, b) => (b.date ?? '').localeCompare(a.date ?? ''))
  return earlier.find(({ modality }) => modality === opened.modality) ?? earlier[0] ?? others[0]
}

/** Whether a presenter shows something beside that is not for us: not with our consult, or refused by the archive. */
export const isWithheld = (led: Shown | undefined, all: readonly Opened[], refused: string | undefined): boolean =>
  led?.beside !== undefined &&
  (led.beside.series === refused ||
    !all.some(({ study, series }) => study === led.beside?.study && series === led.beside.series))

export function Compared({ all, ...props }: Props & { all: readonly Opened[] }) {
  const { opened, share } = props
  const [, setTurn] = useState(0)
  const link = useMemo(() => new Link(() => setTurn((n) => n + 1)), [])
  const [chosen, setChosen] = useState<string>()
  const [shown, setShown] = useState<Side>('main') // where only one has room
  const [weights, setWeights] = useState<Record<Side, Weight>>({ main: noWeight, beside: noWeight })
  const [refused, setRefused] = useState<string>() // the series that the archive does not show us
  const standing = useRef<{ main?: Seen | undefined; beside?: Seen | undefined }>({})
  const led = share.following ? share.shown : undefined
  const wanted = led ? led.beside?.series : chosen
  const others = othersOf(opened, all)
  const known = others.find(({ series }) => series === wanted)
  const withheld = isWithheld(led, all, refused)
  const beside = withheld ? undefined : known
  useLayoutEffect(() => {
    link.lead(led?.beside && { scroll: led.beside.scroll, window: led.beside.window, way: led.beside.way })
    if (!led) return
    standing.current = { main: led, beside: led.beside }
    setChosen(led.beside?.series)
    if (!led.beside) setShown('main')
  }, [link, led])
  useEffect(() => setRefused(undefined), [wanted])

  // What stands here, for the room: once for all that one move has moved.
  const tell = useRef(() => {})
  const due = useRef(false)
  tell.current = () => {
    const { main, beside: other } = standing.current
    if (main?.series !== opened.series) return
    const pair = beside && other?.series === beside.series ? { ...other, ...link.tied() } : undefined
    props.onMoved({ ...main, beside: pair })
  }
  const say = () => {
    if (due.current) return
    due.current = true
    queueMicrotask(() => {
      due.current = false
      tell.current()
    })
  }
  const moved = (side: Side) => (seen: Shown) => {
    standing.current = { ...standing.current, [side]: seen }
    link.free(side)
    say()
  }
  useEffect(() => {
    if (share.leading) say()
  }, [beside?.series, link.scroll, link.window, link.way])
  /** Done to the pair by ourselves. */
  const own = (deed: () => void) => () => {
    if (share.following) props.onFollow(false)
    deed()
  }
  const open = own(() => {
    setChosen(priorOf(opened, all)?.series)
    setShown('beside')
  })
  const choose = (series: string) => own(() => setChosen(series))()
  const leave = () => {
    setChosen(undefined)
    setShown('main')
  }
  const close = own(leave)
  const tieScroll = own(() => link.tie(!link.scroll, link.window))
  const tieWindow = own(() => link.tie(link.scroll, !link.window))
  // The series beside has become the one that is read.
  useEffect(() => {
    if (!led && chosen !== undefined && !known) leave()
  }, [led, chosen, known])
  const pairOf = (side: Side, tag: string) => ({
    side,
    link,
    tag,
    other: beside ? weights[side === 'main' ? 'beside' : 'main'] : noWeight,
    onRefused: () => side === 'beside' && setRefused(wanted),
    onWeight: ({ bytes, largest }: Weight) => setWeights((known) => ({ ...known, [side]: { bytes, largest } })),
  })
  const { way } = link
  const apart = way.by === 'offset' ? Math.round(way.mm * 10) / 10 : way.by === 'slices' ? way.slices : 0
  const keys = (event: KeyboardEvent) => {
    const { target } = event
    if (!(target instanceof HTMLElement) || target.getAttribute('role') !== 'application') return
    if ((composing(event) && event.code === '') || event.ctrlKey || event.altKey || event.metaKey) return
    const deeds: Record<string, (() => void) | undefined> = {
      KeyC: others.length > 0 ? (beside ? close : open) : undefined,
      KeyS: beside && tieScroll,
      KeyV: beside && tieWindow,
      KeyO: () => {
        const [one, other] = event.currentTarget instanceof HTMLElement ? viewportsIn(event.currentTarget) : []
        setShown(target === one ? 'beside' : 'main')
        requestAnimationFrame(() => (target === one ? other : one)?.focus())
      },
    }
    const deed = deeds[event.code]
    if (!deed) return
    event.preventDefault()
    deed()
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys are those of the viewports within
    <div class={`compared${beside ? ' paired' : ''}`} data-test="compared" data-shown={shown} onKeyDown={keys}>
      {(others.length > 0 || withheld) && (
        <section class="choice row" aria-label={w('cmp.open')}>
          {withheld ? (
            <span class="tag warn" role="status" data-test="withheld">
              {w('cmp.withheld')}
            </span>
          ) : !beside ? (
            <Button icon="file" onPress={open} test="compare">
              {w('cmp.open')} <kbd>C</kbd>
            </Button>
          ) : (
            <>
              <div class="group switch">
                {(['main', 'beside'] as const).map((side) => (
                  <Button key={side} pressed={shown === side} onPress={() => setShown(side)} test={`show-${side}`}>
                    {w(`cmp.${side}`)}
                  </Button>
                ))}
              </div>
              <Select
                label={w('cmp.with')}
                value={beside.series}
                options={others.map((one) => ({
                  value: one.series,
                  label: `${w(`cmp.${relationOf(one, opened)}`)} ${one.title}`,
                }))}
                onChange={choose}
              />
              <Button pressed={link.scroll} disabled={way.by === 'none'} onPress={tieScroll} test="link-scroll">
                {w('cmp.scroll')}
              </Button>
              <Button pressed={link.window} onPress={tieWindow} test="link-window">
                {w('cmp.window')}
              </Button>
              <Button look="quiet" onPress={close} test="compare-close">
                {w('cmp.close')}
              </Button>
              <span class="meta" role="status" data-test="way" data-by={way.by}>
                {way.by === 'none' || link.scroll ? w(`cmp.${way.by}`, { n: apart }) : ''}
              </span>
            </>
          )}
        </section>
      )}
      <Viewer {...props} onMoved={moved('main')} {...(beside ? { pair: pairOf('main', w('cmp.main')) } : {})} />
      {beside && (
        <Viewer
          {...props}
          opened={beside}
          share={{ ...share, shown: share.shown?.beside }}
          together={false}
          onMoved={moved('beside')}
          go={undefined}
          onSeries={(by) => choose(others[others.indexOf(beside) + by]?.series ?? beside.series)}
          pair={pairOf('beside', w(`cmp.${relationOf(beside, opened)}`))}
        />
      )}
    </div>
  )
}

const viewportsIn = (element: HTMLElement) => [...element.querySelectorAll<HTMLElement>('[role=application]')]
