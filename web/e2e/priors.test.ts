// An earlier study beside the one that is asked about: tied by position where both count in the same coordinates, else
// by the distance at which they were tied; the window only when it is wished; and on neither canvas anything but the
// image that is named.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { Page } from 'playwright-core'
import { desk, phone, reading, type Someone } from './browser'
import { type Case, scheduled, store } from './errands'
import { Journey, t } from './journey'
import { overflow, tooSmall, violations } from './judge'
import { enterWorkspace } from './people'
import { huOf, ofAnotherDay, type Slice, slices, stamp, unreadableSlice } from './slices'

const now = 44 // slices, 1 mm apart; after them one that no decoder reads
const before = 21 // slices, 2 mm apart; after them one that no decoder reads
const size = 512 // columns and rows

type Side = 'main' | 'beside'
const viewer = (side: Side) => `${t('viewer')}[data-side=${side}]`

/** What a canvas shows in the corner square of the image, from 0 to 255; -1 of nothing at all. */
const grey = (page: Page, side: Side) =>
  page.locator(`${viewer(side)} ${t('viewport')} canvas`).evaluate(
    (canvas: HTMLCanvasElement, { size, stamp }) => {
      const fit = Math.min(canvas.width, canvas.height) / size
      const left = Math.round(canvas.width / 2 + (stamp / 2 - size / 2) * fit)
      const top = Math.round(canvas.height / 2 + (stamp / 2 - size / 2) * fit)
      const [red = 0, , , alpha = 0] = canvas.getContext('2d')?.getImageData(left, top, 1, 1).data ?? []
      return alpha === 0 ? -1 : red
    },
    { size, stamp },
  )

