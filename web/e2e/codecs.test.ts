// What Chromium and our server do with pictures: H264, AV1, VP9 and VP8 as the browser has them, sizes of simulcast and layers of SVC that switch
// with the tile they are shown in, a shared screen, and a call that moves to another path without a new connection.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { Page } from 'playwright-core'
import { desk, phone, type Someone } from './browser'
import { ask, book, checkIn } from './errands'
import { until } from './house'
import { Journey, t } from './journey'
import { counts, flowing, made } from './media'
import { enterByPhone, enterWorkspace } from './people'

/** Codecs that go out in layers of one stream rather than in streams of several sizes. */
const layered = ['VP9', 'AV1']

/** For what the ladder must have climbed to: on a machine that is busy it takes its time. */
const climbing = 120_000

/** What one picture was, as getStats of one page tells it. */
type Picture = {
  id: string
  codec: string
  rid: string
  mode: string
  frames: number
  height: number
  freezes: number
}

const pictures = (page: Page, type: 'inbound-rtp' | 'outbound-rtp'): Promise<Picture[]> =>
  page.evaluate(async (type) => {
    type Entry = Record<string, unknown>
    const { keptPeers } = globalThis as unknown as { keptPeers: RTCPeerConnection[] }
    const found: Picture[] = []
    for (const peer of keptPeers) {
      if (peer.connectionState === 'closed') continue
      const all = new Map<string, Entry>()
      ;(await peer.getStats()).forEach((one: Entry) => {
        all.set(String(one.id), one)
      })
      for (const one of all.values())
        if (one.type === type && one.kind === 'video')
          found.push({
            id: String(one.id),
            codec: String(all.get(String(one.codecId))?.mimeType ?? '').replace('video/', ''),
            rid: String(one.rid ?? ''),
            mode: String(one.scalabilityMode ?? ''),
            frames: Number(one.framesDecoded ?? one.framesSent ?? 0),
            height: Number(one.frameHeight ?? 0),
            freezes: Number(one.freezeCount ?? 0),
          })
    }
    return found
  }, type)

/**
 * Makes a page's cameras speak the codec named in its local storage: VP8 and H264 in the sizes that the page sends, VP9 and AV1 in layers
 * of one stream.
 */
const speaking = () => {
  const name = localStorage.getItem('e2e.codec')
  if (!name) return
  const has = RTCRtpSender.getCapabilities.bind(RTCRtpSender)
  RTCRtpSender.getCapabilities = (kind) => {
    const all = has(kind)
    if (!all || kind !== 'video') return all
    return { ...all, codecs: all.codecs.filter(({ mimeType }) => [`video/${name}`, 'video/rtx'].includes(mimeType)) }
  }
  const add = RTCPeerConnection.prototype.addTransceiver
  RTCPeerConnection.prototype.addTransceiver = function (what, init) {
    const kind = typeof what === 'string' ? what : what.kind
    const svc = kind === 'video' && ['VP9', 'AV1'].includes(name)
    const encodings = svc
      ? [{ scalabilityMode: 'L3T3_KEY', maxBitrate: 800_000 } as RTCRtpEncodingParameters]
      : undefined
    return add.call(this, what, encodings ? { ...init, sendEncodings: encodings } : init)
  }
}

/** Shows the first picture of the others that tall, in pixels of the device. */
const tile = (page: Page, lines: number) =>
  page
    .locator(`${t('stage')} .seat video, ${t('call')} ${t('person')} video`)
    .first()
    .evaluate((video: HTMLVideoElement, lines) => {
      video.style.height = lines > 0 ? `${lines / devicePixelRatio}px` : ''
      video.style.minHeight = video.style.maxHeight = video.style.height
    }, lines)

