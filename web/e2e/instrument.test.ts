// A doctor brings an instrument into the room: the panel shows address and token, a device sends there by WHIP and is seen under its
// name, and is out when it is removed.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { Page } from 'playwright-core'
import { desk, phone, type Someone } from './browser'
import { book, checkIn } from './errands'
import { until } from './house'
import { Journey, t } from './journey'
import { violations } from './judge'
import { counts, flowing } from './media'
import { enterByPhone, enterWorkspace } from './people'

/** A device: sends a picture by WHIP (RFC 9725) and nothing else. Returns the status of the answer. */
const send = (page: Page, url: string, token: string): Promise<number> =>
  page.evaluate(
    async ({ url, token }) => {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } })
      const pc = new RTCPeerConnection()
      for (const track of stream.getTracks()) pc.addTransceiver(track, { direction: 'sendonly', streams: [stream] })
      await pc.setLocalDescription()
      await new Promise<void>((done) => {
        pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && done()
        if (pc.iceGatheringState === 'complete') done()
      })
      const answer = await fetch(url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/sdp', Authorization: `Bearer ${token}` },
        body: pc.localDescription?.sdp ?? '',
      })
      if (answer.status === 201) await pc.setRemoteDescription({ type: 'answer', sdp: await answer.text() })
      Object.assign(globalThis, { device: pc })
      return answer.status
    },
    { url, token },
  )

describe('an instrument in the room', { concurrency: 1 }, () => {
  const journey = new Journey('instrument')
  let patient: Someone
  let doctor: Someone
  let device: Someone
  let visit = ''
  let url = ''
  let token = ''

  journey.step('a visit is under way', async () => {
    const wang = journey.person('王秀英')
    visit = await book(journey.house, wang, journey.person('孙丽'))
    await checkIn(journey.house, wang, visit)
    patient = await journey.join('patient', phone)
    await enterByPhone(patient.page, wang.sign_in.phone ?? '')
    await patient.page.click(`a[href="/visits/${visit}"]`)
    await patient.page.waitForSelector(t('place'))
    doctor = await journey.join('doctor', desk)
    await enterWorkspace(doctor.page, journey.person('张建国'))
    await doctor.page.goto(`/staff/visits/${visit}`)
    await doctor.page.click(t('admit'))
    await Promise.all([flowing(doctor.page, 1), flowing(patient.page, 1)])
  })

  journey.step('the doctor adds an ultrasound and is shown, once, what goes into the device', async () => {
    const { page } = doctor
    await page.click(t('instruments'))
    await page.fill('input[name=instrument]', '2 号超声')
    await page.click(t('add-instrument'))
    url = (await page.textContent(t('whip-url')))?.trim() ?? ''
    token = (await page.textContent(t('whip-token')))?.trim() ?? ''
    assert.match(url, new RegExp(`^${journey.house.address}/whip/v-[A-Z2-7]+/i-[0-9a-f-]{36}\\?source=ultrasound$`))
    assert.match(token, /^yz1\./)
    await journey.shot(doctor, '01-pass')
    assert.deepEqual(await violations(page), [])
  })

  journey.step('the device sends by WHIP, and doctor and patient see it under its name', async () => {
    device = await journey.join('device', desk)
    await device.page.goto('/netcheck')
    assert.equal(await send(device.page, url, 'yz1.nobody'), 401)
    assert.equal(await send(device.page, url, token), 201)
    for (const { page } of [doctor, patient])
      await until('pictures of two', async () => (await counts(page)).frames.filter((n) => n > 5).length >= 2, 60_000)
    await patient.page
      .locator(`${t('person')}[data-role=ultrasound]`)
      .getByText('2 号超声（超声）')
      .last()
      .waitFor()
    await doctor.page.waitForSelector(`${t('instrument')}[data-sends=true]`)
    await journey.shot(doctor, '02-sends-doctor')
    await journey.shot(patient, '03-sends-patient')
    assert.deepEqual(await violations(patient.page), [])
  })

  journey.step('removed, it is out at once, and its token opens nothing', async () => {
    await doctor.page.click(t('remove-instrument'))
    await patient.page.locator(`${t('person')}[data-role=ultrasound]`).waitFor({ state: 'detached' })
    await doctor.page.getByText('还没有设备').waitFor()
    assert.equal(await send(device.page, url, token), 403)
    await journey.shot(doctor, '04-removed')
  })
})
