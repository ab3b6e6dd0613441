// To who holds a study: other bytes came under numbers that are here, and were refused. The sender was told at once.
import type { StudyRow } from '../api/types/teleconsult'
import { moment } from '../i18n/format'
import { w } from './words'

export function OtherBytes({ study }: { study: Pick<StudyRow, 'other_bytes'> }) {
  return (
    <>
      {study.other_bytes.map(({ from, objects, at }) => (
        <span key={`${from} ${at}`} class="meta" data-test="other-bytes">
          {w('study.other', { from, n: objects, at: moment(at) })}
        </span>
      ))}
    </>
  )
}
