// The pictures at the top of the doctor's column, right under the camera: the patient, and who came along.
import { Icon } from '../ui/icons'
import { LineLight, lineSentence } from './call'
import { RedLight } from './recording'
import type { RoomView } from './room'
import { withRole } from './room_words'
import { Picture } from './waiting'
import { w as call } from './words'

export function Stage({ view, idle }: { view: RoomView; idle: string }) {
  const on = view.phase === 'live' || view.phase === 'reconnecting'
  const sentence = lineSentence(view)
  return (
    <>
      <RedLight on={view.recording} />
      <div class="stage" data-test="stage" data-phase={view.phase}>
        {on && view.remotes.length > 0 ? (
          <div class="seats">
            {view.remotes.map((remote) => (
              <div class="seat" key={remote.seat}>
                <Picture stream={remote.stream} label={withRole(remote)} onHeight={remote.sized} />
                {!remote.video && remote.still && (
                  <img class="still" src={remote.still} alt={withRole(remote)} data-test="still" />
                )}
                {!remote.video && !remote.still && (
                  <div class="nobody">
                    <Icon name="person" />
                  </div>
                )}
                <span class="who">
                  {view.remotes.length > 1 ? withRole(remote) : remote.name} <LineLight light={remote.light} />
                </span>
              </div>
            ))}
          </div>
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
            {sentence.text} <LineLight light={view.line.light} />
          </span>
        )}
      </div>
    </>
  )
}
