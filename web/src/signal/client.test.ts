import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { SignalClient, type State, TicketRefused, type View } from './client'
import type { AppMessage, ClientMessage, Seat, ServerMessage } from './protocol'
import { prepareRepeats } from './repeat'

vi.mock('./repeat', { spy: true })

/** A socket whose other end is the test. */
class FakeSocket {
  readyState = 0
  onopen: (() => void) | null = null
  onmessage: ((event: { data: string }) => void) | null = null
  onclose: (() => void) | null = null
  sent: ClientMessage[] = []

  constructor(readonly url: string) {}

  send(raw: string): void {
    this.sent.push(JSON.parse(raw))
  }

  close(): void {
    this.readyState = 3
  }

  open(): void {
    this.readyState = 1
    this.onopen?.()
  }

  say(message: ServerMessage): void {
    this.onmessage?.({ data: JSON.stringify(message) })
  }

  lose(): void {
    this.readyState = 3
    this.onclose?.()
  }

  said(type: ClientMessage['type']): ClientMessage[] {
    return this.sent.filter((m) => m.type === type)
  }
}

/** As much of a peer connection as the client touches before media flow. */
class FakePeer {
  connectionState: RTCPeerConnectionState = 'new'
  closed = false
  restarts = 0
  transceivers: { mid: string; direction: string; sender: object; receiver: object }[] = []
  sent: (string | null)[] = [] // what each sender was given last
  onconnectionstatechange: (() => void) | null = null
  ondatachannel:
    | ((event: { channel: { label: string; onmessage?: (event: { data: string }) => void } }) => void)
    | null = null

  described: string[] = []
  added: string[] = []

  constructor(public servers: RTCIceServer[]) {}

  addTransceiver(given: { kind: string } | string) {
    const track = typeof given === 'string' ? { kind: given } : given
    const at = this.sent.push(typeof given === 'string' ? null : given.kind) - 1
    const replaceTrack = async (next: { kind: string } | null) => {
      this.sent[at] = next?.kind ?? null
    }
    const sender = { replaceTrack, getParameters: () => ({}), setParameters: async () => {} }
    const transceiver = { mid: String(this.transceivers.length), direction: 'sendonly', sender, receiver: { track } }
    this.transceivers.push(transceiver)
    return transceiver
  }

  getTransceivers() {
    return this.transceivers
  }

  async createOffer(options?: RTCOfferOptions) {
    if (options?.iceRestart) this.restarts++
    return { type: 'offer', sdp: 'offer' }
  }

  async createAnswer() {
    return { type: 'answer', sdp: 'answer' }
  }

  async setLocalDescription() {}
  async setRemoteDescription({ sdp }: { sdp: string }) {
    this.described.push(sdp)
  }
  async addIceCandidate({ candidate }: { candidate: string }) {
    this.added.push(candidate)
  }
  getConfiguration() {
    return { iceServers: this.servers }
  }
  setConfiguration({ iceServers }: { iceServers: RTCIceServer[] }) {
    this.servers = iceServers
  }

  answers = 0 // to checks of its way
  packets = 0

  async getStats() {
    return new Map<string, object>([
      ['pair', { type: 'candidate-pair', responsesReceived: this.answers }],
      ['in', { type: 'inbound-rtp', mid: '0', packetsReceived: this.packets }],
    ])
  }

  close(): void {
    this.closed = true
  }
}

const me: Seat = {
  seat: 'me',
  name: '王芳',
  role: 'guest',
  presence: 'live',
  tracks: [],
  line: { pictures: true, limit: '', light: '' },
}
const other: Seat = { ...me, seat: 'other', name: '李明', role: 'host' }

const joined = (change: Partial<Extract<ServerMessage, { type: 'joined' }>> = {}): ServerMessage => ({
  type: 'joined',
  version: 1,
  seat: me,
  session: 'session-1',
  resumed: false,
  rights: { publish: true, subscribe: true },
  seats: [other],
  seq: 0,
  locked: false,
  ...change,
})

