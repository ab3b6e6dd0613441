// A visit is recorded with everybody's consent; the server is killed in the middle; what was recorded up to the last seconds
// plays in a browser, is found from the visit, and is refused to a stranger.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { desk, phone, type Someone } from './browser'
import { book } from './errands'
import { until } from './house'
import { Journey, t } from './journey'
import { overflow, violations } from './judge'
import { flowing } from './media'
import { enterByPhone, enterWorkspace, toScreen } from './people'

type Recording = {
  state: string
  started_at: string
  takes: { take: number; seat: string; type: string; offset_ms: number; length_ms: number; size: number }[]
}

describe('a recording', { concurrency: 1 }, () => {
  const journey = new Journey('recording')
  let patient: Someone
  let doctor: Someone
  let visit = ''
  let killed = 0
  const recording = async (name: string) => {
    const { status, body } = await journey.house.call(
      journey.person(name).session,
      'GET',
      `/api/v1/visits/${visit}/recording`,
    )
    return { status, ...(body as Recording) }
  }

  journey.step('a visit is under way', async () => {
    const wang = journey.person('王秀英')
    visit = await book(journey.house, wang, journey.person('孙丽'))
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

  journey.step('nothing is recorded before the patient agrees; then a red light is on every screen', async () => {
    await doctor.page.click(t('tape-ask'))
    await patient.page.waitForSelector(t('consent'))
    await journey.shot(patient, '01-consent')
    assert.deepEqual(await violations(patient.page), [])
    assert.equal((await recording('张建国')).state, 'asked')
    assert.equal(await doctor.page.locator(t('red-light')).count(), 0)
    await patient.page.click(t('consent-yes'))
    await Promise.all([doctor, patient].map(({ page }) => page.waitForSelector(t('red-light'))))
    await journey.shot(patient, '02-red-light-patient')
    await journey.shot(doctor, '03-red-light-doctor')
    assert.deepEqual(await violations(patient.page), [])
    assert.deepEqual(await violations(doctor.page), [])
  })

  journey.step('the server is killed in the middle', async () => {
    await until(
      'some 15 seconds of both',
      async () => {
        const { takes } = await recording('张建国')
        return ['patient', 'doctor'].every((seat) =>
          takes.some((take) => take.seat === seat && take.type.startsWith('video/') && take.length_ms > 14_000),
        )
      },
      90_000,
    )
    killed = Date.now()
    await journey.house.crash()
    await journey.house.start()
  })

  journey.step('what was said up to the last five seconds is there', async () => {
    const { takes, started_at } = await recording('王秀英')
    const begun = Date.parse(started_at)
    for (const seat of ['patient', 'doctor']) {
      const before = takes.filter((take) => take.seat === seat && begun + take.offset_ms < killed)
      const end = Math.max(...before.map((take) => begun + take.offset_ms + take.length_ms))
      console.log(`${seat}: recorded up to ${killed - end} ms before the kill`)
      assert.ok(killed - end < 5000, `${seat}: the last ${killed - end} ms are missing`)
    }
    assert.equal((await recording('李强')).status, 404)
    assert.equal((await recording('孙丽')).status, 403)
  })

  journey.step('it goes on when both are back, and the patient stops it', async () => {
    await Promise.all([doctor, patient].map(({ page }) => page.waitForSelector(t('red-light'), { timeout: 60_000 })))
    await until('some seconds of both after the kill', async () => {
      const { takes, started_at } = await recording('张建国')
      const late = takes.filter((take) => Date.parse(started_at) + take.offset_ms > killed && take.length_ms > 4000)
      return new Set(late.map((take) => take.seat)).size === 2
    })
    await patient.page.click(t('more'))
    await patient.page.click(t('tape-stop'))
    await patient.page.keyboard.press('Escape')
    await Promise.all([doctor, patient].map(({ page }) => page.locator(t('red-light')).waitFor({ state: 'detached' })))
    await doctor.page.waitForSelector(`${t('tape')}[data-state=refused]`)
  })

  journey.step('it plays in a browser: pictures are drawn and sound is there to the end', async () => {
    let before = ''
    const takes = await until('the last parts are kept', async () => {
      const { takes } = await recording('王秀英')
      const same = JSON.stringify(takes) === before
      before = JSON.stringify(takes)
      await new Promise((done) => setTimeout(done, 2000))
      return same && takes
    })
    let indexed = 0
    for (const { take, seat, type, length_ms } of takes.filter(({ length_ms }) => length_ms > 3000)) {
      const played = await patient.page.evaluate(async (src) => {
        const video = document.createElement('video')
        video.muted = true
        video.playbackRate = 4
        video.src = src
        const heard = (what: string) => new Promise((done) => video.addEventListener(what, done, { once: true }))
        await heard('loadedmetadata')
        const told = video.duration // infinite where the server was killed: that file has no end
        let jumped = 0
        for (const to of Number.isFinite(told) ? [told - 1, 0] : []) {
          const there = heard('seeked')
          video.currentTime = to
          await there
          jumped = Math.max(jumped, video.currentTime)
        }
        await new Promise((done, fail) => {
          video.onended = done
          video.onerror = () => fail(new Error(video.error?.message))
          video.play().catch(fail)
        })
        const media = video as HTMLVideoElement & { webkitAudioDecodedByteCount: number }
        return {
          told,
          jumped,
          end: video.currentTime,
          width: video.videoWidth,
          frames: video.getVideoPlaybackQuality().totalVideoFrames,
          sound: media.webkitAudioDecodedByteCount,
        }
      }, `/api/v1/visits/${visit}/recording/${take}`)
      console.log(`${seat}, take ${take}: ${JSON.stringify(played)} of ${length_ms} ms`)
      assert.ok(played.end > length_ms / 1000 - 1, 'it ends early')
      if (Number.isFinite(played.told)) {
        indexed++
        assert.ok(Math.abs(played.told - length_ms / 1000) < 0.5, 'it tells another length')
        assert.ok(Math.abs(played.jumped - (played.told - 1)) < 0.5, 'it does not jump')
      }
      if (type.startsWith('video/')) assert.ok(played.width > 0 && played.frames > 10, 'no picture')
      assert.ok(played.sound > 1000, 'no sound')
    }
    assert.ok(indexed > 0, 'of no take the length is known')
    // Nothing has changed for the doctor meanwhile, and their lists are live all the same.
    assert.equal(await doctor.page.textContent('.live-dot'), '实时')
  })

  journey.step(
    'where the hospital demands recordings, who refuses is sent to the clinic, with the money back',
    async () => {
      const admin = await journey.join('admin', desk)
      const { page } = admin
      await enterWorkspace(page, journey.person('钱进'))
      await toScreen(page, '/staff/recordings')
      await page.check(t('tapes-required'))
      await page.fill('input[name=years]', '5')
      await page.click(t('save-tape-rules'))
      await page.locator('[role=status]', { hasText: '已保存' }).waitFor()
      await journey.shot(admin, '04-rules')
      assert.deepEqual(await violations(page), [])
      await page.setViewportSize({ width: 360, height: 640 })
      assert.equal(await overflow(page), 0, 'the rules at 360 px')
      await journey.shot(admin, '04-rules-360', true)

      await doctor.page.click(t('tape-ask'))
      await patient.page.locator(t('consent'), { hasText: '费用全退' }).waitFor()
      await journey.shot(patient, '05-demanded')
      await patient.page.click(t('consent-no'))
      await patient.page.waitForSelector(`${t('visit')}[data-state=terminated_offline]`)
      await patient.page.getByText('费用全部退回').first().waitFor()
      await journey.shot(patient, '06-to-the-clinic', true)
      assert.deepEqual(await violations(patient.page), [])
      assert.equal(await overflow(patient.page), 0)
      await journey.shot(doctor, '07-doctor-after')
    },
  )
})
