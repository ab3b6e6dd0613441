// The images that are asked about, and beside them an earlier study of the same patient when the reader wants it: two
// viewers, each its own, tied in slice and, if wished, window. Only what lies with the consult can be chosen.
import { useEffect, useMemo, useState } from 'preact/hooks'
import { composing } from '../ui/keys'
import { Button, Select } from '../ui/parts'
import { Link, type Side } from './linked'
import { noWeight, type Opened, type Weight } from './opening'
import { noShare } from './share'
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

export function Compared({ all, ...props }: Props & { all: readonly Opened[] }) {
  const { opened } = props
  const [, setTurn] = useState(0)
  const link = useMemo(() => new Link(() => setTurn((n) => n + 1)), [])
  const [chosen, setChosen] = useState<string>()
  const [shown, setShown] = useState<Side>('main') // where only one has room
  const [weights, setWeights] = useState<Record<Side, Weight>>({ main: noWeight, beside: noWeight })
  const others = othersOf(opened, all)
  const beside = others.find(({ series }) => series === chosen)
  const open = () => {
    setChosen(priorOf(opened, all)?.series)
    setShown('beside')
  }
  const close = () => {
    setChosen(undefined)
    setShown('main')
  }
  // The series beside has become the one that is read.
  useEffect(() => {
    if (chosen !== undefined && !beside) close()
  }, [chosen, beside])
  const pairOf = (side: Side, tag: string) => ({
    side,
    link,
    tag,
    other: beside ? weights[side === 'main' ? 'beside' : 'main'] : noWeight,
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
      KeyS: beside && (() => link.tie(!link.scroll, link.window)),
      KeyV: beside && (() => link.tie(link.scroll, !link.window)),
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
      {others.length > 0 && (
        <section class="choice row" aria-label={w('cmp.open')}>
          {!beside ? (
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
                onChange={setChosen}
              />
              <Button
                pressed={link.scroll}
                disabled={way.by === 'none'}
                onPress={() => link.tie(!link.scroll, link.window)}
                test="link-scroll"
              >
                {w('cmp.scroll')}
              </Button>
              <Button pressed={link.window} onPress={() => link.tie(link.scroll, !link.window)} test="link-window">
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
      <Viewer {...props} {...(beside ? { pair: pairOf('main', w('cmp.main')) } : {})} />
      {beside && (
        <Viewer
          {...props}
          opened={beside}
          share={{ ...noShare, pointers: props.share.pointers }}
          together={false}
          onMoved={() => {}}
          onFollow={() => {}}
          go={undefined}
          onSeries={(by) => setChosen(others[others.indexOf(beside) + by]?.series ?? beside.series)}
          pair={pairOf('beside', w(`cmp.${relationOf(beside, opened)}`))}
        />
      )}
    </div>
  )
}

const viewportsIn = (element: HTMLElement) => [...element.querySelectorAll<HTMLElement>('[role=application]')]
