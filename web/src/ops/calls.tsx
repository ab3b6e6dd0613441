// The lines of the last 24 hours: how calls were, hour by hour, and which to ring about. No names.
import { get } from '../api/client'
import { useResource } from '../api/resource'
import type { Calls } from '../api/types/ops'
import { clock, moment } from '../i18n/format'
import { Icon } from '../ui/icons'
import { Button, Loading, ProblemNote, useTitle } from '../ui/parts'
import { roleWordOfSeat } from '../visit/room_words'
import { w } from './words'

const percent = (part: number) => `${(part * 100).toFixed(part > 0 && part < 0.1 ? 1 : 0)}\u00a0%`
const ms = (n: number) => `${Math.round(n)}\u00a0ms`

/** Beyond these a person hears it: the norms for telemedicine name 300 ms and 3 %. */
export const bad = { rtt: 300, loss: 0.03, concealed: 0.03 }

function Figure({ value, over }: { value: string; over: boolean }) {
  return over ? (
    <span class="tag warn">
      <Icon name="warn" /> {value}
    </span>
  ) : (
    <span>{value}</span>
  )
}

export function CallsPage() {
  const calls = useResource('calls', (signal) => get<Calls>('/calls', signal))
  useTitle(w('calls.title'))
  return (
    <main class="column paper" id="content" data-test="calls">
      <div class="top">
        <h1>{w('calls.title')}</h1>
        <Button onPress={calls.refresh} busy={calls.loading}>
          {w('st.again')}
        </Button>
      </div>
      <ProblemNote problem={calls.problem} again={calls.refresh} />
      {!calls.value && !calls.problem && <Loading />}
      {calls.value && <CallTables calls={calls.value} />}
    </main>
  )
}

export function CallTables({ calls }: { calls: Calls }) {
  if (calls.hours.length === 0)
    return (
      <div class="empty">
        <p>{w('calls.none')}</p>
        <p class="meta">{w('calls.since', { at: moment(calls.since) })}</p>
      </div>
    )
  return (
    <>
      <section class="stack">
        <h2>{w('calls.worst')}</h2>
        {calls.worst.length === 0 && <p>{w('calls.worst.none')}</p>}
        {calls.worst.length > 0 && (
          <table data-test="worst">
            <thead>
              <tr>
                <th scope="col">{w('calls.visit')}</th>
                <th scope="col">{w('calls.seat')}</th>
                <th scope="col">{w('calls.concealed')}</th>
                <th scope="col">{w('calls.gaps')}</th>
                <th scope="col">{w('calls.loss')}</th>
                <th scope="col">{w('calls.rtt')}</th>
                <th scope="col">{w('calls.sound')}</th>
                <th scope="col">{w('calls.relay')}</th>
              </tr>
            </thead>
            <tbody>
              {calls.worst.map((call) => (
                <tr key={call.id + call.seat}>
                  <th scope="row">
                    {clock(call.at)} {call.institution} <span class="mono">{call.id.slice(-6)}</span>
                  </th>
                  <td>{roleWordOfSeat(call.seat)}</td>
                  <td>
                    <Figure value={percent(call.concealed)} over={call.concealed > bad.concealed} />
                  </td>
                  <td>
                    <Figure value={String(call.gaps)} over={call.gaps > 0} />
                  </td>
                  <td>
                    <Figure value={percent(call.loss)} over={call.loss > bad.loss} />
                  </td>
                  <td>
                    <Figure value={ms(call.rtt_ms)} over={call.rtt_ms > bad.rtt} />
                  </td>
                  <td>{percent(call.sound_only)}</td>
                  <td>{percent(call.relay)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </section>
      <section class="stack">
        <h2>{w('calls.hours')}</h2>
        <table data-test="hours">
          <thead>
            <tr>
              <th scope="col">{w('calls.hour')}</th>
              <th scope="col">{w('calls.visits')}</th>
              <th scope="col">{w('calls.rtt95')}</th>
              <th scope="col">{w('calls.loss95')}</th>
              <th scope="col">{w('calls.concealed95')}</th>
              <th scope="col">{w('calls.gaps')}</th>
              <th scope="col">{w('calls.sound')}</th>
              <th scope="col">{w('calls.tcp')}</th>
              <th scope="col">{w('calls.relay')}</th>
            </tr>
          </thead>
          <tbody>
            {calls.hours.map((hour) => (
              <tr key={hour.hour}>
                <th scope="row">{clock(hour.hour)}</th>
                <td>{hour.visits}</td>
                <td>
                  <Figure value={ms(hour.rtt_p95_ms)} over={hour.rtt_p95_ms > bad.rtt} />
                </td>
                <td>
                  <Figure value={percent(hour.loss_p95)} over={hour.loss_p95 > bad.loss} />
                </td>
                <td>
                  <Figure value={percent(hour.concealed_p95)} over={hour.concealed_p95 > bad.concealed} />
                </td>
                <td>{hour.gaps}</td>
                <td>{percent(hour.sound_only)}</td>
                <td>{percent(hour.tcp)}</td>
                <td>{percent(hour.relay)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <p class="meta">{w('calls.note')}</p>
      </section>
    </>
  )
}
