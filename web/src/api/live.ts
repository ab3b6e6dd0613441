// What changes on the server reaches the page by one event stream; pages then ask again for what they show.
import { signal } from '@preact/signals'
import type { Change, ChangeKind } from './types/common'

type Listener = (change: Change) => void

const listeners = new Set<Listener>()
let source: EventSource | undefined
let retry: ReturnType<typeof setTimeout> | undefined

/** When the stream last said anything, heartbeats included; undefined until it first speaks. */
export const heardAt = signal<number | undefined>(undefined)
export const streamOpen = signal(false)

export function openStream(): void {
  if (source || typeof EventSource === 'undefined') return
  const current = new EventSource('/api/v1/events')
  source = current
  const heard = () => {
    heardAt.value = Date.now()
    streamOpen.value = true
  }
  current.addEventListener('open', () => {
    heard()
    // Whatever happened while the stream was away is unknown: everybody asks again.
    for (const listener of listeners) listener({ kind: 'visit.changed', id: '' })
  })
  current.addEventListener('heartbeat', heard)
  current.addEventListener('change', (event) => {
    heard()
    const change: unknown = JSON.parse(event.data)
    if (isChange(change)) for (const listener of listeners) listener(change)
  })
  current.addEventListener('error', () => {
    streamOpen.value = false
    // EventSource gives up after an HTTP error; the server may only be restarting.
    if (current.readyState === EventSource.CLOSED) {
      closeStream()
      retry = setTimeout(openStream, 2000)
    }
  })
}

export function closeStream(): void {
  clearTimeout(retry)
  source?.close()
  source = undefined
  streamOpen.value = false
}

/** Calls back for changes of these kinds, and after every reconnect. Returns the way to stop. */
export function onChange(kinds: readonly ChangeKind[], callback: Listener): () => void {
  const listener: Listener = (change) => {
    if (change.id === '' || kinds.includes(change.kind)) callback(change)
  }
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export function isChange(value: unknown): value is Change {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Change).kind === 'string' &&
    typeof (value as Change).id === 'string'
  )
}
