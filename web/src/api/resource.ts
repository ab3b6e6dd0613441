// A value that lives on the server, as a page holds it: known data stays while it refreshes.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { asProblem, type Problem } from './client'
import { onChange } from './live'
import type { ChangeKind } from './types/common'

export type Resource<T> = {
  value: T | undefined
  problem: Problem | undefined
  loading: boolean
  refresh: () => void
  set: (value: T) => void
}

/** Loads with `load` when `key` changes and again on every change of these kinds; `undefined` key waits. */
export function useResource<T>(
  key: string | undefined,
  load: (signal: AbortSignal) => Promise<T>,
  kinds: readonly ChangeKind[] = [],
): Resource<T> {
  const [held, setHeld] = useState<{ key: string; value: T }>()
  const [problem, setProblem] = useState<Problem>()
  const [loading, setLoading] = useState(key !== undefined)
  const [turn, setTurn] = useState(0)
  const latest = useRef(load)
  latest.current = load
  const refresh = useCallback(() => setTurn((n) => n + 1), [])

  useEffect(() => {
    if (key === undefined) return
    const stop = new AbortController()
    setLoading(true)
    latest
      .current(stop.signal)
      .then((value) => {
        if (stop.signal.aborted) return
        setHeld({ key, value })
        setProblem(undefined)
        setLoading(false)
      })
      .catch((error: unknown) => {
        if (stop.signal.aborted) return
        setProblem(asProblem(error))
        setLoading(false)
      })
    return () => stop.abort()
  }, [key, turn])

  const watched = kinds.join(' ')
  useEffect(() => {
    if (watched === '') return
    return onChange(watched.split(' ') as ChangeKind[], refresh)
  }, [watched, refresh])

  const set = useCallback((value: T) => key !== undefined && setHeld({ key, value }), [key])
  return { value: held && held.key === key ? held.value : undefined, problem, loading, refresh, set }
}

export type Deed = {
  run: (work: () => Promise<void>) => Promise<void>
  busy: boolean
  problem: Problem | undefined
  clear: () => void
}

/** A deed a person presses: one at a time, its refusal kept for the page to show. */
export function useDeed(): Deed {
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const running = useRef(false)
  const run = useCallback(async (work: () => Promise<void>) => {
    if (running.current) return
    running.current = true
    setBusy(true)
    setProblem(undefined)
    try {
      await work()
    } catch (error) {
      setProblem(asProblem(error))
    } finally {
      running.current = false
      setBusy(false)
    }
  }, [])
  return { run, busy, problem, clear: useCallback(() => setProblem(undefined), []) }
}

/** One idempotency key for as long as the deed stays word for word the same; a changed deed gets a new one. */
export function useOnce(): (deed: unknown) => string {
  const held = useRef({ deed: '', key: '' })
  return useCallback((deed: unknown) => {
    const text = JSON.stringify(deed)
    if (held.current.deed !== text) held.current = { deed: text, key: crypto.randomUUID() }
    return held.current.key
  }, [])
}
