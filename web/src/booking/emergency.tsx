// The emergency page holds one thing. It needs no server: it must work without a line.
import { Icon } from '../ui/icons'
import { useTitle } from '../ui/parts'
import { w } from './words'

export function EmergencyPage({ onMistake }: { onMistake: () => void }) {
  useTitle(w('emg.title'))
  return (
    <main class="emergency" id="content">
      <div role="alert">
        <h1>{w('emg.title')}</h1>
        <p class="lead">{w('emg.body')}</p>
      </div>
      <a class="call" href="tel:120" aria-label={w('emg.call')}>
        <Icon name="phone" /> 120
      </a>
      <div class="where">
        <p>{w('emg.where')}</p>
        <p>{w('emg.stay')}</p>
      </div>
      <div style={{ flex: 1 }} />
      <button type="button" class="undo" onClick={onMistake} data-test="mistake">
        {w('emg.undo')}
      </button>
    </main>
  )
}
