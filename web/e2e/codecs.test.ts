// What Chromium and our server do with pictures: H264, AV1, VP9 and VP8 as the browser has them, each decoded on the other
// side, after a reload of both.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { desk, phone, type Someone } from './browser'
import { book, checkIn } from './errands'
import { until } from './house'
import { Journey, t } from './journey'
import { flowing, pictures } from './media'
import { enterByPhone, enterWorkspace } from './people'

/** Codecs that go out in layers of one stream rather than in streams of several sizes. */
const layered = ['VP9', 'AV1']

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
})
