// Booked and waiting are one page: try the devices, then wait with a place in line. Nothing here stands before the queue.
import { signal } from '@preact/signals'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Visit } from '../api/types/visit'
import { moment } from '../i18n/format'
import { VisitNews } from '../schedule/news'
import { Icon } from '../ui/icons'
import { Button, Dialog, Notice, Tick } from '../ui/parts'
import type { Devices } from './devices'
import { soundOnly } from './reception'
import { w } from './words'

/** The browser plays no sound before the page is touched. */
export const soundHeld = signal(false)
const touches = ['pointerup', 'touchend', 'keydown'] as const // each lets sound begin in some browser; pointerdown does not on phones

export function Picture({
  stream,
  muted,
  label,
  mirror,
  onHeight,
}: {
  stream: MediaStream
  muted?: boolean
  label: string
  mirror?: boolean
  /** Hears how tall the picture is shown, in pixels of the device. */
  onHeight?: (height: number) => void
}) {
  const at = useRef<HTMLVideoElement>(null)
  useEffect(() => {
    const video = at.current
    if (!video || !onHeight) return
    const measure = () => onHeight(Math.round(video.clientHeight * devicePixelRatio))
    measure() // again at each drawing: a track that came later is shown at the same size
    const watch = new ResizeObserver(measure)
    watch.observe(video)
    return () => watch.disconnect()
  }, [onHeight])
  useEffect(() => {
    const video = at.current
    if (!video) return
    if (video.srcObject !== stream) video.srcObject = stream
    if (muted) return
    const held = (yes: boolean) => {
      soundHeld.value = yes
      for (const touch of touches) yes ? addEventListener(touch, play) : removeEventListener(touch, play)
    }
    const play = () =>
      video.play().then(
        () => held(false),
        (refused: Error) => at.current === video && refused.name === 'NotAllowedError' && held(true),
      )
    void play()
    return () => held(false)
  }, [stream, muted])
  return (
    <video
      ref={at}
      autoplay
      playsInline
      muted={muted ?? false}
      aria-label={label}
      class={mirror ? 'mirror' : undefined}
    />
  )
}

export function DeviceTest({ devices }: { devices: Devices }) {
  const stream = devices.stream.value
  const microphone = devices.microphone.value
  const line = devices.line.value
  const speaker = devices.speaker.value
  if (microphone === 'untried')
    return (
      <section class="stack">
        <p>{w('dev.ask')}</p>
        <Button
          look="primary"
          icon="mic"
          onPress={() => void devices.open().then(() => devices.testLine())}
          test="try-devices"
        >
          {w('dev.start')}
        </Button>
      </section>
    )
  return (
    <section class="stack" data-test="device-test">
      {stream && devices.camera.value === 'on' && (
        <div class="preview">
          <Picture stream={stream} muted label={w('dev.self')} mirror />
          <span class="scrim">{w('dev.self')}</span>
        </div>
      )}
      {microphone === 'off' && (
        <Notice tone="warn" title={w('dev.no')}>
          <Button onPress={() => void devices.open()}>{w('dev.start')}</Button>
        </Notice>
      )}
      {devices.camera.value === 'off' && <Notice tone="info" title={w('dev.nocam')} />}
      {microphone === 'on' && (
        <div class="meter">
          <Icon name="mic" />
          <span>{devices.heardVoice.value ? w('dev.mic.ok') : w('dev.mic')}</span>
          <meter min={0} max={1} value={devices.level.value} aria-label={w('dev.mic')} />
        </div>
      )}
      <div class="row">
        <Button icon="speaker" onPress={() => void devices.play()}>
          {w('dev.play')}
        </Button>
        {speaker === 'heard' ? (
          <span class="tag ok">{w('dev.hear.ok')}</span>
        ) : (
          <>
            <Button onPress={() => (devices.speaker.value = 'heard')}>{w('dev.hear.yes')}</Button>
            <Button onPress={() => (devices.speaker.value = 'silent')}>{w('dev.hear.no')}</Button>
          </>
        )}
      </div>
      {speaker === 'silent' && <Notice tone="warn" title={w('dev.hear.fix')} />}
      <p class="meta" role="status">
        {line ? w(`net.${line.grade}`) : w('net.testing')}
      </p>
    </section>
  )
}

