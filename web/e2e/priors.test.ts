// An earlier study beside the one that is asked about: tied by position where both count in the same coordinates, else
// by the distance at which they were tied; the window only when it is wished; and on neither canvas anything but the
// image that is named.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { Page } from 'playwright-core'
import { desk, phone, reading, type Someone } from './browser'
import { ask, type Case, scheduled, store } from './errands'
import { until } from './house'
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
  let county: Someone

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
    await until(`slice ${index} on the canvas`, async () => {
      const seen = await grey(someone.page, side)
      // Empty for a moment when what stands around it has changed its size.
      assert.ok(seen === -1 || Math.abs(seen - wanted) <= 2, `${side} ${index}: grey ${seen}, wanted ${wanted}`)
      return seen !== -1
    })
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
    county = await journey.join('county', desk)
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

  /** What stands on both sides, how it is seen, and how it is tied. */
  const pairOf = async ({ page }: Someone) => {
    const said = (side: Side) =>
      Promise.all(
        ['data-sop', 'data-index', 'data-window', 'data-zoom'].map((name) => page.getAttribute(viewer(side), name)),
      )
    const way = page.locator(t('way'))
    return [
      ...(await said('main')),
      ...(await said('beside')),
      await way.getAttribute('data-by'),
      await page.getAttribute(t('link-scroll'), 'aria-pressed'),
      await page.getAttribute(t('link-window'), 'aria-pressed'),
    ].join(' ')
  }
  const samePair = async (someone: Someone) => {
    await until('the same pair', async () => {
      const beside = await someone.page.locator(viewer('beside')).count()
      return beside === 1 && (await pairOf(someone)) === (await pairOf(expert))
    })
  }
  /** In other coordinates, tied 14 mm apart. */
  const longAgoSop = (index: number) => all[index]?.sop.replace(/\d{4}$/, String(4000 + index))

  journey.step('in other coordinates the two keep the distance at which they were tied', async () => {
    const { page } = expert
    const select = page.locator(`${t('compared')} .choice select`)
    const option = select.locator('option', { hasText: '2001-02-03' })
    await select.selectOption((await option.getAttribute('value')) ?? '')
    await page.waitForSelector(`${t('way')}[data-by=offset]`)
    await spread(expert, 'beside')
    await show(expert, 'main', 10)
    await isSlice(expert, 'main', 10)
    await isSlice(expert, 'beside', 15) // as it came: its middle beside slice 0
    await page.click(t('link-scroll'))
    await show(expert, 'beside', 12)
    await isSlice(expert, 'beside', 12)
    await isSlice(expert, 'main', 10)
    await page.click(t('link-scroll'))
    await page.locator(t('way'), { hasText: '14' }).waitFor()
    await show(expert, 'main', 14)
    await isSlice(expert, 'main', 14)
    await isSlice(expert, 'beside', 14)
    await press(expert, 'beside', 'ArrowDown')
    await isSlice(expert, 'beside', 15)
    await isSlice(expert, 'main', 16)
    await journey.shot(expert, '08-offset')
  })

  journey.step('who follows sees the pair of who presents, tied as there', async () => {
    const { page } = county
    await expert.page.click(t('lead'))
    await page.locator(t('leader'), { hasText: '李明远' }).waitFor()
    await samePair(county)
    await isSlice(county, 'main', 16)
    await isSlice(county, 'beside', 15)
    assert.equal(await page.getAttribute(viewer('beside'), 'data-sop'), longAgoSop(15))
    await press(expert, 'main', 'Home')
    for (let n = 0; n < 6; n++) await press(expert, 'main', 'ArrowDown')
    await isSlice(expert, 'beside', 10)
    await samePair(county)
    await isSlice(county, 'beside', 10)
    await press(expert, 'main', 'v')
    await samePair(county)
    await press(expert, 'main', 'v')
    await samePair(county)
    await journey.shot(county, '09-follows')
  })

  journey.step('a move of their own is free look, still tied; one press brings the pair back', async () => {
    const { page } = county
    await press(county, 'main', 'ArrowDown')
    await press(county, 'main', 'ArrowDown')
    await page.waitForSelector(`${t('follow')}[aria-pressed=false]`)
    await isSlice(county, 'main', 8)
    await isSlice(county, 'beside', 11)
    await show(expert, 'main', 20)
    await isSlice(expert, 'beside', 17)
    await isSlice(county, 'main', 8)
    await page.click(t('follow'))
    await samePair(county)
    await isSlice(county, 'beside', 17)
    await page.click(t('compare-close'))
    await page.waitForSelector(`${t('follow')}[aria-pressed=false]`)
    assert.equal(await page.locator(viewer('beside')).count(), 0)
    await page.locator(t('viewport')).press('f')
    await samePair(county)
  })

  journey.step('who takes over presents the pair; without a pair the other has none', async () => {
    await county.page.click(t('lead'))
    await expert.page.waitForSelector(`${t('follow')}[aria-pressed=true]`)
    await press(county, 'beside', 'ArrowUp')
    await isSlice(county, 'beside', 16)
    await isSlice(county, 'main', 18)
    await samePair(county)
    await isSlice(expert, 'beside', 16)
    await county.page.click(t('compare-close'))
    await expert.page.waitForSelector(viewer('beside'), { state: 'detached' })
    await expert.page.click(t('lead'))
    await expert.page.click(t('compare'))
    await samePair(county)
  })

  journey.step('who comes late sees the pair; who may not see the earlier study is told so', async () => {
    const { page } = county
    await page.goto('/staff/cases')
    await page.goto(`/staff/cases/${one.id}/room`)
    await samePair(county)
    const series = await expert.page.locator(`${t('compared')} .choice select`).inputValue()
    // As the archive answers who has no grant.
    await page.route(
      (url) => url.pathname.includes(`/series/${series}/`),
      (route) => route.fulfill({ status: 404 }),
    )
    await page.reload()
    await page
      .locator(t('withheld'), { hasText: 'The presenter shows an earlier study that you may not see.' })
      .waitFor()
    assert.equal(await page.locator(viewer('beside')).count(), 0)
    await show(expert, 'main', 30)
    await page.waitForSelector(`${t('viewer')}[data-index="30"][data-drawn=true]`)
    assert.deepEqual(await violations(page), [])
    await journey.shot(county, '10-withheld')
  })

  journey.step('the replay of the talk shows the pair too', async () => {
    const { page } = expert
    const states = () =>
      ask<{ states: { sop: string; beside?: { sop: string } }[] }>(
        journey.house,
        journey.person('李明远'),
        'GET',
        `/teleconsults/${one.id}/shown`,
      )
    const { states: kept } = await until('the talk is kept', async () => {
      const talk = await states()
      return talk.states.at(-1)?.sop === all[30]?.sop && talk
    })
    const at = kept.findIndex(({ beside }) => beside?.sop === longAgoSop(10))
    assert.ok(at >= 0)
    await page.goto(`/staff/cases/${one.id}/replay`)
    await page.waitForSelector(t('replay'))
    await page.locator(t('replay-at')).evaluate((input: HTMLInputElement, value) => {
      input.value = String(value)
      input.dispatchEvent(new Event('input', { bubbles: true }))
    }, at)
    await isSlice(expert, 'main', 6)
    await isSlice(expert, 'beside', 10)
    assert.equal(await page.getAttribute(t('way'), 'data-by'), 'offset')
    assert.deepEqual(await violations(page), [])
    await journey.shot(expert, '11-replay')
  })
})