describe('an earlier study', { concurrency: 1 }, () => {
  const journey = new Journey('priors')
  let all: Slice[]
  let one: Case
  let expert: Someone

  const drawn = ({ page }: Someone, side: Side, index: number) =>
    page.waitForSelector(`${viewer(side)}[data-index="${index}"][data-drawn=true]`)
  const show = ({ page }: Someone, side: Side, index: number) =>
    page.locator(`${viewer(side)} .slider input[type=range]`).evaluate((input: HTMLInputElement, value) => {
      input.value = String(value)
      input.dispatchEvent(new Event('input', { bubbles: true }))
    }, index + 1)
  const press = ({ page }: Someone, side: Side, key: string) =>
    page.locator(`${viewer(side)} ${t('viewport')}`).press(key)
  /** The slice that is drawn is the one that is named: its number is in the grey of its square. */
  const isSlice = async (someone: Someone, side: Side, index: number) => {
    await drawn(someone, side, index)
    const wanted = Math.round(((huOf(index) + 1000) / 1000) * 255)
    const seen = await grey(someone.page, side)
    assert.ok(Math.abs(seen - wanted) <= 2, `${side} ${index}: grey ${seen}, wanted ${wanted}`)
  }
  const spread = async ({ page }: Someone, side: Side) => {
    for (const [field, value] of [
      ['width', '1000'],
      ['center', '-500'],
    ] as const) {
      await page.fill(`${viewer(side)} ${t(field)}`, value)
      await page.locator(`${viewer(side)} ${t(field)}`).press('Enter')
    }
    await page.waitForSelector(`${viewer(side)}[data-window="1000/-500"]`)
  }

  journey.step('two earlier studies lie with a consult: one in the same coordinates, one in others', async () => {
    const doctor = journey.person('赵志远')
    all = [...(await slices(now)), await unreadableSlice(now)]
    const earlier = [...(await slices(before)), await unreadableSlice(before)]
    const year = { day: '20020110', number: 3, step: 2 }
    const longAgo = { day: '20010203', number: 4, step: 2, reference: 4002 }
    const stored = async (files: readonly Slice[]) => {
      let study = ''
      for (let from = 0; from < files.length; from += 25)
        study = await store(
          journey.house,
          doctor,
          files.slice(from, from + 25).map(({ bytes }) => bytes),
        )
      return study
    }
    const studies = [
      await stored(all),
      await stored(await ofAnotherDay(earlier, year)),
      await stored(await ofAnotherDay(earlier.slice(0, before), longAgo)),
    ]
    assert.equal(new Set(studies).size, 3)
    const [study = '', ...more] = studies
    one = await scheduled(journey.house, doctor, journey.person('孙丽'), study, ...more)
  })

  journey.step('one key brings the newest beside the one that is read, at the same place, named', async () => {
    expert = await journey.join('expert', reading)
    const { page } = expert
    await enterWorkspace(page, journey.person('李明远'))
    await page.goto(`/staff/cases/${one.id}/room`)
    await page.waitForSelector(`${t('viewer')}[data-drawn=true]`)
    await page.locator(t('viewport')).press('c')
    await page.waitForSelector(`${viewer('beside')}[data-drawn=true]`)
    const title = (await page.textContent(`${viewer('beside')} .corner.tl`)) ?? ''
    assert.match(title, /^旧片.*2002-01-10/)
    assert.match((await page.textContent(`${viewer('main')} .corner.tl`)) ?? '', /^当前.*2003-04-17/)
    assert.equal(await page.locator(t('way')).getAttribute('data-by'), 'position')
    await spread(expert, 'main')
    assert.notEqual(
      await page.getAttribute(viewer('beside'), 'data-window'),
      '1000/-500',
      'the window is each one’s own',
    )
    await spread(expert, 'beside')
    for (const [index, counterpart] of [
      [30, 15],
      [8, 4],
      [40, 20],
    ] as const) {
      await show(expert, 'main', index)
      await isSlice(expert, 'main', index)
      await isSlice(expert, 'beside', counterpart)
    }
    const memory = /两边全部原图约 (\d+) MB，本机给影像留 [\d.]+ [MG]B/
    for (const side of ['main', 'beside'] as const) {
      const said = memory.exec((await page.textContent(`${viewer(side)} ${t('memory')}`)) ?? '')?.[1]
      assert.ok(Number(said) >= 33 && Number(said) <= 36, `${said} MB`)
    }
    assert.deepEqual(await violations(page), [])
    await journey.shot(expert, '01-beside')
  })

  journey.step('scrolling the earlier one brings the other along; the window only when tied', async () => {
    const { page } = expert
    await press(expert, 'main', 'o')
    await page.waitForSelector(`${viewer('beside')} ${t('viewport')}:focus`)
    await page.keyboard.press('ArrowUp')
    await isSlice(expert, 'beside', 19)
    await isSlice(expert, 'main', 38)
    await press(expert, 'main', '2')
    await page.waitForSelector(`${viewer('main')}[data-window="1500/-600"]`)
    assert.equal(await page.getAttribute(viewer('beside'), 'data-window'), '1000/-500')
    await press(expert, 'main', 'v')
    await page.waitForSelector(`${viewer('beside')}[data-window="1500/-600"]`)
    await spread(expert, 'beside')
    await page.waitForSelector(`${viewer('main')}[data-window="1000/-500"]`)
    await page.click(t('link-window'))
  })

  journey.step('an image that will not open leaves nothing of the one before, on either side', async () => {
    const { page } = expert
    const empty = async (side: Side, sop: string | undefined) => {
      await page
        .locator(`${viewer(side)} ${t('blank')}[role=alert]`, { hasText: '这张打不开。没有用别的图代替。' })
        .waitFor()
      if (sop) assert.equal(await page.getAttribute(viewer(side), 'data-sop'), sop)
      assert.equal(await page.getAttribute(viewer(side), 'data-drawn'), 'false')
      assert.equal(await page.locator(`${viewer(side)} ${t('preview')}`).count(), 0)
      assert.equal(await grey(page, side), -1, 'the canvas itself is empty')
    }
    await show(expert, 'main', 42)
    await isSlice(expert, 'main', 42)
    await empty('beside', undefined)
    await journey.shot(expert, '02-earlier-unreadable')
    await press(expert, 'main', 'End')
    await empty('main', all[now]?.sop)
    await empty('beside', undefined)
    await press(expert, 'main', 'Home')
    await isSlice(expert, 'main', 0)
    await isSlice(expert, 'beside', 0)
  })

  journey.step('on a small screen one is shown at a time, at the same place, and in English', async () => {
    const small = await journey.join('phone', phone)
    const { page } = small
    await enterWorkspace(page, journey.person('赵志远'))
    await page.goto(`/staff/cases/${one.id}/room`)
    await page.waitForSelector(`${t('viewer')}[data-drawn=true]`)
    await page.click(t('compare'))
    await page.waitForSelector(`${viewer('beside')}[data-drawn=true]`)
    assert.equal(await page.locator(viewer('main')).isVisible(), false)
    await show(small, 'beside', 7)
    await page.click(t('show-main'))
    await drawn(small, 'main', 14)
    assert.equal(await page.locator(viewer('beside')).isVisible(), false)
    assert.equal(await overflow(page), 0)
    assert.deepEqual(await violations(page), [])
    await page.locator(t('compared')).scrollIntoViewIfNeeded()
    await journey.shot(small, '04-phone')
    await page.click(t('show-beside'))
    await drawn(small, 'beside', 7)
    await journey.shot(small, '05-phone-earlier')
    assert.deepEqual(await tooSmall(page, 24), [])
  })

  journey.step('on a desk of 1366 pixels both have room', async () => {
    const county = await journey.join('county', desk)
    const { page } = county
    await enterWorkspace(page, journey.person('赵志远'))
    await page.goto(`/staff/cases/${one.id}/room`)
    await page.waitForSelector(`${t('viewer')}[data-drawn=true]`)
    await page.click(t('compare'))
    await page.waitForSelector(`${viewer('beside')}[data-drawn=true]`)
    assert.equal(await overflow(page), 0)
    await journey.shot(county, '06-desk')
    await page.locator('.deskbar').getByText('English').click()
    await page.locator(t('way'), { hasText: 'Aligned by position' }).waitFor()
    await journey.shot(county, '07-desk-english')
  })
})
