// A study of a case, in words; who asked may share it or let it out for teaching.
import { useState } from 'preact/hooks'
import type { StudyRow, Teleconsult } from '../api/types/teleconsult'
import { Links } from '../imaging/links'
import type { Opened } from '../imaging/opening'
import { OtherBytes } from '../imaging/other_bytes'
import { dateOf } from '../imaging/study'
import { AskTeaching } from '../imaging/teaching'
import { w as imaging } from '../imaging/words'
import { Button, Dialog } from '../ui/parts'
import { w } from './words'

export function megabytes(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.max(1, Math.round(bytes / 1024))} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`
}

/** The series of a consult. On the pixels: what is an earlier study must not be taken for the one that is asked about. */
export const openedOf = ({ studies }: Pick<Teleconsult, 'studies'>): Opened[] =>
  studies.flatMap((study) =>
    study.series.map((series) => ({
      study: study.study_uid,
      series: series.series_uid,
      title: [series.modality, series.description || study.description, dateOf(study.study_date)]
        .filter(Boolean)
        .join(' '),
      modality: series.modality,
      date: study.study_date,
    })),
  )

/** One that the reader may not look at any more has no number. */
export function StudyFact({ study, shares }: { study: StudyRow; shares: boolean }) {
  const [sharing, setSharing] = useState(false)
  const [teaching, setTeaching] = useState(false)
  return (
    <>
      <dt>{w('s.images')}</dt>
      <dd data-test="attached">
        {study.study_uid === ''
          ? imaging('study.ended', { what: `${study.modalities.join('/')} ${dateOf(study.study_date)}` })
          : `${imaging('study.line', {
              what: `${study.modalities.join('/')} ${study.description}`,
              n: study.instances,
              size: megabytes(study.bytes),
            })} · ${imaging('study.of', {
              name: study.patient_name,
              sex: study.patient_sex,
              birth: study.patient_birth_date,
            })}`}
        {study.other_bytes.length > 0 && (
          <div>
            <OtherBytes study={study} />
          </div>
        )}
        {shares && (
          <div class="row">
            <Button look="quiet" onPress={() => setSharing(true)} test="share-links">
              {imaging('link.share')}
            </Button>
            <Button look="quiet" onPress={() => setTeaching(true)} test="teach-open">
              {imaging('teach.open')}
            </Button>
          </div>
        )}
        {sharing && (
          <Dialog title={imaging('link.share')} onClose={() => setSharing(false)}>
            <Links study={study.study_uid} />
          </Dialog>
        )}
        {teaching && (
          <Dialog title={imaging('teach.open')} onClose={() => setTeaching(false)}>
            <AskTeaching study={study.study_uid} />
          </Dialog>
        )}
      </dd>
    </>
  )
}