const fatal = (code: Extract<ServerMessage, { type: 'error' }>['code']): ServerMessage => ({
  type: 'error',
  code,
  zh: '不行',
  en: 'no',
  fatal: true,
})

const app = (seq: number, topic: string, data: AppMessage['data'], keep = false): AppMessage => ({
  type: 'app',
  seq,
  topic,
  from: 'other',
  at: 0,
  data,
  keep,
})

/** A client in a world where time and network are the test's. */
function world(getTicket?: () => Promise<never>) {
  const sockets: FakeSocket[] = []
  const peers: FakePeer[] = []
  const phases: State['phase'][] = []
  let view: View | undefined
  let tickets = 0
  let wake = (_: 'network' | 'page') => {}
  const client = new SignalClient({
    getTicket:
      getTicket ??
      (async () => {
        tickets++
        const ice_servers = [{ urls: 'turn:relay', ...(tickets > 1 ? { credential: `of ticket ${tickets}` } : {}) }]
        return { url: '/signal', ticket: `ticket-${tickets}`, ice_servers }
      }),
    onView: (next) => {
      view = next
      if (phases.at(-1) !== next.state.phase) phases.push(next.state.phase)
    },
    environment: {
      socket: (url) => {
        const socket = new FakeSocket(url)
        sockets.push(socket)
        return socket as unknown as WebSocket
      },
      peer: (servers) => {
        const peer = new FakePeer(servers)
        peers.push(peer)
        return peer as unknown as RTCPeerConnection
      },
      straight: () => true,
      now: () => Date.now(),
      random: () => 0.5,
      awake: (callback) => {
        wake = callback
        return () => {
          wake = () => {}
        }
      },
    },
  })
  const settle = () => vi.advanceTimersByTimeAsync(0)
  const last = () => {
    const socket = sockets.at(-1)
    if (!socket) throw new Error('no socket was opened')
    return socket
  }
  return {
    client,
    sockets,
    peers,
    phases,
    settle,
    last,
    view: () => view,
    tickets: () => tickets,
    wake: (what: 'network' | 'page' = 'network') => wake(what),
    enter: async (message = joined()) => {
      client.join()
      await settle()
      last().open()
      last().say(message)
      await settle()
      return last()
    },
  }
}

