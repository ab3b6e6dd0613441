// Keyboards of Chinese hospitals: function keys by event.code, deaf while an input method composes.
import { useEffect, useRef } from 'preact/hooks'

/** True while an input method holds the key: 229 also comes on the Enter that ends a composition. */
export function composing(event: Pick<KeyboardEvent, 'isComposing' | 'keyCode'>): boolean {
  return event.isComposing || event.keyCode === 229
}

/** Function keys and Ctrl chords of the whole screen, by code: { F2: next, 'Ctrl+KeyK': find }. */
export function useKeys(deeds: Record<string, (() => void) | undefined>): void {
  const latest = useRef(deeds)
  latest.current = deeds
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (composing(event) || event.repeat || document.querySelector('dialog[open]')) return
      const deed = latest.current[`${event.ctrlKey ? 'Ctrl+' : ''}${event.code}`]
      if (!deed) return
      event.preventDefault()
      deed()
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [])
}
