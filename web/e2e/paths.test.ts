// Ways through a firewall, in a visit: the relay over UDP, TCP and TLS, ICE over TCP alone, and a network that changes in
// mid-visit. Each is proved by the candidate pair in use and by sound and pictures that go on arriving at both ends.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { Page } from 'playwright-core'
import { desk, phone, type Someone } from './browser'
import { book, checkIn } from './errands'
import { until } from './house'
import { Journey, t } from './journey'
import { counts, made } from './media'
import { enterByPhone, enterWorkspace } from './people'

const key = 'e2e.path'

/**
 * Leaves a page's connections only the way named in its local storage. Relays: no other candidates, and only the server over
 * that protocol. "tcp": neither side hears of any candidate over UDP, and there is no relay.
 */
function only(key: string) {
  const path = localStorage.getItem(key)
  if (!path) return
  const relay: Record<string, RegExp> = {
    'turn-udp': /^turn:.*transport=udp$/,
    'turn-tcp': /^turn:.*transport=tcp$/,
    'turn-tls': /^turns:/,
  }
  const wanted = relay[path]
  const withoutUdp = (sdp: string) => sdp.replace(/a=candidate:\S+ \d+ udp .*\r\n/gi, '')
  const Original = globalThis.RTCPeerConnection
  const narrow = (given: RTCConfiguration): RTCConfiguration => ({
    ...given,
    iceServers: (given.iceServers ?? []).flatMap((server) => {
      const urls = [server.urls].flat().filter((url) => wanted?.test(url))
      return urls.length > 0 ? [{ ...server, urls }] : []
    }),
    ...(wanted ? { iceTransportPolicy: 'relay' as const } : {}),
  })
  globalThis.RTCPeerConnection = class extends Original {
    constructor(given: RTCConfiguration = {}) {
      super(narrow(given))
    }
    override setConfiguration(given: RTCConfiguration = {}) {
      super.setConfiguration(narrow(given)) // the page tries relays when it has had no answer for a while
    }
  }
  if (wanted) return
  const set = Original.prototype.setRemoteDescription as (d: RTCSessionDescriptionInit) => Promise<void>
  Original.prototype.setRemoteDescription = function (description: RTCSessionDescriptionInit) {
    return set.call(this, { ...description, sdp: withoutUdp(description.sdp ?? '') })
  }
  const send = WebSocket.prototype.send
  WebSocket.prototype.send = function (data: string | ArrayBufferLike | Blob | ArrayBufferView) {
    const message = typeof data === 'string' ? JSON.parse(data) : {}
    if (/ udp /i.test(message.candidate?.candidate ?? '')) return
    if (message.sdp) message.sdp = withoutUdp(message.sdp)
    send.call(this, typeof data === 'string' ? JSON.stringify(message) : data)
  }
}

/** The pair in use of each connection: our end's kind, what it speaks with the relay, and the far end's protocol. */
type Pair = { kind: string; relay: string; protocol: string; far: string; ufrag: string }

const pairs = (page: Page): Promise<Pair[]> =>
  page.evaluate(async () => {
    type Entry = Record<string, unknown>
    const { keptPeers } = globalThis as unknown as { keptPeers: RTCPeerConnection[] }
    const found: Pair[] = []
    for (const peer of keptPeers) {
      if (peer.connectionState === 'closed') continue
      const all = new Map<string, Entry>()
      ;(await peer.getStats()).forEach((one: Entry) => {
        all.set(String(one.id), one)
      })
      for (const one of all.values()) {
        if (one.type !== 'transport') continue
        const pair = all.get(String(one.selectedCandidatePairId))
        const near = all.get(String(pair?.localCandidateId))
        const far = all.get(String(pair?.remoteCandidateId))
        found.push({
          kind: String(near?.candidateType),
          relay: String(near?.relayProtocol ?? ''),
          protocol: String(near?.protocol),
          far: `${far?.protocol}:${far?.address}:${far?.port}`,
          ufrag: String(one.iceLocalUsernameFragment),
        })
      }
    }
    return found
  })