/** Taken before the call, so that a narrow line never has to carry a first picture. */
function SoundOnlyChoice() {
  return (
    <Tick
      label={w('only.sound')}
      note={w('only.sound.note')}
      checked={soundOnly.value}
      onChange={(only) => (soundOnly.value = only)}
      test="sound-only"
    />
  )
}

export function VisitHead({ visit }: { visit: Visit }) {
  return (
    <div class="tight">
      <b>{moment(visit.start)}</b>
      <span>
        {visit.doctor.name} {visit.doctor.title} · {visit.department}
      </span>
      <span class="meta">
        {visit.person.name} · {w(`kind.${visit.kind}`)} · {visit.institution.name}
      </span>
      <VisitNews visit={visit} />
    </div>
  )
}

export function BookedPage({
  visit,
  devices,
  busy,
  onGo,
  onCancel,
}: {
  visit: Visit
  devices: Devices
  busy: boolean
  onGo: () => void
  onCancel: () => void
}) {
  const tried = devices.microphone.value === 'on' || devices.microphone.value === 'off'
  return (
    <>
      <h1 tabIndex={-1}>{w('booked.title')}</h1>
      <VisitHead visit={visit} />
      <p class="meta">{w('booked.lead')}</p>
      <DeviceTest devices={devices} />
      <SoundOnlyChoice />
      <p class="push" />
      {tried && (
        <Button look="primary" busy={busy} onPress={onGo} test="check-in">
          {w('wait.go')}
        </Button>
      )}
      <CancelVisit onCancel={onCancel} />
    </>
  )
}

export function WaitingPage({
  visit,
  devices,
  connected,
  onEnter,
  onCancel,
}: {
  visit: Visit
  devices: Devices
  connected: boolean
  onEnter: (() => void) | undefined
  onCancel: () => void
}) {
  const line = visit.line
  return (
    <>
      <h1 tabIndex={-1} class="visually-hidden">
        {w('wait.title')}
      </h1>
      {onEnter ? (
        <Button look="primary" onPress={onEnter} test="enter">
          {w('wait.turn')}
        </Button>
      ) : (
        <div class="place" role="status" data-test="place">
          {line && line.ahead > 0 ? (
            <>
              <span>{w('wait.ahead')}</span>
              <b>{w('wait.people', { n: line.ahead })}</b>
              <span>{w('wait.range', { a: line.minutes_low, b: line.minutes_high })}</span>
            </>
          ) : (
            <>
              <span class="lead">
                <strong>{w('wait.first')}</strong>
              </span>
              {line && <span>{w('wait.range', { a: line.minutes_low, b: line.minutes_high })}</span>}
            </>
          )}
        </div>
      )}
      <VisitHead visit={visit} />
      <Notice tone="ok" title={w('wait.keep')}>
        {w('wait.auto')}
      </Notice>
      {!connected && <Notice tone="warn" live title={w('wait.stale')} />}
      <DeviceTest devices={devices} />
      <SoundOnlyChoice />
      <p class="push" />
      <CancelVisit onCancel={onCancel} />
    </>
  )
}

function CancelVisit({ onCancel }: { onCancel: () => void }) {
  const [asking, setAsking] = useState(false)
  return (
    <>
      <Button look="quiet" onPress={() => setAsking(true)}>
        {w('cancel.go')}
      </Button>
      {asking && (
        <Dialog title={w('cancel.go')} onClose={() => setAsking(false)}>
          <div class="stack">
            <p>{w('cancel.sure')}</p>
            <Button
              look="danger"
              onPress={() => {
                setAsking(false)
                onCancel()
              }}
            >
              {w('cancel.yes')}
            </Button>
            <Button onPress={() => setAsking(false)}>{w('cancel.no')}</Button>
          </div>
        </Dialog>
      )}
    </>
  )
}
