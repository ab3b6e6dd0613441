// What the checks say of a prescription, by tier: stops first, then warnings, then notes.
import type { Alert, RxCheck, Second, Tier } from '../api/types/prescribe'
import { pick } from '../i18n/i18n'
import { Icon, type IconName } from '../ui/icons'
import { Notice } from '../ui/parts'
import { w } from './desk_words'

const tiers: readonly Tier[] = ['hard_stop', 'interruptive', 'passive']
const icons: Record<Tier, IconName> = { hard_stop: 'stop', interruptive: 'warn', passive: 'info' }

export function byTier(alerts: readonly Alert[]): Alert[] {
  return [...alerts].sort((a, b) => tiers.indexOf(a.tier) - tiers.indexOf(b.tier))
}

export const needsReason = (check: RxCheck): Alert[] => check.alerts.filter((alert) => alert.tier === 'interruptive')
/** A hard stop that a second person may lift: a rule of law is none. */
export const clinicalStop = (alert: Alert): boolean =>
  alert.tier === 'hard_stop' && !alert.type.startsWith('R_') && alert.type !== 'not_checked'

/** What was not checked blocks like a hard stop; a clinical hard stop does until a second person agreed. */
export const blocked = (check: RxCheck, seconds: readonly Second[] = []): boolean =>
  check.state !== 'done' ||
  check.alerts.some(
    (alert) =>
      alert.type === 'not_checked' ||
      (alert.tier === 'hard_stop' &&
        !(clinicalStop(alert) && seconds.some((second) => second.alert === alert.key && second.agrees))),
  ) ||
  check.reasons.some((reason) => reason.outcome !== 'ALLOW' && reason.outcome !== 'ALLOW_COND')

export function Alerts({ check, busy }: { check: RxCheck; busy?: boolean }) {
  if (check.state === 'failed') return <Notice tone="danger" live title={w('check.failed')} />
  const count = (tier: Tier) => check.alerts.filter((alert) => alert.tier === tier).length
  return (
    <section class="alerts" data-test="alerts" data-decision={check.decision}>
      <span class="meta" role="status">
        {busy
          ? w('check.busy')
          : check.alerts.length === 0
            ? w('check.none')
            : w('check.sum', { a: count('hard_stop'), b: count('interruptive'), c: count('passive') })}
      </span>
      {byTier(check.alerts).map((alert) => (
        <div key={alert.key} class={`alert ${alert.tier}`} data-test="alert">
          <Icon name={icons[alert.tier]} />
          <div>
            <b>
              {w(`tier.${alert.tier}`)} · {pick(alert.text)}
            </b>
            {pick(alert.remedy) && <p class="meta">{pick(alert.remedy)}</p>}
          </div>
        </div>
      ))}
      {check.reasons.length > 0 && (
        <div class="alert interruptive">
          <Icon name="warn" />
          <div>
            <b>{w('check.need')}</b>
            {check.reasons.map((reason) => (
              <p key={reason.rule}>
                {pick(reason.message)} {pick(reason.remedy)} <span class="mono meta">{reason.rule}</span>
              </p>
            ))}
          </div>
        </div>
      )}
    </section>
  )
}
