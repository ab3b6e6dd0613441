// What the platform says of itself: each part, well or not, in words.
import { useResource } from '../api/resource'
import { clock } from '../i18n/format'
import { Icon } from '../ui/icons'
import { Button, Loading, ProblemNote, useTitle } from '../ui/parts'
import { w } from './words'

type Part = { name: string; ok: boolean; detail: string }
type Ready = { ok: boolean; parts: Part[]; at: Date }

/** The engines that /readyz names: name, well or not, what kind. */
export function rows(body: unknown): Part[] {
  if (typeof body !== 'object' || body === null) return []
  return Object.entries(body).flatMap(([name, value]: [string, unknown]): Part[] => {
    if (typeof value !== 'object' || value === null || !('ok' in value)) return []
    const told = 'kind' in value ? value.kind : 'version' in value ? value.version : ''
    return [{ name, ok: value.ok === true, detail: typeof told === 'string' ? told : '' }]
  })
}

async function readiness(signal: AbortSignal): Promise<Ready> {
  const response = await fetch('/readyz', { signal, headers: { Accept: 'application/json' }, cache: 'no-store' })
  const body: unknown = await response.json().catch(() => ({}))
  return { ok: response.ok, parts: rows(body), at: new Date() }
}

const known = { database: 'st.database', store: 'st.store', bus: 'st.bus', formulary: 'st.formulary' } as const

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
