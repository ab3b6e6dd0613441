// A far line between one browser and the platform, without root: TCP and UDP go through sockets of this process, later by
// the delay, and not all of UDP arrives. What TCP loses comes late, and all behind it.
import { createSocket, type Socket as Datagrams } from 'node:dgram'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { BrowserContext } from 'playwright-core'
import type { House } from './house'

const again = 200 // ms until TCP sends a lost segment once more, besides the way (RFC 6298's least in Linux)

export class Far {
  address = ''
  /** ms one way, and the part of packets that is lost. */
  delay = 0
  loss = 0
  private udp = 0
  private readonly sockets = new Set<Socket | Datagrams | Server>()

  private constructor(private readonly house: House) {}

  static async open(house: House, delay: number): Promise<Far> {
    const far = new Far(house)
    far.delay = delay
    const { hostname, port } = new URL(house.address)
    const server = createServer((near) => far.carry(near, connect(Number(port), hostname)))
    await new Promise<void>((done) => server.listen(0, hostname, done))
    far.sockets.add(server)
    far.address = `http://${hostname}:${(server.address() as { port: number }).port}`
    const near = createSocket('udp4')
    await new Promise<void>((done) => near.bind(0, hostname, done))
    far.sockets.add(near)
    far.udp = near.address().port
    const ways = new Map<number, Datagrams>() // by the port a packet came from
    near.on('message', (packet, { port }) => {
      let way = ways.get(port)
      if (!way) {
        way = createSocket('udp4')
        way.on('message', (back) => far.later(() => near.send(back, port, hostname)))
        ways.set(port, way)
        far.sockets.add(way)
      }
      const to = way
      far.later(() => to.send(packet, house.udp, hostname))
    })
    return far
  }

  /** Media of this browser go the same way: what the platform says of its address is changed to ours. */
  async lead(context: BrowserContext): Promise<void> {
    await context.addInitScript(
      ({ from, to }) => {
        const changed = (text: string) =>
          text
            .split('\r\n')
            .filter((line) => !/candidate:.* tcp /i.test(line))
            .map((line) => (line.includes('candidate:') ? line.replace(` ${from} typ`, ` ${to} typ`) : line))
            .join('\r\n')
        const { setRemoteDescription: set, addIceCandidate: add } = RTCPeerConnection.prototype as unknown as {
          setRemoteDescription: (said: RTCSessionDescriptionInit) => Promise<void>
          addIceCandidate: (one?: RTCIceCandidateInit | null) => Promise<void>
        }
        // Nor may the platform find a way of its own: it is told a port where nobody listens.
        const send = WebSocket.prototype.send
        WebSocket.prototype.send = function (data) {
          const said = typeof data === 'string' ? data.replace(/(candidate:[^"\\]* )\d+( typ)/g, '$19$2') : data
          return send.call(this, said)
        }
        Object.assign(RTCPeerConnection.prototype, {
          setRemoteDescription(this: RTCPeerConnection, said: RTCSessionDescriptionInit) {
            return set.call(this, { type: said.type, sdp: changed(said.sdp ?? '') })
          },
          addIceCandidate(this: RTCPeerConnection, one?: RTCIceCandidateInit | null) {
            const text = one?.candidate ? changed(one.candidate) : undefined
            if (text === '') return Promise.resolve()
            return add.call(this, one && text !== undefined ? { ...one, candidate: text } : one)
          },
        })
      },
      { from: this.house.udp, to: this.udp },
    )
  }

  close(): void {
    for (const one of this.sockets) 'destroy' in one ? one.destroy() : one.close()
  }

  private later(deed: () => void): void {
    if (Math.random() < this.loss) return
    setTimeout(() => {
      try {
        deed()
      } catch {
        // closed while it was on its way
      }
    }, this.delay)
  }

  private carry(near: Socket, far: Socket): void {
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.sockets.add(from)
      from.setNoDelay(true)
      const waiting: { due: number; deed: () => void }[] = [] // in order, which timers of their own would not keep
      const work = () => {
        for (let first = waiting[0]; first; first = waiting[0]) {
          const left = first.due - Date.now()
          if (left > 0) return void setTimeout(work, left)
          waiting.shift()
          first.deed()
        }
      }
      const inTurn = (deed: () => void) => {
        const late = Math.random() < this.loss ? again + 2 * this.delay : 0
        waiting.push({ due: Math.max(waiting.at(-1)?.due ?? 0, Date.now() + this.delay + late), deed })
        if (waiting.length === 1) setTimeout(work, this.delay + late)
      }
      from.on('data', (chunk) => inTurn(() => to.writable && to.write(chunk)))
      from.on('end', () => inTurn(() => to.end()))
      from.on('error', () => to.destroy())
      from.on('close', () => {
        this.sockets.delete(from)
        inTurn(() => to.destroy())
      })
    }
  }
}
