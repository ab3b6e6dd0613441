// An observer's page: sound and pictures of the room by WHEP, each under a role; no name, word or paper ever reaches it.
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Problem } from '../api/client'
import { asProblem } from '../api/client'
import type { Seated, Watching } from '../api/types/visit'
import { pick } from '../i18n/i18n'
import { Notice } from '../ui/parts'
import { watching } from './door'
import { roleWord, w } from './room_words'
import { Picture } from './waiting'
import { w as visits } from './words'

const every = 3000 // ms until it is asked again who is there
/** The seat is gone for good. */
const over = ['seat_gone']

export function Observe({ seat }: { seat: Seated }) {
  const [now, setNow] = useState<Watching>()
  const [problem, setProblem] = useState<Problem>()
  const ended = problem !== undefined && over.includes(problem.code)
  useEffect(() => {
    if (ended) return
    let timer: ReturnType<typeof setTimeout> | undefined
    let gone = false
    const ask = async () => {
      try {
        const found = await watching(seat.token)
        if (!gone) {
          setNow(found)
          setProblem(undefined)
        }
      } catch (error) {
        if (!gone) setProblem(asProblem(error))
      }
      if (!gone) timer = setTimeout(() => void ask(), every)
    }
    void ask()
    return () => {
      gone = true
      clearTimeout(timer)
    }
  }, [seat.token, ended])
  const inside = now !== undefined && !ended
  return (
    <main class="page" id="content" data-test="observe" data-phase={ended ? 'ended' : inside ? 'live' : 'waiting'}>
      <h1>{ended ? w('join.out') : inside ? w('join.observer.title') : w('join.observer.wait')}</h1>
      <p class="meta">{seat.institution}</p>
      {inside ? (
        <>
          <p class="meta">{w('join.observer.hint')}</p>
          {now.seats.length === 0 && <Notice tone="info" live title={w('join.observer.none')} />}
          <div class="takes">
            {now.seats.map((one) => (
              <Watched key={one.seat} seat={one.seat} role={one.role} at={now} />
            ))}
          </div>
        </>
      ) : (
        problem && (
          <Notice tone="info" live title={pick(problem.detail)}>
            {pick(problem.remedy)}
          </Notice>
        )
      )}
      {ended && (
        <a class="button" href="/" data-test="observe-home">
          {visits('end.home')}
        </a>
      )}
      {!inside && (
        <a class="button" href={`tel:${seat.phone.replace(/[^0-9+]/g, '')}`}>
          {w('join.phone', { phone: seat.phone })}
        </a>
      )}
    </main>
  )
}

/** One person or instrument by WHEP; a session that fails is begun anew. */
function Watched({ seat, role, at }: { seat: string; role: string; at: Watching }) {
  const latest = useRef(at)
  latest.current = at
  const [stream, setStream] = useState<MediaStream>()
  useEffect(() => {
    let session: Session | undefined
    let timer: ReturnType<typeof setTimeout> | undefined
    let gone = false
    const begin = async () => {
      session = new Session(latest.current, seat, setStream)
      const lost = await session.run()
      if (gone || !lost) return
      timer = setTimeout(() => void begin(), every)
    }
    void begin()
    return () => {
      gone = true
      clearTimeout(timer)
      session?.close()
    }
  }, [seat])
  if (!stream) return null
  return (
    <figure data-test="watched" data-role={role}>
      <Picture stream={stream} label={roleWord(role)} />
      <figcaption>{roleWord(role)}</figcaption>
    </figure>
  )
}

/** A WHEP session (draft-ietf-wish-whep): one offer, one answer, the candidates inside. */
class Session {
  private readonly peer: RTCPeerConnection
  private at = ''
  private ended: (lost: boolean) => void = () => undefined

  constructor(
    private readonly watched: Watching,
    private readonly seat: string,
    private readonly show: (stream: MediaStream | undefined) => void,
  ) {
    this.peer = new RTCPeerConnection({ iceServers: watched.ice_servers, bundlePolicy: 'max-bundle' })
  }

  /** Runs until the session is lost (true) or closed (false). */
  async run(): Promise<boolean> {
    const stream = new MediaStream()
    const done = new Promise<boolean>((end) => {
      this.ended = end
    })
    this.peer.ontrack = ({ track }) => {
      stream.addTrack(track)
      this.show(stream)
    }
    this.peer.onconnectionstatechange = () => {
      if (this.peer.connectionState === 'failed') this.close(true)
    }
    try {
      for (const kind of ['audio', 'video']) this.peer.addTransceiver(kind, { direction: 'recvonly' })
      await this.peer.setLocalDescription()
      await this.gathered()
      const answer = await fetch(this.watched.url + this.seat, {
        method: 'POST',
        headers: { 'Content-Type': 'application/sdp', Authorization: `Bearer ${this.watched.ticket}` },
        body: this.peer.localDescription?.sdp ?? '',
      })
      if (!answer.ok) throw new Error(`answered ${answer.status}`)
      this.at = new URL(answer.headers.get('Location') ?? '', this.watched.url).href
      await this.peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() })
    } catch {
      this.close(true) // nobody sends there yet, or the ticket is too old: the next one is newer
    }
    return done
  }

  private gathered(): Promise<void> {
    return new Promise((done) => {
      const look = () => this.peer.iceGatheringState === 'complete' && done()
      this.peer.onicegatheringstatechange = look
      look()
    })
  }

  close(lost = false): void {
    this.peer.close()
    this.show(undefined)
    // The server would notice by itself, some seconds later.
    if (this.at)
      void fetch(this.at, { method: 'DELETE', headers: { Authorization: `Bearer ${this.watched.ticket}` } }).catch(
        () => undefined,
      )
    this.at = ''
    this.ended(lost)
  }
}
