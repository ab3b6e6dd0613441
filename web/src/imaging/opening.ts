// A series as it is opened: what it holds, previews within seconds, then the originals, when the memory has room for
// them or the reader has agreed to keep only some.
import type { RefObject } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Previews } from './previews'
import { isSheet } from './sheets'
import { type Sight, whole } from './sight'
import { slidesOf } from './slide'
import type { Stack } from './stack'
import {
  bytesOf,
  hasPixels,
  type Instance,
  memoryBudget,
  NotForYou,
  type Picture,
  pictures,
  planeOf,
  seriesMetadata,
} from './study'

// On a bad line the pictures of all slices come before the first original and its decoders, on a good one they take no
// time; a very long series must not keep it away for ever.
const previewsFirst = 25_000 // ms

export type Opened = {
  study: string
  series: string
  title: string
  modality: string
  /** When the study was made, as DICOM says it (DA). */
  date?: string
}

/** What the originals of a series take when all are held, and the largest of them, in bytes. */
export type Weight = { bytes: number; largest: number }
export const noWeight: Weight = { bytes: 0, largest: 0 }

export type Series = Weight & {
  uid: string
  sheets: Instance[]
  glass: Instance[]
  pictures: Picture[]
  previews: Previews
}
export type State = { index: number; sight: Sight }

export type Opening = {
  held: Series | undefined
  stack: RefObject<Stack | undefined>
  state: RefObject<State>
  problem: 'broken' | 'refused' | undefined
  /** Originals may be fetched. */
  open: boolean
  budget: number // bytes
  other: Weight
  tooBig: boolean
  /** More than the memory holds, and nobody has agreed to it yet. */
  over: boolean
  agree: () => void
  redraw: () => void
}

/** `canvas` takes the originals, `other` is held beside them; `onNew` is told before another series comes in. */
export function useOpening(
  { study, series }: Opened,
  canvas: RefObject<HTMLDivElement | null>,
  other: Weight,
  onNew: () => void,
): Opening {
  const stack = useRef<Stack | undefined>(undefined)
  const holds = useRef<Series | undefined>(undefined)
  const state = useRef<State>({ index: 0, sight: { x: 0, y: 0, zoom: 1, voi: undefined } })
  const [, setTurn] = useState(0)
  const redraw = () => setTurn((n) => n + 1)
  const [problem, setProblem] = useState<'broken' | 'refused' | undefined>()
  const [agreed, setAgreed] = useState(false)
  const [free, setFree] = useState(false)
  const budget = memoryBudget((navigator as { deviceMemory?: number }).deviceMemory)

  // Metadata and previews first: neither needs Cornerstone.
  useEffect(() => {
    const stop = new AbortController()
    setProblem(undefined)
    setAgreed(false)
    setFree(false)
    const patience = setTimeout(() => setFree(true), previewsFirst)
    onNew()
    holds.current = undefined
    redraw()
    seriesMetadata(study, series, stop.signal)
      .then((instances) => {
        if (stop.signal.aborted) return
        const glass = slidesOf(instances).length > 0 ? instances : []
        const all = glass.length > 0 ? [] : pictures(study, series, instances.filter(hasPixels))
        const sizes = all.map(bytesOf)
        holds.current = {
          uid: series,
          sheets: all.length === 0 && glass.length === 0 ? instances.filter(isSheet) : [],
          glass,
          pictures: all,
          previews: new Previews(all, () => {
            redraw()
            if (!holds.current?.previews.idle()) return
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
          holds.current.previews.want(index, undefined)
        }
        redraw()
      })
      .catch((error: unknown) => {
        if (!stop.signal.aborted) setProblem(error instanceof NotForYou ? 'refused' : 'broken')
      })
    return () => {
      stop.abort()
      clearTimeout(patience)
      holds.current?.previews.close()
      holds.current = undefined
    }
  }, [study, series])

  // Then the originals, when they fit into the memory or the reader has agreed to keep only some.
  const held = holds.current?.uid === series ? holds.current : undefined // never another's under this one's name
  const opened = stack.current !== undefined // and stays so when another comes beside it
  const tooBig = held !== undefined && !opened && held.largest + other.largest > budget * 0.8
  const over = held !== undefined && !opened && held.bytes + other.bytes > budget && !agreed
  const open = free && held !== undefined && held.pictures.length > 0 && !tooBig && !over
  const share = other.bytes > 0 ? budget / 2 : budget
  useEffect(() => {
    const element = canvas.current
    const all = holds.current?.pictures
    if (!open || !element || !all) return
    let closed = false
    void import('./stack')
      .then(({ Stack }) => Stack.open(element, all, budget, redraw, () => holds.current?.previews.idle() ?? false))
      .then((made) => {
        if (closed) return made.close()
        stack.current = made
        made.limit(part.current)
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
  const part = useRef(share)
  part.current = share
  useEffect(() => stack.current?.limit(share), [share])

  return { held, stack, state, problem, open, budget, other, tooBig, over, agree: () => setAgreed(true), redraw }
}
