// Recording with everybody's consent: the question, the red light, and playing it afterwards.
import { useEffect, useRef, useState } from 'preact/hooks'
import { useDeed, useResource } from '../api/resource'
import type { VisitRecording } from '../api/types/visit'
import { pick } from '../i18n/i18n'
import { Button, Dialog, Notice, ProblemNote } from '../ui/parts'
import type { Door } from './door'
import type { Room } from './room'
import { roleWord, roleWordOfSeat, w } from './room_words'

export type RecordingState = {
  value: VisitRecording | undefined
  /** Everybody is asked, and this seat has not answered. */
  asksMe: boolean
  answer: (agree: boolean) => Promise<void>
  ask: () => Promise<void>
}

const topic = 'recording'

/** Who joins learns it from the server; a change is said in the room, so that everybody asks again at once. Without a key it waits. */
export function useRecording(key: string | undefined, door: Door, room: Room): RecordingState {
  const found = useResource(key && `recording ${key}`, door.recording, ['visit.changed', 'teleconsult.changed'])
  const { refresh, set, value } = found
  const { phase, seat, recording } = room.view.value
  useEffect(() => room.onSaid(topic, () => refresh()), [room, refresh])
  useEffect(() => {
    if (phase === 'live') refresh()
  }, [phase, recording, refresh])
  const open = value?.state === 'asked' || value?.state === 'running'
  return {
    value: value?.id ? value : undefined,
    asksMe: open && !value.answers.some((one) => one.seat === seat && one.agreed),
    answer: async (agree) => {
      set(await door.answer(agree, value?.text_version ?? ''))
      room.say(topic, seat)
    },
    ask: async () => {
      if (!door.lead) return
      set(await door.lead.record())
      room.say(topic, seat)
    },
  }
}

/** Large, on every screen, while the recorder sits in the room; from the room itself, not from what was meant to be. */
export function RedLight({ on }: { on: boolean }) {
  if (!on) return null
  return (
    <div class="red-light" role="status" data-test="red-light">
      <span class="dot" aria-hidden="true" />
      {w('tape.on')}
    </div>
  )
}

/** Asks by itself; put aside, it waits under "more". Leaving it is no answer. */
export function ConsentDialog({ recording }: { recording: RecordingState }) {
  const [later, setLater] = useState(false)
  if (!recording.asksMe || later) return null
  return (
    <Dialog title={w('tape.ask')} onClose={() => setLater(true)} closing={w('tape.later')}>
      <Consent recording={recording} />
    </Dialog>
  )
}

export function Consent({ recording }: { recording: RecordingState }) {
  const deed = useDeed()
  const { value, asksMe } = recording
  if (!value || !asksMe) return null
  const answer = (agree: boolean) => void deed.run(() => recording.answer(agree))
  return (
    <div class="stack" data-test="consent">
      <p>{pick(value.text)}</p>
      {value.required && <Notice tone="warn" title={w('tape.required')} />}
      <p class="meta">{w('tape.version', { version: value.text_version, until: value.keep_until })}</p>
      <ProblemNote problem={deed.problem} />
      <Button look="primary" busy={deed.busy} onPress={() => answer(true)} test="consent-yes">
        {w('tape.yes')}
      </Button>
      <Button busy={deed.busy} onPress={() => answer(false)} test="consent-no">
        {w('tape.no')}
      </Button>
    </div>
  )
}

/** Under "more": anybody who agreed may stop it. */
export function StopTape({ recording, seat }: { recording: RecordingState; seat: string }) {
  const deed = useDeed()
  const { value } = recording
  const open = value?.state === 'asked' || value?.state === 'running'
  if (!open || !value.answers.some((one) => one.seat === seat && one.agreed)) return null
  return (
    <>
      <ProblemNote problem={deed.problem} />
      <Button busy={deed.busy} onPress={() => void deed.run(() => recording.answer(false))} test="tape-stop">
        {w('tape.stop')}
      </Button>
    </>
  )
}

/** The doctor's row: ask, and see who has answered. */
export function TapeDesk({ recording }: { recording: RecordingState }) {
  const deed = useDeed()
  const { value } = recording
  const state = value?.state
  const ended = state === 'done' || state === 'damaged' || state === 'erased'
  return (
    <div class="row" data-test="tape" data-state={state ?? 'none'}>
      {!ended && state !== 'running' && (
        <Button
          look="quiet"
          icon="camera"
          busy={deed.busy}
          onPress={() => void deed.run(recording.ask)}
          test="tape-ask"
        >
          {state === 'asked' ? w('tape.again') : w('tape.go')}
        </Button>
      )}
      {state && <span class="meta">{w(`tape.state.${state}`)}</span>}
      {value?.trouble && <span class="tag warn">{w('tape.trouble')}</span>}
      {!ended &&
        value?.answers.map((one) => (
          <span key={one.seat} class={`tag ${one.agreed ? 'ok' : 'warn'}`}>
            {w(one.agreed ? 'tape.agreed' : 'tape.refused', { name: one.name, role: roleWord(one.role) })}
          </span>
        ))}
      <ProblemNote problem={deed.problem} />
    </div>
  )
}

/** All takes, each by itself or together as they were. */
export function Player({ door, recording }: { door: Door; recording: VisitRecording }) {
  const at = useRef<HTMLElement>(null)
  const timers = useRef<ReturnType<typeof setTimeout>[]>([])
  const stop = () => {
    for (const timer of timers.current) clearTimeout(timer)
    timers.current = []
  }
  useEffect(() => stop, [])
  const together = () => {
    stop()
    for (const one of at.current?.querySelectorAll<HTMLMediaElement>('[data-offset]') ?? []) {
      one.pause()
      one.currentTime = 0
      timers.current.push(
        setTimeout(() => void one.play().catch(() => undefined), Number(one.dataset.offset)), // a take that does not play shows it itself
      )
    }
  }
  if (recording.state === 'erased') return <p data-test="erased">{w('tape.state.erased')}</p>
  if (recording.takes.length === 0) return null
  return (
    <section class="stack" ref={at} data-test="player">
      <h2>{w('tape.title')}</h2>
      <p class="meta">{w('tape.until', { until: recording.keep_until })}</p>
      {recording.state === 'damaged' && <Notice tone="warn" title={w('tape.state.damaged')} />}
      <Button icon="speaker" onPress={together}>
        {w('tape.together')}
      </Button>
      <div class="takes">
        {recording.takes.map((take) => (
          <figure key={take.take} data-test="take" data-seat={take.seat}>
            {/* biome-ignore lint/a11y/useMediaCaption: what two people say to each other has no written form */}
            <video
              controls
              preload="metadata"
              data-offset={take.offset_ms}
              src={door.take(take.take)}
              aria-label={roleWordOfSeat(take.seat)}
            />
            <figcaption>
              {w('tape.take', {
                who: roleWordOfSeat(take.seat),
                from: Math.round(take.offset_ms / 1000),
                length: Math.round(take.length_ms / 1000),
              })}
            </figcaption>
          </figure>
        ))}
      </div>
    </section>
  )
}
