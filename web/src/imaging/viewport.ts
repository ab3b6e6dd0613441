// The element that an image is looked at in: how large it is, and where in it a hand is.
import type { RefObject } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Place, Size } from './sight'

export type Viewport = {
  ref: RefObject<HTMLDivElement | null>
  /** In pixels of CSS; none until it is laid out, and while it is hidden. */
  size: Size
  placeOf: (event: { clientX: number; clientY: number }) => Place
}

export function useViewport(): Viewport {
  const ref = useRef<HTMLDivElement>(null)
  const [size, setSize] = useState({ width: 0, height: 0 })
  useLayoutEffect(() => {
    const element = ref.current
    if (!element) return
    const measure = () => setSize({ width: element.clientWidth, height: element.clientHeight })
    measure()
    const watch = new ResizeObserver(measure)
    watch.observe(element)
    return () => watch.disconnect()
  }, [])
  return {
    ref,
    size,
    placeOf: (event) => {
      const box = ref.current?.getBoundingClientRect()
      return { left: event.clientX - (box?.left ?? 0), top: event.clientY - (box?.top ?? 0) }
    },
  }
}
