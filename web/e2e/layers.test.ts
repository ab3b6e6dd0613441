// One camera in several sizes, and a screen: the receiver's tile chooses the size, and getStats of the receiver shows that it
// changes without the picture standing still; a screen that is shown arrives as one, and goes again.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { Page } from 'playwright-core'
import { desk, phone, type Someone } from './browser'
import { book, checkIn } from './errands'
import { until } from './house'
import { Journey, t } from './journey'
import { violations } from './judge'
import { flowing, type Picture, pictures } from './media'
import { enterByPhone, enterWorkspace } from './people'

const still = 2000 // ms: a picture that stands for longer is a freeze

describe('a picture in sizes', { concurrency: 1 }, () => {
  const journey = new Journey('layers')
  let patient: Someone
  let doctor: Someone
  const tile = `${t('stage')} .seat video`

  /** As when the window is made smaller or larger: the tile hears it from the browser and asks for another size. */
  const tall = (page: Page, height: string) =>
    page.$eval(
      tile,
      (video, height) => {
        const { style } = video as HTMLVideoElement
        style.height = height
        style.maxHeight = height
      },
      height,
    )

  /** Looks ten times a second until the picture is as wanted. Returns it, and the longest time without a new picture, ms. */
  async function watched(
    page: Page,
    what: string,
    is: (one: Picture) => boolean,
  ): Promise<Picture & { stood: number }> {
    let frames = -1
    let since = Date.now()
    let stood = 0
    return until(
      what,
      async () => {
        const one = (await pictures(page, 'inbound-rtp')).find(({ frames }) => frames > 0)
        if (!one) return undefined
        if (one.frames !== frames) {
          frames = one.frames
          since = Date.now()
        }
        stood = Math.max(stood, Date.now() - since)
        return is(one) && { ...one, stood }
      },
      90_000,
    )
  }

  journey.step('a visit is under way', async () => {
    const wang = journey.person('王秀英')
    const visit = await book(journey.house, wang, journey.person('孙丽'))
    await checkIn(journey.house, wang, visit)
    const enter = async () => {
      patient = await journey.join('patient', phone)
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

  journey.step('a small tile is sent the small size, a tall one a larger, and the picture never stands', async () => {
    const { page } = doctor
    await tall(page, '900px')
    const first = await watched(page, 'a large picture', ({ height }) => height >= 300)
    await tall(page, '90px')
    const small = await watched(page, 'the small size', ({ height }) => height > 0 && height <= 200)
    await tall(page, '900px')
    const large = await watched(page, 'the large size again', ({ height }) => height >= 300)
    const after = await watched(page, 'it goes on', ({ frames }) => frames > large.frames + 20)
    for (const one of [first, small, large, after])
      console.log(
        `${one.codec} ${one.height} lines, stood ${one.stood} ms at most, ${one.freezes} freezes of ${one.frozen} s`,
      )
    assert.equal(small.mid, large.mid, 'the same track')
    for (const one of [small, large, after]) assert.ok(one.stood < still, `the picture stood for ${one.stood} ms`)
    assert.ok(after.frozen - first.frozen < still / 1000, `${after.frozen - first.frozen} s frozen`)
    await tall(page, '')
  })

  journey.step(
    'the doctor shows a screen: it is drawn at the patient’s, and when it is taken away the doctor is back',
    async () => {
      const drawn = () =>
        patient.page.$eval(`${t('person')} video`, (video) => {
          const stream = (video as HTMLVideoElement).srcObject as MediaStream | null
          return stream?.getVideoTracks().map(({ id }) => id) ?? []
        })
      const [face] = await drawn()
      assert.ok(face)
      await doctor.page.click(t('share-screen'))
      const screen = await until(
        'a second picture',
        async () => (await pictures(patient.page, 'inbound-rtp')).find((one) => one.frames > 10 && one.track !== face),
        60_000,
      )
      await until('the screen alone is drawn', async () => String(await drawn()) === screen.track)
      console.log(`screen: ${screen.codec}, ${screen.height} lines`)
      await journey.shot(patient, '01-screen-patient')
      await journey.shot(doctor, '02-screen-doctor')
      assert.deepEqual(await violations(patient.page), [])
      await doctor.page.click(t('share-screen'))
      await until('the doctor’s face is back', async () => String(await drawn()) === face)
      await flowing(patient.page, 1)
    },
  )
})