const track = () => ({ kind: 'audio', enabled: true, stop() {} }) as unknown as MediaStreamTrack

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('the states of a seat', () => {
  it('idle --join--> connecting --joined--> live', async () => {
    const w = world()
    expect(w.client.current().state).toEqual({ phase: 'idle' })
    expect(prepareRepeats).toHaveBeenCalledOnce() // long before a sender is made that needs them
    const socket = await w.enter()
    expect(w.phases).toEqual(['connecting', 'live'])
    expect(socket.sent[0]).toEqual({ type: 'join', version: 1, ticket: 'ticket-1' })
    expect(w.view()?.seats.map((s) => s.name)).toEqual(['李明'])
  })

  it('connecting --joined, not admitted--> waiting: no peer connection is made, then --admitted--> live', async () => {
    const w = world()
    w.client.publish('microphone', track())
    const socket = await w.enter(joined({ seat: { ...me, presence: 'waiting' }, seats: [] }))
    expect(w.phases).toEqual(['connecting', 'waiting'])
    expect(w.peers).toHaveLength(0)
    socket.say({ type: 'admitted', seats: [other], seq: 0, locked: false })
    await w.settle()
    expect(w.phases).toEqual(['connecting', 'waiting', 'live'])
    expect(w.peers[0]?.servers).toEqual([])
    expect(socket.said('publish')).toEqual([
      { type: 'publish', offer: 1, sdp: 'offer', sections: [{ mid: '0', source: 'microphone' }] },
    ])
  })

  it('the straight way goes first; TCP and relays follow where it has no answer', async () => {
    const candidates = [
      'candidate:1 1 udp 9 192.0.2.1 443 typ host',
      'candidate:2 1 tcp 8 192.0.2.1 443 typ host tcptype passive',
    ]
    const sdp = `v=0\r\n${candidates.map((one) => `a=${one}\r\n`).join('')}`
    for (const answers of [0, 1]) {
      const w = world()
      w.client.publish('microphone', track())
      const socket = await w.enter()
      socket.say({ type: 'subscribe', offer: 1, sdp, tracks: [] })
      socket.say({ type: 'published', offer: 1, sdp })
      await w.settle()
      for (const peer of w.peers) {
        expect(peer.described).toEqual([`v=0\r\na=${candidates[0]}\r\n`])
        peer.answers = answers
      }
      const states = async (ms: number) => {
        for (let t = 0; t < ms; t += 500) {
          await vi.advanceTimersByTimeAsync(500)
          socket.say({ type: 'pong' })
        }
        return w.peers.map(({ added, servers, restarts }) => [added, servers, restarts])
      }
      expect(await states(1500)).toEqual(w.peers.map(() => [[], [], 0]))
      const tcp = answers ? [] : [candidates[1]]
      expect(await states(1500)).toEqual(w.peers.map(() => [tcp, [], 0]))
      const relays = answers ? [] : [{ urls: 'turn:relay' }]
      expect(await states(3000)).toEqual(w.peers.map((_, n) => [tcp, relays, n === 0 && !answers ? 1 : 0]))
      expect(socket.said('restart')).toHaveLength(answers ? 0 : 1)
      w.client.leave()
    }
  })

  it('waiting --prepare--> waiting: connections are made and send nothing, then --admitted--> live without another offer', async () => {
    const w = world()
    w.client.publish('microphone', track())
    const socket = await w.enter(joined({ seat: { ...me, presence: 'waiting' }, seats: [] }))
    socket.say({ type: 'prepare' })
    await w.settle()
    expect(socket.said('publish')).toHaveLength(1)
    expect(w.peers[0]?.sent).toEqual([null])
    expect(w.phases).toEqual(['connecting', 'waiting'])
    socket.say({ type: 'published', offer: 1, sdp: 'answer' })
    socket.say({ type: 'admitted', seats: [other], seq: 0, locked: false })
    await w.settle()
    expect(w.phases).toEqual(['connecting', 'waiting', 'live'])
    expect(w.peers[0]?.sent).toEqual(['audio'])
    expect(socket.said('publish')).toHaveLength(1)
  })

  it('waiting --admitted beside the socket--> live: the word on the socket and late copies change nothing that came since', async () => {
    const w = world()
    w.client.publish('microphone', track())
    const socket = await w.enter(joined({ seat: { ...me, presence: 'waiting' }, seats: [] }))
    socket.say({ type: 'prepare' })
    socket.say({ type: 'published', offer: 1, sdp: 'answer' })
    await w.settle()
    const channel: { label: string; onmessage?: (event: { data: string }) => void } = { label: 'pointer' }
    w.peers[1]?.ondatachannel?.({ channel })
    const word: ServerMessage = { type: 'admitted', seats: [other], seq: 0, locked: false }
    const insist = () => channel.onmessage?.({ data: JSON.stringify(word) })
    w.client.app('chat', 'hello')
    insist()
    await w.settle()
    expect(w.phases).toEqual(['connecting', 'waiting', 'live'])
    expect(w.peers[0]?.sent).toEqual(['audio'])
    socket.say(word)
    socket.say({ type: 'gone', seat: 'other', reason: 'left' })
    insist()
    await w.settle()
    expect(w.view()?.seats).toEqual([])
    expect(w.phases).toEqual(['connecting', 'waiting', 'live'])
    expect(socket.said('app')).toHaveLength(1)
  })

  it('who waits gives a socket without words up later than who talks', async () => {
    for (const [presence, sockets] of [
      ['waiting', 1],
      ['live', 2],
    ] as const) {
      const w = world()
      await w.enter(joined({ seat: { ...me, presence } }))
      await vi.advanceTimersByTimeAsync(8000)
      expect(w.sockets.length).toBe(sockets)
      await vi.advanceTimersByTimeAsync(8000)
      expect(w.sockets.length).toBeGreaterThan(1)
      w.client.leave()
    }
  })

  it('sound that comes is heard before the word that its seat sends it, and not when it has ended', async () => {
    const w = world()
    w.client.publish('microphone', track())
    const socket = await w.enter()
    const sub = w.peers[1]
    if (!sub) throw new Error('no connection')
    sub.addTransceiver('audio')
    const sound = { mid: '0', id: 'other.microphone', seat: 'other', source: 'microphone', kind: 'audio' } as const
    socket.say({ type: 'subscribe', offer: 1, sdp: 'offer', tracks: [sound] })
    const heard = async (packets: number) => {
      for (let i = 0; i < 4; i++) {
        sub.packets += packets
        await vi.advanceTimersByTimeAsync(500)
      }
      return w.view()?.tracks.map(({ id }) => id)
    }
    expect(await heard(0)).toEqual([])
    expect(await heard(1)).toEqual(['other.microphone'])
    expect(await heard(0)).toEqual([])
    w.client.leave()
  })

  it('a pong answers the oldest ping: words that overlap do not make a long way short', async () => {
    const w = world()
    const socket = await w.enter()
    for (const after of [1100, 500, 500, 500]) {
      await vi.advanceTimersByTimeAsync(after) // pings leave every 500 ms from 500 on, each is answered after 600
      socket.say({ type: 'pong' })
    }
    await vi.advanceTimersByTimeAsync(2500)
    expect(w.view()?.line.takes).toBe('still')
  })

  it('live --socket lost--> reconnecting --joined--> live, at once, with a new ticket and what was seen', async () => {
    const w = world()
    const socket = await w.enter()
    socket.say(app(7, 'chat', 'hello'))
    socket.lose()
    expect(w.view()?.state).toEqual({ phase: 'reconnecting', admitted: true })
    await w.settle()
    expect(w.sockets).toHaveLength(2)
    w.last().open()
    expect(w.last().sent).toEqual([{ type: 'join', version: 1, ticket: 'ticket-2', session: 'session-1', seen: 7 }])
    w.last().say(joined({ resumed: true }))
    expect(w.view()?.state).toEqual({ phase: 'live' })
  })

  it('tries again for ever, never more than two seconds apart', async () => {
    const w = world()
    const socket = await w.enter()
    socket.lose()
    await w.settle()
    for (let tries = 2; tries < 12; tries++) {
      expect(w.sockets.length).toBeGreaterThanOrEqual(tries)
      w.last().lose()
      await vi.advanceTimersByTimeAsync(2500)
    }
    expect(w.tickets()).toBe(w.sockets.length)
    expect(w.view()?.state.phase).toBe('reconnecting')
  })

  it('a restarted server: media begin anew and the tracks are published again', async () => {
    const w = world()
    w.client.publish('microphone', track())
    await w.enter()
    expect(w.peers).toHaveLength(2)
    w.last().say(fatal('going_away'))
    await w.settle()
    w.last().open()
    w.last().say(joined({ session: 'session-2' }))
    await w.settle()
    expect(w.peers.map((p) => p.closed)).toEqual([true, true, false, false])
    expect(w.last().said('publish')).toHaveLength(1)
  })

  it('a resumed session keeps its media and repeats only an unanswered offer', async () => {
    const w = world()
    w.client.publish('microphone', track())
    const socket = await w.enter()
    expect(socket.said('publish')).toHaveLength(1)
    socket.lose()
    await w.settle()
    w.last().open()
    w.last().say(joined({ resumed: true }))
    await w.settle()
    expect(w.last().said('publish')).toMatchObject([{ offer: 2 }])
    w.last().say({ type: 'published', offer: 2, sdp: 'answer' })
    await w.settle()
    w.last().lose()
    await w.settle()
    w.last().open()
    w.last().say(joined({ resumed: true }))
    await w.settle()
    expect(w.last().said('publish')).toHaveLength(0)
    expect(w.peers.map((p) => p.closed)).toEqual([false, false])
  })

  it('live --no word for two seconds--> reconnecting; after five the socket is given up', async () => {
    const w = world()
    await w.enter()
    await vi.advanceTimersByTimeAsync(2600)
    expect(w.view()?.state.phase).toBe('reconnecting')
    expect(w.sockets).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(3000)
    expect(w.sockets).toHaveLength(2)
  })

  it('live --pong--> live', async () => {
    const w = world()
    const socket = await w.enter()
    for (let i = 0; i < 20; i++) {
      await vi.advanceTimersByTimeAsync(500)
      socket.say({ type: 'pong' })
    }
    expect(w.phases).toEqual(['connecting', 'live'])
    expect(socket.said('ping').length).toBeGreaterThan(15)
  })

  it('where packets tell that the line lives, or who waits has connections that do, few pings are sent', async () => {
    const w = world()
    w.client.publish('microphone', track())
    const socket = await w.enter(joined({ seat: { ...me, presence: 'waiting' }, seats: [] }))
    socket.say({ type: 'prepare' })
    await w.settle()
    for (const peer of w.peers) peer.connectionState = 'connected'
    const pings = async () => {
      const before = socket.said('ping').length
      for (let i = 0; i < 20; i++) {
        for (const peer of w.peers) peer.packets++
        const asked = socket.said('ping').length
        await vi.advanceTimersByTimeAsync(500)
        if (socket.said('ping').length > asked) socket.say({ type: 'pong' })
      }
      return socket.said('ping').length - before
    }
    expect(await pings()).toBeLessThan(7)
    expect(w.phases).toEqual(['connecting', 'waiting'])
    socket.say({ type: 'admitted', seats: [other], seq: 0, locked: false })
    expect(await pings()).toBeLessThan(7)
    expect(w.phases).toEqual(['connecting', 'waiting', 'live'])
  })

  it.each([
    ['closed', { type: 'closed' }, { phase: 'ended', by: 'host' }],
    ['removed', { type: 'removed' }, { phase: 'removed' }],
    ['replaced', fatal('replaced'), { phase: 'error', code: 'replaced', zh: '不行', en: 'no' }],
  ] satisfies [string, ServerMessage, State][])('live --%s--> the end', async (_, message, end) => {
    const w = world()
    w.client.publish('microphone', track())
    const socket = await w.enter()
    socket.say(message)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(w.view()?.state).toEqual(end)
    expect(w.sockets).toHaveLength(1)
    expect(w.peers.every((p) => p.closed)).toBe(true)
  })

  it('joining --replaced, for it slept--> the end; taken back at the wish of the person it comes as a new page', async () => {
    const w = world()
    const socket = await w.enter()
    socket.lose()
    await w.settle()
    w.last().open()
    expect(w.last().sent).toMatchObject([{ type: 'join', session: 'session-1' }])
    w.last().say(fatal('replaced'))
    await vi.advanceTimersByTimeAsync(10_000)
    expect(w.view()?.state).toMatchObject({ phase: 'error', code: 'replaced' })
    expect(w.sockets).toHaveLength(2)
    w.client.join()
    await w.settle()
    w.last().open()
    expect(w.last().sent).toEqual([{ type: 'join', version: 1, ticket: 'ticket-3' }])
  })

  it('live --leave--> ended', async () => {
    const w = world()
    const socket = await w.enter()
    w.client.leave()
    expect(socket.said('leave')).toHaveLength(1)
    expect(w.view()?.state).toEqual({ phase: 'ended', by: 'self' })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('no ticket any more --> error with the words of the house', async () => {
    const w = world(async () => {
      throw new TicketRefused('就诊已结束', 'The visit has ended')
    })
    w.client.join()
    await w.settle()
    expect(w.view()?.state).toEqual({ phase: 'error', code: 'ticket', zh: '就诊已结束', en: 'The visit has ended' })
  })

  it('a ticket that is refused three times ends it', async () => {
    const w = world()
    w.client.join()
    for (let i = 0; i < 3; i++) {
      await vi.advanceTimersByTimeAsync(2000)
      w.last().open()
      w.last().say(fatal('ticket_invalid'))
    }
    expect(w.view()?.state).toMatchObject({ phase: 'error', code: 'ticket_invalid' })
  })
})

describe('media', () => {
  it('disconnected for two seconds: a new path is looked for on both connections', async () => {
    const w = world()
    w.client.publish('microphone', track())
    const socket = await w.enter()
    socket.say({ type: 'published', offer: 1, sdp: 'answer' })
    await w.settle()
    const [pub, sub] = w.peers
    if (!pub || !sub) throw new Error('no peers')
    sub.connectionState = 'disconnected'
    sub.onconnectionstatechange?.()
    await w.settle()
    expect(w.view()?.state.phase).toBe('reconnecting')
    for (let i = 0; i < 5; i++) {
      await vi.advanceTimersByTimeAsync(500)
      socket.say({ type: 'pong' })
    }
    expect(socket.said('restart')).toHaveLength(1)
    expect(pub.restarts).toBe(1)
    sub.connectionState = 'connected'
    sub.onconnectionstatechange?.()
    await w.settle()
    expect(w.view()?.state.phase).toBe('live')
  })

  it('failed: everything begins anew', async () => {
    const w = world()
    w.client.publish('microphone', track())
    await w.enter()
    const [pub] = w.peers
    if (!pub) throw new Error('no peer')
    pub.connectionState = 'failed'
    pub.onconnectionstatechange?.()
    await w.settle()
    w.last().open()
    expect(w.last().sent).toEqual([{ type: 'join', version: 1, ticket: 'ticket-2' }])
  })

  it('the network came back: a new path at once', async () => {
    const w = world()
    const socket = await w.enter()
    socket.say({ type: 'subscribe', offer: 1, sdp: 'offer', tracks: [] })
    await w.settle()
    expect(socket.said('answer')).toEqual([{ type: 'answer', offer: 1, sdp: 'answer' }])
    w.wake()
    expect(socket.said('restart')).toHaveLength(1)
  })

  it('a glance at another page leaves a line that lives as it is', async () => {
    const w = world()
    const socket = await w.enter()
    socket.say({ type: 'subscribe', offer: 1, sdp: 'offer', tracks: [] })
    await w.settle()
    for (const peer of w.peers) peer.connectionState = 'connected'
    w.wake('page')
    expect(socket.said('restart')).toHaveLength(0)
    for (const peer of w.peers) peer.connectionState = 'disconnected'
    w.wake('page')
    expect(socket.said('restart')).toHaveLength(1)
  })

  it('a restart by relays asks anew for what opens them, once that is too old', async () => {
    const w = world()
    w.client.publish('microphone', track())
    const socket = await w.enter()
    socket.say({ type: 'subscribe', offer: 1, sdp: 'offer', tracks: [] })
    socket.say({ type: 'published', offer: 1, sdp: 'answer' })
    const talk = async (ms: number) => {
      for (let t = 0; t < ms; t += 500) {
        await vi.advanceTimersByTimeAsync(500)
        socket.say({ type: 'pong' })
      }
    }
    await talk(6000) // nothing answers: relays are tried
    socket.say({ type: 'published', offer: 2, sdp: 'answer' })
    for (const peer of w.peers) peer.connectionState = 'connected'
    await talk(9 * 60_000)
    expect(w.tickets()).toBe(1)
    w.wake('network')
    await w.settle()
    expect(w.tickets()).toBe(2)
    for (const peer of w.peers) expect(peer.servers).toEqual([{ urls: 'turn:relay', credential: 'of ticket 2' }])
    expect(w.peers[0]?.restarts).toBe(2)
  })

  it('what is muted is said again after a reconnect, and what is no longer', async () => {
    const w = world()
    const mic = track()
    const camera = track()
    w.client.publish('microphone', mic)
    w.client.publish('camera', camera)
    const socket = await w.enter()
    w.client.mute('microphone', true)
    w.client.mute('camera', true)
    expect(mic.enabled).toBe(false)
    socket.lose()
    await w.settle()
    w.client.mute('camera', false) // the server knows it as muted
    w.last().open()
    w.last().say(joined({ resumed: true }))
    expect(w.last().said('mute')).toEqual([
      { type: 'mute', source: 'microphone', muted: true },
      { type: 'mute', source: 'camera', muted: false },
    ])
  })

  it('who may only watch says nothing of its sources', async () => {
    const w = world()
    w.client.publish('microphone', track())
    const socket = await w.enter(joined({ rights: { publish: false, subscribe: true } }))
    expect(socket.said('mute')).toEqual([])
  })
})

describe('app messages', () => {
  it('said without a line are sent when it is back, of kept topics only the latest', async () => {
    const w = world()
    w.client.app('viewer/slice', 1, true)
    w.client.app('chat', 'hello')
    w.client.app('viewer/slice', 2, true)
    const socket = await w.enter()
    expect(socket.said('app')).toEqual([
      { type: 'app', topic: 'chat', data: 'hello', keep: false, page: 'i', number: 2 },
      { type: 'app', topic: 'viewer/slice', data: 2, keep: true, page: 'i', number: 3 },
    ])
  })

  /** The socket is lost and the next one resumed: what is said again. */
  const again = async (w: ReturnType<typeof world>) => {
    w.last().lose()
    await w.settle()
    w.last().open()
    w.last().say(joined({ resumed: true }))
    return w
      .last()
      .said('app')
      .map((m) => m.type === 'app' && [m.number, m.data])
  }

  it('said into a line that was lost already are said again under their numbers, until they come back from the room', async () => {
    const w = world()
    const socket = await w.enter()
    for (const word of ['one', 'two', 'three']) w.client.app('chat', word)
    expect(socket.said('app')).toHaveLength(3)
    socket.say({ ...app(1, 'chat', 'one'), page: 'i', number: 1 })
    socket.say({ ...app(2, 'chat', 'of another page'), page: 'other', number: 3 })
    expect(await again(w)).toEqual([
      [2, 'two'],
      [3, 'three'],
    ])
    w.client.app('chat', 'four')
    w.last().say({ ...app(4, 'chat', 'three'), page: 'i', number: 3 })
    expect(await again(w)).toEqual([[4, 'four']])
    w.last().say({ ...app(5, 'chat', 'four'), page: 'i', number: 4 })
    expect(await again(w)).toEqual([])
  })

  it('that the room refused or had before are not said for ever: the pong to a ping that followed tells', async () => {
    const w = world()
    const socket = await w.enter()
    await vi.advanceTimersByTimeAsync(500)
    expect(socket.said('ping')).toHaveLength(1)
    w.client.app('chat', 'refused')
    socket.say({ type: 'pong' })
    expect(await again(w)).toEqual([[1, 'refused']])
    await vi.advanceTimersByTimeAsync(500)
    expect(w.last().said('ping')).toHaveLength(1)
    w.last().say({ type: 'pong' })
    expect(await again(w)).toEqual([])
  })

  it('so long that they end the socket are said once', async () => {
    const w = world()
    await w.enter()
    w.client.app('chat', 'x'.repeat(70_000))
    expect(await again(w)).toEqual([])
  })

  it('a listener that comes late hears the kept ones of its topics', async () => {
    const w = world()
    const socket = await w.enter()
    socket.say(app(1, 'viewer/slice', 4, true))
    socket.say(app(2, 'viewer/slice', 5, true))
    socket.say(app(3, 'chat', 'hello'))
    const heard: AppMessage['data'][] = []
    const stop = w.client.onApp('viewer/', (message) => heard.push(message.data))
    socket.say(app(4, 'viewer/slice', 6, true))
    stop()
    socket.say(app(5, 'viewer/slice', 7, true))
    expect(heard).toEqual([5, 6])
  })
})
