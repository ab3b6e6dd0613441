// What the platform says of itself: each part, well or not, in words.
import { useResource } from '../api/resource'
import { clock } from '../i18n/format'
import { Icon } from '../ui/icons'
import { Button, Loading, ProblemNote, useTitle } from '../ui/parts'
import { w } from './words'

type Part = { name: string; ok: boolean; detail: string }
type Ready = { ok: boolean; parts: Part[]; at: Date }

/** /readyz in any of its shapes as rows: name, well or not, what it says. */
export function rows(body: unknown): Part[] {
  if (typeof body !== 'object' || body === null) return []
  return Object.entries(body).flatMap(([name, value]): Part[] => {
    if (typeof value === 'string')
      return name === 'status' ? [] : [{ name, ok: !/error|fail|down/i.test(value), detail: value }]
    if (typeof value !== 'object' || value === null) return []
    if (Array.isArray(value))
      return value.flatMap((one: unknown) =>
        isPart(one) ? [{ name: one.name, ok: one.ok, detail: one.detail ?? '' }] : [],
      )
    if ('ok' in value) {
      const { ok, detail, kind } = value as { ok: unknown; detail?: unknown; kind?: unknown }
      return [{ name, ok: ok === true, detail: [kind, detail].filter((one) => typeof one === 'string').join(' ') }]
    }
    return rows(value)
  })
}

const isPart = (value: unknown): value is { name: string; ok: boolean; detail?: string } =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as Part).name === 'string' &&
  typeof (value as Part).ok === 'boolean'

async function readiness(signal: AbortSignal): Promise<Ready> {
  const response = await fetch('/readyz', { signal, headers: { Accept: 'application/json' }, cache: 'no-store' })
  const body: unknown = await response.json().catch(() => ({}))
  return { ok: response.ok, parts: rows(body), at: new Date() }
}

const known = { database: 'st.database', store: 'st.store', bus: 'st.bus', turn: 'st.turn' } as const

export function Status() {
  const ready = useResource('ready', readiness)
  useTitle(w('st.title'))
  const state = ready.value
  const bad = state?.parts.filter((part) => !part.ok).length ?? 0
  return (
    <main class="column paper" id="content">
      <div class="top">
        <h1>{w('st.title')}</h1>
        <Button onPress={ready.refresh} busy={ready.loading}>
          {w('st.again')}
        </Button>
      </div>
      <ProblemNote problem={ready.problem} again={ready.refresh} />
      {!state && !ready.problem && <Loading />}
      {state && (
        <>
          <p class="figure">{state.ok && bad === 0 ? w('st.ok') : w('st.bad', { n: Math.max(1, bad) })}</p>
          <table>
            <tbody>
              {state.parts.map((part) => (
                <tr key={part.name}>
                  <th scope="row">{part.name in known ? w(known[part.name as keyof typeof known]) : part.name}</th>
                  <td>
                    <span class={`tag ${part.ok ? 'ok' : 'danger'}`}>
                      <Icon name={part.ok ? 'check' : 'warn'} /> {part.ok ? w('st.good') : w('st.wrong')}
                    </span>
                  </td>
                  <td>{part.detail}</td>
                </tr>
              ))}
            </tbody>
          </table>
          <p class="meta">{w('st.checked', { at: clock(state.at) })}</p>
        </>
      )}
    </main>
  )
}