describe('pictures in a browser', { concurrency: 1 }, () => {
  const journey = new Journey('codecs')
  let patient: Someone
  let doctor: Someone
  let visit = ''

  journey.step('a visit is under way', async () => {
    const wang = journey.person('王秀英')
    visit = await book(journey.house, wang, journey.person('孙丽'))
    await checkIn(journey.house, wang, visit)
    const enter = async () => {
      patient = await journey.join('patient', phone)
      await patient.context.addInitScript(speaking)
      await enterByPhone(patient.page, wang.sign_in.phone ?? '')
      await patient.page.click(`a[href="/visits/${visit}"]`)
      await patient.page.waitForSelector(t('place'))
    }
    doctor = await journey.join('doctor', desk)
    await Promise.all([enter(), enterWorkspace(doctor.page, journey.person('张建国'))])
    await doctor.page.goto(`/staff/visits/${visit}`)
    await doctor.page.click(t('admit'))
    await Promise.all([flowing(doctor.page, 1), flowing(patient.page, 1)])
  })

  journey.step('each codec that this Chromium encodes is decoded on the other side, after a reload each', async () => {
    const has = await patient.page.evaluate(() =>
      (RTCRtpSender.getCapabilities('video')?.codecs ?? []).map(({ mimeType }) => mimeType.replace('video/', '')),
    )
    const codecs = ['H264', 'AV1', 'VP9', 'VP8'].filter((name) => has.includes(name))
    console.log(`this Chromium has ${codecs.join(', ')}`)
    assert.ok(codecs.includes('VP8') && codecs.includes('VP9'), 'every Chromium has VP8 and VP9')
    for (const codec of codecs) {
      await patient.page.evaluate((name) => localStorage.setItem('e2e.codec', name), codec)
      await patient.page.reload()
      await flowing(patient.page, 1)
      await doctor.page.reload() // who has just come is sent a picture at once, whatever became of the line before
      const seen = await until(
        `a picture in ${codec}`,
        async () => (await pictures(doctor.page, 'inbound-rtp')).find((one) => one.codec === codec && one.frames > 5),
        60_000,
      )
      const sent = (await pictures(patient.page, 'outbound-rtp')).filter(({ frames }) => frames > 0)
      assert.ok(sent.length > 0 && sent.every((one) => one.codec === codec))
      if (layered.includes(codec)) {
        assert.match(sent.map(({ mode }) => mode).join(), /^L[123]T3/) // a small picture has fewer layers
        console.log(`${codec}: ${seen.height} lines of ${sent[0]?.mode}`)
      } else {
        assert.ok(
          sent.every(({ rid }) => /^s[012]$/.test(rid)),
          `${codec} goes out in sizes: ${JSON.stringify(sent)}`,
        )
        console.log(
          `${codec}: ${seen.height} lines, sent ${sent.map(({ rid, height }) => `${rid} ${height}`).join(', ')}`,
        )
      }
    }
  })

  journey.step('of three people, each is sent the size of the tile it is shown in', async () => {
    const link = await ask<{ url: string }>(journey.house, journey.person('王秀英'), 'POST', `/visits/${visit}/links`, {
      kind: 'companion',
    })
    const daughter = await journey.join('daughter', phone)
    await daughter.page.goto(link.url)
    await daughter.page.fill('input[name=name]', '刘梅')
    await daughter.page.click(t('join-go'))
    await doctor.page.click(t('admit-companion'))
    await flowing(daughter.page, 2)
    // The patient's picture is the one that comes with two or three streams; the doctor shows it small, the daughter tall.
    await Promise.all([tile(doctor.page, 100), tile(daughter.page, 700)])
    const heights = async (page: Page) =>
      (await pictures(page, 'inbound-rtp')).filter(({ frames }) => frames > 0).map(({ height }) => height)
    await until(
      'a small picture at the doctor, a tall one at the daughter',
      async () => {
        const [there, here] = await Promise.all([heights(doctor.page), heights(daughter.page)])
        return there.some((lines) => lines > 0 && lines <= 200) && here.some((lines) => lines > 200)
      },
      climbing,
    )
    const before = await pictures(patient.page, 'outbound-rtp')
    const sizes = await until(
      'two sizes of one picture go out',
      async () => {
        const now = await pictures(patient.page, 'outbound-rtp')
        const going = now.filter((one) => one.frames > 5 + (before.find(({ id }) => id === one.id)?.frames ?? 0))
        return going.length >= 2 && going
      },
      climbing,
    )
    assert.equal(new Set(sizes.map(({ height }) => height)).size, sizes.length)
    console.log(`the patient sends ${sizes.map(({ rid, height }) => `${rid} ${height} lines`).join(', ')}`)
    const small = (await pictures(doctor.page, 'inbound-rtp')).find(({ height }) => height > 0 && height <= 200)
    await tile(doctor.page, 0)
    const switched = await until(
      'the doctor gets a taller picture in the tall tile, on the same track',
      async () => {
        const now = (await pictures(doctor.page, 'inbound-rtp')).find(({ id }) => id === small?.id)
        return now && now.height > 200 && now
      },
      climbing,
    )
    assert.ok(switched.frames > (small?.frames ?? 0))
    console.log(`the doctor: ${small?.height} lines, then ${switched.height}; freezes ${switched.freezes}`)
    await daughter.page.click(t('hang'))
    await journey.shot(doctor, '01-three')
  })

  journey.step('a shared screen is seen, and is gone when it is stopped', async () => {
    const shared = async () =>
      (await pictures(patient.page, 'inbound-rtp')).filter(({ frames, height }) => frames > 5 && height > 0).length
    const before = await shared()
    await doctor.page.click(t('share-screen'))
    await until('the screen at the patient', async () => (await shared()) > before, climbing)
    await journey.shot(patient, '02-screen-patient')
    await journey.shot(doctor, '03-screen-doctor')
    await doctor.page.click(`${t('share-screen')}[aria-pressed=true]`)
    await doctor.page.waitForSelector(`${t('share-screen')}[aria-pressed=false]`)
    await flowing(patient.page, 1)
  })

  journey.step('the network changes: the call goes on over the relay and back, on the connections it has', async () => {
    const { page } = patient
    const connections = await made(page)
    const ends = async () => (await counts(page)).selected
    const direct = await ends()
    const change = (policy: RTCIceTransportPolicy) =>
      page.evaluate((policy) => {
        const { keptPeers } = globalThis as unknown as { keptPeers: RTCPeerConnection[] }
        for (const peer of keptPeers)
          if (peer.connectionState !== 'closed')
            peer.setConfiguration({ ...peer.getConfiguration(), iceTransportPolicy: policy })
        dispatchEvent(new Event('online'))
      }, policy)
    const relays = () =>
      page.evaluate(async () => {
        const { keptPeers } = globalThis as unknown as { keptPeers: RTCPeerConnection[] }
        const types: string[] = []
        for (const peer of keptPeers) {
          if (peer.connectionState === 'closed') continue
          const all = new Map<string, Record<string, unknown>>()
          ;(await peer.getStats()).forEach((one: Record<string, unknown>) => {
            all.set(String(one.id), one)
          })
          for (const one of all.values()) {
            const pair = one.type === 'transport' ? all.get(String(one.selectedCandidatePairId)) : undefined
            if (pair) types.push(String(all.get(String(pair.localCandidateId))?.candidateType))
          }
        }
        return types
      })
    await change('relay')
    await until('both ways over the relay', async () => (await relays()).every((type) => type === 'relay'), 60_000)
    await flowing(page, 1)
    await flowing(doctor.page, 1)
    await change('all')
    await until('both ways direct again', async () => (await relays()).every((type) => type !== 'relay'), 60_000)
    await flowing(page, 1)
    assert.equal(await made(page), connections, 'a new connection was made')
    assert.equal((await ends()).length, direct.length)
  })
})
