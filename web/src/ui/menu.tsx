// A menu of links in a bar: opened by a press or an arrow, left by Escape, by a choice or by going elsewhere.
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { composing } from './keys'

/** `holds` the page that is open; `at` changes when another one is. */
export function Menu({
  label,
  holds,
  at,
  children,
}: {
  label: string
  holds: boolean
  at: string
  children: ComponentChildren
}) {
  const id = useId()
  const box = useRef<HTMLDivElement>(null)
  const button = useRef<HTMLButtonElement>(null)
  const [place, setPlace] = useState<{ left: number; top: number }>() // where it hangs, while it is open
  const close = () => setPlace(undefined)
  const open = () => {
    const { left = 0, bottom = 0 } = button.current?.getBoundingClientRect() ?? {}
    setPlace({ left, top: bottom })
  }
  useEffect(close, [at])
  useEffect(() => {
    if (!place) return
    const elsewhere = (event: Event) => {
      if (!(event.target instanceof Node && box.current?.contains(event.target))) close()
    }
    const events = ['pointerdown', 'focusin', 'scroll', 'resize'] // the bar may move away under it
    for (const name of events) addEventListener(name, elsewhere, true)
    return () => {
      for (const name of events) removeEventListener(name, elsewhere, true)
    }
  }, [place])
  const keys = (event: KeyboardEvent) => {
    if (composing(event)) return
    const links = [...(box.current?.querySelectorAll('a') ?? [])]
    const now = links.indexOf(document.activeElement as HTMLAnchorElement)
    const to = (n: number) => links[(n + links.length) % links.length]?.focus()
    const deeds: Record<string, (() => void) | undefined> = {
      Escape: place && close,
      ArrowDown: () => to(now + 1),
      ArrowUp: () => to(now < 0 ? -1 : now - 1),
      Home: place && (() => to(0)),
      End: place && (() => to(-1)),
    }
    const deed = deeds[event.code]
    if (!deed) return
    event.preventDefault()
    if (event.code === 'Escape') button.current?.focus()
    else if (!place) {
      open()
      requestAnimationFrame(() => box.current?.querySelector('a')?.focus())
      return
    }
    deed()
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys are those of the button and the links within
    <div class="menu" ref={box} onKeyDown={keys}>
      <button
        type="button"
        ref={button}
        aria-expanded={place !== undefined}
        aria-controls={id}
        aria-current={holds ? 'true' : undefined}
        onClick={() => (place ? close() : open())}
      >
        {label} <span aria-hidden="true">▾</span>
      </button>
      <div
        id={id}
        class="sheet"
        hidden={!place}
        style={{ '--left': `${place?.left ?? 0}px`, top: `${place?.top ?? 0}px` }}
      >
        {children}
      </div>
    </div>
  )
}
