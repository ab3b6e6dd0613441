// The worst line: a call at 64 and at 32 kbit/s with loss and delay. Sound goes on, the picture becomes stills, and both
// sides are told what is going on.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { Page } from 'playwright-core'
import { desk, phone, type Someone } from './browser'
import { book } from './errands'
import { until } from './house'
import { Journey, t } from './journey'
import { flowing } from './media'
import { enterByPhone, enterWorkspace } from './people'

type Net = { kbps: number; delay: number; loss: number }

/** Chromium's own emulation, which covers media as well. */
async function narrow({ context, page }: Someone, net: Net | undefined): Promise<void> {
  const session = await context.newCDPSession(page)
  await session.send('Network.enable')
  await session.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: net?.delay ?? 0,
    downloadThroughput: net ? (net.kbps * 1000) / 8 : -1,
    uploadThroughput: net ? (net.kbps * 1000) / 8 : -1,
    packetLoss: net?.loss ?? 0,
    packetQueueLength: net ? 30 : 0,
  } as never)
}

type Sound = { heard: number; madeUp: number; energy: number }

const sound = (page: Page): Promise<Sound> =>
  page.evaluate(async () => {
    const { keptPeers } = globalThis as unknown as { keptPeers: RTCPeerConnection[] }
    const sum = { heard: 0, madeUp: 0, energy: 0 }
    for (const peer of keptPeers) {
      if (peer.connectionState === 'closed') continue
      ;(await peer.getStats()).forEach((one: RTCInboundRtpStreamStats) => {
        if (one.type !== 'inbound-rtp' || one.kind !== 'audio') return
        const silent = one.silentConcealedSamples ?? 0
        sum.heard += (one.totalSamplesReceived ?? 0) - silent
        sum.madeUp += (one.concealedSamples ?? 0) - silent
        sum.energy += one.totalAudioEnergy ?? 0
      })
    }
    return sum
  })

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms))

describe('the worst line', { concurrency: 1 }, () => {
  const journey = new Journey('line')
  let patient: Someone
  let doctor: Someone

  journey.step('a visit begins on a good line', async () => {
    const wang = journey.person('王秀英')
    const visit = await book(journey.house, wang, journey.person('孙丽'))
    patient = await journey.join('patient', phone)
    await enterByPhone(patient.page, wang.sign_in.phone ?? '')
    await patient.page.click(`a[href="/visits/${visit}"]`)
    await patient.page.click(t('try-devices'))
    await patient.page.click(t('check-in'))
    await patient.page.waitForSelector(t('place'))
    doctor = await journey.join('doctor', desk)
    await enterWorkspace(doctor.page, journey.person('张建国'))
    await doctor.page.waitForSelector(`a[href="/staff/visits/${visit}"][data-state=checked_in]`)
    await doctor.page.keyboard.press('F2')
    await Promise.all([flowing(doctor.page, 1), flowing(patient.page, 1)])
  })

  for (const net of [
    { kbps: 64, delay: 200, loss: 10 },
    { kbps: 32, delay: 200, loss: 5 },
  ])
    journey.step(`at ${net.kbps} kbit/s with ${net.loss} % loss sound goes on`, async () => {
      await narrow(patient, net)
      await until(
        'the picture has made room',
        () => patient.page.evaluate(() => /网络弱/.test(document.querySelector('[data-test=line]')?.textContent ?? '')),
        60_000,
      )
      await pause(8000) // the queue that was there drains
      const before = await Promise.all([sound(patient.page), sound(doctor.page)])
      await pause(20_000)
      const after = await Promise.all([sound(patient.page), sound(doctor.page)])
      const part = after.map(
        (now, n) => (now.madeUp - (before[n]?.madeUp ?? 0)) / (now.heard - (before[n]?.heard ?? 0)),
      )
      console.log(`${net.kbps} kbit/s: concealed at the patient ${part[0]}, at the doctor ${part[1]}`)
      for (const [n, now] of after.entries()) assert.ok(now.energy > (before[n]?.energy ?? 0), 'nothing was heard')
      await journey.shot(patient, `patient-${net.kbps}`)
      await journey.shot(doctor, `doctor-${net.kbps}`)
    })

  journey.step('on a good line again the picture comes back by itself', async () => {
    await narrow(patient, undefined)
    await until(
      'pictures move again',
      () =>
        patient.page.evaluate(() =>
          (document.querySelector('[data-test=line]')?.textContent ?? '').includes('线路正常'),
        ),
      120_000,
    )
    await flowing(patient.page, 1)
    await journey.shot(patient, 'patient-again')
  })
})