describe('ways through a firewall', { concurrency: 1 }, () => {
  const journey = new Journey('paths')
  let patient: Someone
  let doctor: Someone

  /** Sound goes on both ways and the patient sees: a new page is sent pictures at once, later the line decides how many. */
  async function goesOn(): Promise<void> {
    const heard = async ({ page }: Someone) => (await counts(page)).energy.reduce((sum, n) => sum + n, 0)
    for (const one of [patient, doctor]) {
      await until('sound', async () => (await heard(one)) > 0, 60_000)
      const before = await heard(one)
      await until('more sound', async () => (await heard(one)) > before, 60_000)
    }
    await until('pictures', async () => (await counts(patient.page)).frames.some((n) => n > 5), 60_000)
  }

  /** The patient's page begins anew, with the way given or with all. */
  async function again(path: string): Promise<void> {
    await patient.page.evaluate(([key, path]) => localStorage.setItem(key ?? '', path ?? ''), [key, path])
    await patient.page.reload()
    await goesOn()
  }

  journey.step('a visit is under way, straight over UDP', async () => {
    const wang = journey.person('王秀英')
    const visit = await book(journey.house, wang, journey.person('孙丽'))
    await checkIn(journey.house, wang, visit)
    const enter = async () => {
      patient = await journey.join('patient', phone)
      await patient.context.addInitScript(only, key)
      await enterByPhone(patient.page, wang.sign_in.phone ?? '')
      await patient.page.click(`a[href="/visits/${visit}"]`)
      await patient.page.waitForSelector(t('place'))
    }
    doctor = await journey.join('doctor', desk)
    await Promise.all([enter(), enterWorkspace(doctor.page, journey.person('张建国'))])
    await doctor.page.goto(`/staff/visits/${visit}`)
    await doctor.page.click(t('admit'))
    await goesOn()
    for (const pair of await pairs(patient.page)) assert.equal(pair.far, `udp:127.0.0.1:${journey.house.udp}`)
  })

  for (const [path, kind, relay, far] of [
    ['turn-udp', 'relay', 'udp', 'udp'],
    ['turn-tcp', 'relay', 'tcp', 'udp'],
    ['turn-tls', 'relay', 'tls', 'udp'],
    ['tcp', 'host', '', 'tcp'],
  ] as const) {
    journey.step(`only ${path}: sound and pictures go on both ways`, async () => {
      await again(path)
      const found = await pairs(patient.page)
      console.log(`${path}: ${found.map((p) => `${p.kind} ${p.relay || p.protocol} → ${p.far}`).join(', ')}`)
      assert.equal(found.length, 2, 'one connection to send, one to receive')
      const port = far === 'udp' ? journey.house.udp : journey.house.tcp
      for (const pair of found) {
        assert.ok(pair.kind === kind || (kind === 'host' && pair.kind === 'prflx'), `the near end is ${pair.kind}`)
        assert.equal(pair.relay, relay)
        assert.equal(pair.far, `${far}:127.0.0.1:${port}`)
        if (kind === 'host') assert.equal(pair.protocol, 'tcp')
      }
      await journey.shot(patient, path)
    })
  }

  journey.step('the network changes: the same connections find a new path, and sound and pictures go on', async () => {
    await again('')
    const connections = await made(patient.page)
    const before = await pairs(patient.page)
    const { packetsReceived, packetsSent } = await counts(patient.page)
    await patient.page.evaluate(() => dispatchEvent(new Event('online')))
    await patient.page.waitForFunction(
      (old: string[]) => {
        const { keptPeers } = globalThis as unknown as { keptPeers: RTCPeerConnection[] }
        const now = keptPeers
          .filter((peer) => peer.connectionState === 'connected')
          .map((peer) => /a=ice-ufrag:(\S+)/.exec(peer.currentLocalDescription?.sdp ?? '')?.[1])
        return now.length === 2 && now.every((ufrag) => ufrag && !old.includes(ufrag))
      },
      before.map(({ ufrag }) => ufrag),
      { timeout: 60_000 },
    )
    await until('packets both ways on the new path', async () => {
      const now = await counts(patient.page)
      return now.packetsReceived > packetsReceived + 100 && now.packetsSent > packetsSent + 100
    })
    await goesOn()
    const after = await pairs(patient.page)
    assert.equal(await made(patient.page), connections, 'no connection was made anew')
    assert.ok(
      after.every(({ ufrag }) => !before.some((one) => one.ufrag === ufrag)),
      'ICE was restarted on both',
    )
  })
})
