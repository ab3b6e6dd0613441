// What became of a visit's time, in words: number, late doctor, moved, cancelled by the hospital, refund.
import type { Visit } from '../api/types/visit'
import { moment } from '../i18n/format'
import { Notice } from '../ui/parts'
import { w } from './patient_words'

export function VisitNews({ visit }: { visit: Visit }) {
  const open = visit.state === 'booked' || visit.state === 'checked_in'
  return (
    <>
      {visit.state === 'checked_in' && visit.token && (
        <p class="lead" data-test="token">
          {w('news.token', { n: visit.token })}
        </p>
      )}
      {visit.state === 'checked_in' && visit.called && <Notice tone="ok" live title={w('news.called')} />}
      {open && visit.overbooked && <Notice tone="info" title={w('news.squeezed')} />}
      {open && visit.delay_min ? <Notice tone="warn" live title={w('news.late', { n: visit.delay_min })} /> : null}
      {open && visit.moved_from && (
        <div data-test="moved">
          <Notice tone="info" title={w('news.moved', { at: moment(visit.moved_from) })}>
            {visit.moved_reason === 'doctor_ill' && w('news.moved.ill')}
          </Notice>
        </div>
      )}
      {visit.state === 'terminated_offline' && visit.refund_due && <Notice tone="info" title={w('news.refund')} />}
      {visit.state === 'cancelled' && (visit.cancelled_by === 'hospital' || visit.refund_due) && (
        <div data-test="hospital-cancelled">
          <Notice tone="info" title={visit.cancelled_by === 'hospital' ? w('news.hospital') : w('news.refund')}>
            {visit.cancelled_by === 'hospital' && visit.refund_due && w('news.refund')}
          </Notice>
        </div>
      )}
    </>
  )
}
