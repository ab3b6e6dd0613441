// The key that shows one's screen to the room. It is not there on devices that can't.
import { Button } from '../ui/parts'
import { canShareScreen, type Room } from './room'
import { w } from './room_words'

export function ShareScreen({ room }: { room: Room }) {
  if (!canShareScreen()) return null
  const { sharing } = room.view.value
  return (
    <Button icon="screen" pressed={sharing} onPress={() => void room.shareScreen(!sharing)} test="share-screen">
      {sharing ? w('screen.off') : w('screen.on')}
    </Button>
  )
}
