// Who is in the room and who waits outside; how others are brought in, and the seat to another device.
import { useState } from 'preact/hooks'
import { useDeed, useResource } from '../api/resource'
import type { RoomLink } from '../api/types/visit'
import { Button, Dialog, Notice, ProblemNote } from '../ui/parts'
import type { Door, Lead, LinkKind, RoomDoor } from './door'
import type { RoomView } from './room'
import { roleWord, w, withRole } from './room_words'

/** A link made for the asking: its QR code, its text, and how it is used. */
export function Invite({ kind, invite }: { kind: LinkKind; invite: (kind: LinkKind) => Promise<RoomLink> }) {
  const [link, setLink] = useState<RoomLink>()
  const [copied, setCopied] = useState(false)
  const deed = useDeed()
  const how = {
    companion: 'invite.how',
    colleague: 'invite.how.colleague',
    device: 'invite.how.device',
    observer: 'invite.how.observer',
  } as const
  if (!link)
    return (
      <>
        <ProblemNote problem={deed.problem} />
        <Button
          icon={kind === 'device' ? 'swap' : 'people'}
          busy={deed.busy}
          test={`invite-${kind}`}
          onPress={() => void deed.run(async () => setLink(await invite(kind)))}
        >
          {w(`invite.${kind}`)}
        </Button>
      </>
    )
  return (
    <section class="stack invitation" data-test={`invitation-${kind}`}>
      <h3>{w(`invite.${kind}`)}</h3>
      <p>{w(how[kind])}</p>
      <img class="qr-link" src={`data:image/png;base64,${link.qr}`} alt={w('invite.qr')} width={240} height={240} />
      <p class="link mono" data-test="link">
        {link.url}
      </p>
      <Button
        onPress={() =>
          void navigator.clipboard.writeText(link.url).then(
            () => setCopied(true),
            () => undefined, // the link stands above to be copied by hand
          )
        }
      >
        {copied ? w('invite.copied') : w('invite.copy')}
      </Button>
    </section>
  )
}

export function PeopleList({ view, myName }: { view: RoomView; myName: string }) {
  return (
    <section class="tight" data-test="people">
      <h3>{w('people.title')}</h3>
      <ul class="people">
        <li>{w('people.me', { name: myName })}</li>
        {view.remotes.map((remote) => (
          <li key={remote.seat}>{withRole(remote)}</li>
        ))}
        {view.observers.map(({ seat, name }) => (
          <li key={seat}>{withRole({ name, role: 'observer' })}</li>
        ))}
      </ul>
      {view.remotes.length === 0 && <p class="meta">{w('people.none')}</p>}
      {view.locked && <p class="meta">{w('lock.is')}</p>}
    </section>
  )
}

/** What the patient finds under "more": who is here, how to bring somebody, how to change the device. */
export function MoreDialog({
  view,
  myName,
  door,
  onClose,
  children,
}: {
  view: RoomView
  myName: string
  door: Door
  onClose: () => void
  children?: preact.ComponentChildren
}) {
  return (
    <Dialog title={w('more')} onClose={onClose}>
      <div class="stack">
        {children}
        <PeopleList view={view} myName={myName} />
        {door.invite && <Invite kind="companion" invite={door.invite} />}
        {door.invite && <Invite kind="device" invite={door.invite} />}
      </div>
    </Dialog>
  )
}

/** The keys to the door of those who lead: who knocks, who is in by link, and the lock. */
export function HostDoor({ at, view, door, lead }: { at: string; view: RoomView; door: RoomDoor; lead: Lead }) {
  const deed = useDeed()
  // Observers wait outside of the room itself: the house knows of them.
  const { value, refresh } = useResource(`companions ${at}`, door.companions, ['visit.changed', 'teleconsult.changed'])
  const outside = (value ?? []).filter((one) => one.role === 'observer' && one.state === 'waiting')
  const linkOf = (seat: string) => (/^[co]-/.test(seat) ? seat.slice(2) : undefined)
  const settle = (what: () => Promise<unknown>) =>
    void deed.run(async () => {
      await what()
      refresh()
    })
  const present = [...view.remotes, ...view.observers.map((one) => ({ ...one, role: 'observer' }))]
  return (
    <div class="host-door" data-test="host-door">
      <ProblemNote problem={deed.problem} />
      {[...view.waiting, ...outside].map(({ seat, name, role }) => {
        const link = linkOf(seat)
        if (!link) return null
        return (
          <Notice key={seat} tone="warn" live title={w('people.knocks', { name, role: roleWord(role) })}>
            <span class="row">
              <Button
                look="primary"
                busy={deed.busy}
                onPress={() => settle(() => lead.admit(link))}
                test="admit-companion"
              >
                {w('people.admit')}
              </Button>
              <Button busy={deed.busy} onPress={() => settle(() => lead.remove(link))} test="refuse-companion">
                {w('people.refuse')}
              </Button>
            </span>
          </Notice>
        )
      })}
      <ul class="people row" aria-label={w('people.title')}>
        {present.map((one) => {
          const link = linkOf(one.seat)
          return (
            <li key={one.seat} class="row">
              <span>{withRole(one)}</span>
              {link && (
                <Button
                  look="quiet"
                  busy={deed.busy}
                  onPress={() => settle(() => lead.remove(link))}
                  test="remove-companion"
                >
                  {w('people.remove')}
                </Button>
              )}
            </li>
          )
        })}
        <li>
          <Button
            icon="lock"
            look="quiet"
            pressed={view.locked}
            busy={deed.busy}
            onPress={() => settle(() => lead.lock(!view.locked))}
            test="lock"
          >
            {view.locked ? w('lock.off') : w('lock.on')}
          </Button>
        </li>
      </ul>
      {view.locked && <span class="meta">{w('lock.is')}</span>}
    </div>
  )
}
