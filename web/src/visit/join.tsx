// Who comes by link: a companion says who they are and waits; a colleague or the person's own other device goes straight on.
import { useEffect, useMemo, useState } from 'preact/hooks'
import { useDeed } from '../api/resource'
import type { Seated } from '../api/types/visit'
import { Button, Field, Notice, ProblemNote, Select, useTitle } from '../ui/parts'
import { CallScreen } from './call'
import { Devices } from './devices'
import { arrive, seatDoor } from './door'
import { Observe } from './observe'
import { Room } from './room'
import { roleWord, w } from './room_words'
import { DeviceTest } from './waiting'

const kept = 'yz.seat'

/**
 * The seat is kept for this page alone, so that a reload comes back to it and the next person at the device does not. Its
 * token is kept by the browser in a cookie that no script reads, under the seat's name, which then stands for it.
 */
export function keptSeat(): Seated | undefined {
  try {
    const seat: unknown = JSON.parse(sessionStorage.getItem(kept) ?? 'null')
    return typeof seat === 'object' && seat !== null && 'token' in seat ? (seat as Seated) : undefined
  } catch {
    return undefined
  }
}

const kinds = ['companion', 'colleague', 'device', 'observer'] as const
/** The server's words for a door that may open yet. */
const notYet = ['room_not_open', 'room_locked', 'not_live']
type Offer = { kind: (typeof kinds)[number]; secret: string }

/** The fragment of a link: what it is for, and its secret. */
export function offerOf(fragment: string): Offer | undefined {
  const [word, secret] = fragment.replace(/^#/, '').split('.')
  const kind = kinds.find((one) => one === word)
  return kind && secret && /^[A-Z2-7]{26,64}$/.test(secret) ? { kind, secret } : undefined
}

export function Join() {
  const [offer] = useState(() => offerOf(location.hash))
  const [seat, setSeat] = useState(() => (offer ? undefined : keptSeat()))
  useTitle(w('join.title'))
  useEffect(() => {
    // The secret leaves the address bar: what is on screen or in the history opens nothing.
    if (location.hash) history.replaceState(null, '', location.pathname)
  }, [])
  if (seat) return seat.kind === 'observer' ? <Observe seat={seat} /> : <Seat seat={seat} />
  return (
    <main class="page" id="content" data-test="join">
      <h1>{w('join.title')}</h1>
      {offer ? (
        <Introduce
          offer={offer}
          onSeat={(taken) => {
            sessionStorage.setItem(kept, JSON.stringify({ ...taken, token: taken.seat, name: '' }))
            setSeat(taken)
          }}
        />
      ) : (
        <Notice tone="warn" title={w('join.bad')}>
          {w('join.bad.say')}
        </Notice>
      )}
    </main>
  )
}

const companionRoles = ['family', 'interpreter', 'village_doctor'] as const

function Introduce({ offer, onSeat }: { offer: Offer; onSeat: (seat: Seated) => void }) {
  const [name, setName] = useState('')
  const [role, setRole] = useState<(typeof companionRoles)[number]>('family')
  const [relation, setRelation] = useState('')
  const deed = useDeed()
  const go = (said: { name?: string; role?: string; relation?: string }) =>
    void deed.run(async () => onSeat(await arrive({ secret: offer.secret, ...said })))
  const observes = offer.kind === 'observer'
  if (offer.kind === 'colleague' || offer.kind === 'device')
    return (
      <div class="stack">
        <p>{w(`join.${offer.kind}`)}</p>
        <ProblemNote problem={deed.problem} />
        {deed.problem?.status === 401 && (
          <a class="button" href="/staff" target="_blank" rel="noreferrer">
            {w('join.colleague.sign')}
          </a>
        )}
        <Button look="primary" busy={deed.busy} onPress={() => go({})} test="join-go">
          {w(`join.${offer.kind}.go`)}
        </Button>
      </div>
    )
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault()
        go(observes ? { name } : { name, role, relation })
      }}
    >
      <p>{w(observes ? 'join.observer' : 'join.lead')}</p>
      <ProblemNote problem={deed.problem} />
      <Field label={w('join.name')} name="name" value={name} onInput={setName} maxLength={40} autoComplete="name" />
      {!observes && (
        <Select
          label={w('join.role')}
          value={role}
          options={companionRoles.map((value) => ({ value, label: roleWord(value) }))}
          onChange={setRole}
        />
      )}
      {!observes && role === 'family' && (
        <Field
          label={w('join.relation')}
          hint={w('join.relation.hint')}
          name="relation"
          value={relation}
          onInput={setRelation}
          maxLength={20}
          optional
        />
      )}
      <Button look="primary" type="submit" busy={deed.busy} disabled={name.trim() === ''} test="join-go">
        {w('join.go')}
      </Button>
    </form>
  )
}

const again = 10_000 // the room may not be open yet

function Seat({ seat }: { seat: Seated }) {
  const devices = useMemo(() => new Devices(), [])
  const door = useMemo(() => seatDoor(seat.token, seat.role), [seat.token, seat.role])
  const room = useMemo(() => new Room(door.ticket, devices), [door, devices])
  const [left, setLeft] = useState(false)
  const { phase, refusal, refusalCode } = room.view.value
  const early = phase === 'refused' && notYet.includes(refusalCode)

  useEffect(
    () => () => {
      room.leave()
      devices.close()
    },
    [room, devices],
  )
  useEffect(() => {
    if (!left) void room.enter()
  }, [left, room])
  useEffect(() => {
    if (!early) return
    const retry = setTimeout(() => room.join(), again)
    return () => clearTimeout(retry)
  }, [early, room])

  if (!left && (phase === 'live' || phase === 'reconnecting'))
    return (
      <CallScreen
        place={seat.institution}
        alone={w('join.wait')}
        myName={seat.name || roleWord(seat.role)}
        room={room}
        door={door}
        chatKey={seat.seat}
        phone={seat.phone}
        onHang={() => {
          room.leave()
          setLeft(true)
        }}
      />
    )
  const out = left || refusalCode === 'removed'
  const over = phase === 'ended' && !out
  return (
    <main class="page" id="content" data-test="seat" data-phase={phase}>
      <h1>{out ? w('join.out') : over ? w('join.over') : w('join.wait')}</h1>
      <p class="meta">
        {seat.doctor} · {seat.institution}
      </p>
      {!out && !over && phase !== 'refused' && <Notice tone="ok" title={w('join.wait.say')} />}
      {early && <Notice tone="info" live title={refusalCode === 'room_locked' ? refusal : w('join.early')} />}
      {phase === 'refused' && !early && <Notice tone="warn" live title={refusal} />}
      {!out && !over && <DeviceTest devices={devices} />}
      {left && (
        <Button look="primary" onPress={() => setLeft(false)} test="rejoin">
          {w('join.again')}
        </Button>
      )}
      <a class="button" href={`tel:${seat.phone.replace(/[^0-9+]/g, '')}`}>
        {w('join.phone', { phone: seat.phone })}
      </a>
    </main>
  )
}
