// Search and choose by typing: a combobox that leaves Enter and the arrows to the input method while it composes.
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { composing } from './keys'

const pause = 150 // ms without typing before the server is asked

export function Find<T>({
  label,
  ask,
  show,
  keyOf,
  onPick,
  placeholder,
  test,
}: {
  label: string
  ask: (words: string, signal: AbortSignal) => Promise<T[]>
  show: (row: T) => { name: string; note?: string }
  keyOf: (row: T) => string
  onPick: (row: T) => void
  placeholder?: string
  test?: string
}) {
  const id = useId()
  const [words, setWords] = useState('')
  const [rows, setRows] = useState<T[]>([])
  const [at, setAt] = useState(0)
  const latest = useRef(ask)
  latest.current = ask

  useEffect(() => {
    if (words.trim() === '') return setRows([])
    const stop = new AbortController()
    const wait = setTimeout(() => {
      latest
        .current(words.trim(), stop.signal)
        .then((found) => {
          if (stop.signal.aborted) return
          setRows(found)
          setAt(0)
        })
        .catch(() => stop.signal.aborted || setRows([]))
    }, pause)
    return () => {
      clearTimeout(wait)
      stop.abort()
    }
  }, [words])

  const pick = (row: T | undefined) => {
    if (row === undefined) return
    onPick(row)
    setWords('')
    setRows([])
  }

  return (
    <div class="field find">
      <label for={id}>{label}</label>
      <input
        id={id}
        role="combobox"
        aria-expanded={rows.length > 0}
        aria-controls={`${id}-list`}
        aria-activedescendant={rows.length > 0 ? `${id}-${at}` : undefined}
        aria-autocomplete="list"
        autoComplete="off"
        data-test={test}
        placeholder={placeholder}
        value={words}
        onInput={(event) => setWords(event.currentTarget.value)}
        onBlur={() => setTimeout(() => setRows([]), 200)}
        onKeyDown={(event) => {
          if (composing(event)) return
          if (event.key === 'ArrowDown') setAt((n) => Math.min(n + 1, rows.length - 1))
          else if (event.key === 'ArrowUp') setAt((n) => Math.max(n - 1, 0))
          else if (event.key === 'Enter') pick(rows[at])
          else if (event.key === 'Escape' && rows.length > 0) setRows([])
          else return
          event.preventDefault()
        }}
      />
      <div id={`${id}-list`} role="listbox" aria-label={label} hidden={rows.length === 0}>
        {rows.map((row, index) => {
          const { name, note } = show(row)
          return (
            <div
              key={keyOf(row)}
              id={`${id}-${index}`}
              role="option"
              tabIndex={-1}
              aria-selected={index === at}
              onMouseDown={(event) => {
                event.preventDefault()
                pick(row)
              }}
            >
              <span>{name}</span>
              {note && <span class="meta">{note}</span>}
            </div>
          )
        })}
      </div>
    </div>
  )
}
