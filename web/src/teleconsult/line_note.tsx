// What the line of the reading room is worth: its light beside the words, and when it is poor the way to sound alone (TCR-12). What
// is sent has been made less by then; the doctors have to know that what they see may not be enough.
import { Button, Notice } from '../ui/parts'
import { LineLight, lineSentence } from '../visit/call'
import type { RoomView } from '../visit/room'
import { w } from './words'

export type Line = Parameters<typeof lineSentence>[0] & Pick<RoomView, 'line'>

export function LineNote({ view, onSoundOnly }: { view: Line; onSoundOnly: (only: boolean) => void }) {
  const { light, soundOnly } = view.line
  return (
    <>
      <p class="meta" role="status" data-test="line">
        {lineSentence(view).text} <LineLight light={light} />
      </p>
      {soundOnly ? (
        <Button look="quiet" icon="camera" onPress={() => onSoundOnly(false)} test="pictures-back">
          {w('line.back')}
        </Button>
      ) : (
        light === 'poor' && (
          <Notice tone="warn" title={w('line.poor')}>
            <Button onPress={() => onSoundOnly(true)} test="sound-only">
              {w('line.sound')}
            </Button>
          </Notice>
        )
      )}
    </>
  )
}
