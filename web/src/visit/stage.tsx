// The picture at the top of the doctor's column, right under the camera, and the keys beneath it.
import { Icon } from '../ui/icons'
import { lineSentence } from './call'
import type { RoomView } from './room'
import { Picture } from './waiting'
import { w as call } from './words'

export function Stage({ view, idle }: { view: RoomView; idle: string }) {
  const other = view.remotes[0]
  const on = view.phase === 'live' || view.phase === 'reconnecting'
  const sentence = lineSentence(view)
  return (
    <div class="stage" data-test="stage" data-phase={view.phase}>
      {on && other ? (
        <>
          <Picture stream={other.stream} label={other.name} />
          <span class="who">{other.name}</span>
        </>
      ) : (
        <div class="nobody">
          <Icon name="person" />
          <span>{view.phase === 'refused' ? view.refusal : idle}</span>
        </div>
      )}
      {on && view.local && view.camera && (
        <div class="self">
          <Picture stream={view.local} muted mirror label={call('dev.self')} />
        </div>
      )}
      {on && (
        <span class="line" role="status">
          {sentence.trouble && (
            <span class="reconnecting-mark">
              <Icon name="warn" />
            </span>
          )}
          {sentence.text}
        </span>
      )}
    </div>
  )
}
