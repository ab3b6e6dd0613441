// Reading images: previews within seconds on a bad line, originals around the slice that is read, nothing but the wanted
// image on the canvas, and two who look, draw and disagree on one slice.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { Page } from 'playwright-core'
import { desk, phone, reading, type Someone } from './browser'
import { lengthOf, lengthsOf, marksOf, size, sweep } from './drawing'
import { type Case, scheduled, store } from './errands'
import { until } from './house'
import { Journey, t } from './journey'
import { enterWorkspace, type Person, signWith } from './people'
import { reportedLengths } from './reported'
import { huOf, type Slice, slices, spacing, stamp, unreadableSlice } from './slices'

const many = 100

/** What the canvas shows in the corner square of the image: the middle of its grey, from 0 to 255; -1 of nothing at all. */
const grey = (page: Page) =>
  page.evaluate(
    ({ size, stamp }) => {
      const canvas = document.querySelector<HTMLCanvasElement>('[data-test=viewport] canvas')
      const context = canvas?.getContext('2d')
      if (!canvas || !context) return -1
      const fit = Math.min(canvas.width, canvas.height) / size
      const left = Math.round(canvas.width / 2 + (stamp / 2 - size / 2) * fit)
      const top = Math.round(canvas.height / 2 + (stamp / 2 - size / 2) * fit)
      const [red = 0, , , alpha = 0] = context.getImageData(left, top, 1, 1).data
      return alpha === 0 ? -1 : red
    },
    { size, stamp },
  )

describe('reading images', { concurrency: 1 }, () => {
  const journey = new Journey('viewer')
  let all: Slice[]
  let one: Case
  let expert: Someone
  let county: Someone

  const enter = async (someone: Someone, who: Person) => {
    await enterWorkspace(someone.page, who)
    await someone.page.goto(`/staff/cases/${one.id}/room`)
  }
  const drawn = ({ page }: Someone, index: number) =>
    page.waitForSelector(`${t('viewer')}[data-index="${index}"][data-drawn=true]`)
  const show = async (someone: Someone, index: number) => {
    await someone.page.locator('.slider input[type=range]').evaluate((input: HTMLInputElement, value) => {
      input.value = String(value)
      input.dispatchEvent(new Event('input', { bubbles: true }))
    }, index + 1)
    await someone.page.waitForSelector(`${t('viewer')}[data-index="${index}"]`)
  }
  /** The window that spreads the squares of all slices over the greys. */
  const spread = async ({ page }: Someone) => {
    await page.fill(t('width'), '1000')
    await page.locator(t('width')).press('Enter')
    await page.fill(t('center'), '-500')
    await page.locator(t('center')).press('Enter')
    await page.waitForSelector(`${t('viewer')}[data-window="1000/-500"]`)
  }
  const squareOf = (index: number) => Math.round(((huOf(index) + 1000) / 1000) * 255)

  journey.step('a CT of 100 slices, one of them unreadable, lies with a scheduled consult', async () => {
    const doctor = journey.person('赵志远')
    const coordinator = journey.person('孙丽')
    all = [...(await slices(many)), await unreadableSlice(many)]
    let study = ''
    for (let from = 0; from < all.length; from += 25)
      study = await store(
        journey.house,
        doctor,
        all.slice(from, from + 25).map(({ bytes }) => bytes),
      )
    one = await scheduled(journey.house, doctor, coordinator, study)
    assert.equal(one.studies[0]?.instances, many + 1)
  })

  journey.step(
    'on 2 Mbit/s and 200 ms the first picture is there in seconds, marked as a preview, then all',
    async () => {
      expert = await journey.join('expert', reading)
      await enterWorkspace(expert.page, journey.person('李明远'))
      const line = await expert.context.newCDPSession(expert.page)
      await line.send('Network.enable')
      const bits = 2_000_000
      await line.send('Network.emulateNetworkConditions', {
        offline: false,
        latency: 200,
        downloadThroughput: bits / 8,
        uploadThroughput: bits / 8,
      })
      const began = Date.now()
      await expert.page.evaluate((path) => history.pushState(null, '', path), `/staff/cases/${one.id}/room`)
      await expert.page.reload()
      await expert.page.waitForSelector(`${t('viewer')}[data-preview=true]`)
      console.log(`first preview on 2 Mbit/s, 200 ms, with a cold page: ${Date.now() - began} ms`)
      assert.match((await expert.page.textContent(t('badge'))) ?? '', /预览，不可用于诊断/)
      assert.equal(await expert.page.getAttribute(t('viewer'), 'data-drawn'), 'false')
      await journey.shot(expert, '01-preview')
      await expert.page.locator(t('prepared'), { hasText: `预览 ${many}/` }).waitFor({ timeout: 120_000 })
      console.log(`previews of all ${many} slices: ${Date.now() - began} ms`)
      await line.send('Network.emulateNetworkConditions', {
        offline: false,
        latency: 0,
        downloadThroughput: -1,
        uploadThroughput: -1,
      })
    },
  )

  journey.step('the original takes the preview’s place; those around it follow, not the whole series', async () => {
    const { page } = expert
    await page.waitForSelector(`${t('viewer')}[data-drawn=true]`)
    assert.equal(await page.locator(t('badge')).count(), 0)
    assert.equal(await page.locator(t('preview')).count(), 0)
    assert.match((await page.textContent(t('memory'))) ?? '', /全部原图约 53 MB，本机给影像留 [\d.]+ [MG]B/)
    const originals = async () => Number(/原图 (\d+)\//.exec((await page.textContent(t('prepared'))) ?? '')?.[1])
    const near = await until('the neighbours', async () => {
      const now = await originals()
      return now >= 13 && now
    })
    assert.ok(near < many / 2, `${near} of ${many} originals were fetched unasked`)
    await journey.shot(expert, '02-original')
  })

  journey.step('the canvas shows the slice that is named, whichever way it is come to', async () => {
    await spread(expert)
    for (const index of [0, 99, 37, 38, 36, 62]) {
      await show(expert, index)
      await drawn(expert, index)
      assert.equal(await expert.page.getAttribute(t('viewer'), 'data-sop'), all[index]?.sop)
      const seen = await grey(expert.page)
      assert.ok(Math.abs(seen - squareOf(index)) <= 2, `slice ${index}: grey ${seen}, wanted ${squareOf(index)}`)
    }
  })

  journey.step('an image that will not open leaves nothing of the one before', async () => {
    const { page } = expert
    await show(expert, many - 1)
    await drawn(expert, many - 1)
    await page.locator(t('viewport')).press('End')
    await page.locator(`${t('blank')}[role=alert]`, { hasText: '这张打不开。没有用别的图代替。' }).waitFor()
    assert.equal(await page.getAttribute(t('viewer'), 'data-drawn'), 'false')
    assert.equal(await page.getAttribute(t('viewer'), 'data-sop'), all[many]?.sop)
    assert.equal(await page.locator(t('preview')).count(), 0)
    assert.equal(await grey(page), -1, 'the canvas itself is empty')
    assert.equal(
      await page.locator(`${t('viewport')} .canvas`).evaluate((e) => getComputedStyle(e).visibility),
      'hidden',
    )
    await journey.shot(expert, '03-unreadable')
    await page.locator(t('viewport')).press('ArrowUp')
    await drawn(expert, many - 1)
    assert.ok(Math.abs((await grey(page)) - squareOf(many - 1)) <= 2)
  })

  journey.step(
    'two look at one slice; the pointer stands on the same anatomy in a window of another shape',
    async () => {
      county = await journey.join('county', desk)
      await enter(county, journey.person('赵志远'))
      await county.page.waitForSelector(`${t('viewer')}[data-drawn=true]`)
      await expert.page.click(t('lead'))
      await county.page.locator(t('leader'), { hasText: '李明远' }).waitFor()
      await show(expert, 20)
      await drawn(county, 20)
      await county.page.waitForSelector(`${t('viewer')}[data-window="1000/-500"]`)
      assert.ok(Math.abs((await grey(county.page)) - squareOf(20)) <= 2)
      await expert.page.locator(t('viewport')).press('Equal')
      await county.page.waitForSelector(`${t('viewer')}[data-zoom="1.25"]`)
      await county.page.locator(t('viewport')).press('ArrowDown')
      await county.page.locator(t('follow'), { hasText: '跟随' }).waitFor()
      await show(expert, 25)
      await drawn(expert, 25)
      assert.equal(
        await county.page.getAttribute(t('viewer'), 'data-index'),
        '21',
        'who looks on their own is left alone',
      )
      await county.page.click(t('follow'))
      await drawn(county, 25)
      await expert.page.click(t('reset'))
      await expert.page.click(t('preset-lung'))
      await county.page.waitForSelector(`${t('viewer')}[data-zoom="1"][data-window="1500/-600"]`)
    },
  )

  journey.step('a length, an angle and a region come to the other side as they are drawn', async () => {
    const { page } = expert
    await page.click(t('tool-length'))
    await sweep(expert, [150, 250], [250, 250], false)
    await county.page.locator(`${t('mark')}.draft`, { hasText: '李明远 正在画' }).waitFor()
    await page.mouse.up()
    const wanted = `${(100 * spacing).toFixed(1)} mm`
    await county.page.locator(`${t('mark')}:not(.draft)`, { hasText: lengthOf(100) }).waitFor()
    const said = await Promise.all([expert, county].map(lengthsOf))
    console.log(`length of 100 columns: ${wanted}, both sides say ${said.join(' and ')}`)
    assert.deepEqual(said[0], said[1])
    await page.click(t('tool-angle'))
    await sweep(expert, [300, 200], [300, 300])
    await sweep(expert, [400, 300], [400, 300])
    await county.page.locator(`${t('mark')}[data-tool=angle]`, { hasText: /(89|90)\.\d/ }).waitFor()
    await page.click(t('tool-ellipse'))
    await sweep(expert, [4, 4], [60, 60])
    const region = county.page.locator(`${t('mark')}[data-tool=ellipse]:not(.draft)`)
    await region.filter({ hasText: /均值 -750\.?\d* 标准差 0\.0 HU/ }).waitFor()
    await page.click(t('tool-key'))
    await county.page.waitForSelector(`${t('mark-list')}[data-count="4"]`)
    await until('the same marks', async () => {
      const [a, b] = await Promise.all([marksOf(expert), marksOf(county)])
      return a.length === 3 && a.join() === b.join()
    })
    await journey.shot(expert, '04-measured')
    await journey.shot(county, '05-measured-there')
  })

  journey.step('of two who change one mark at once, one is told and nothing is lost', async () => {
    await Promise.all(
      [expert, county].map(async ({ page }) => {
        await page.click(t('tool-scroll'))
        await page.locator(`${t('mark')}[data-tool=length] .hit`).dispatchEvent('pointerdown')
        await page
          .locator(`${t('mark')}.chosen .handle`)
          .first()
          .waitFor()
      }),
    )
    // Neither hears of the other's change before sending the own one.
    let arrived = 0
    let both = () => {}
    const together = new Promise<void>((done) => {
      both = done
    })
    for (const { page } of [expert, county])
      await page.route(/\/marks\/[^/]+$/, async (route) => {
        if (route.request().method() === 'PUT' && ++arrived === 2) both()
        if (arrived <= 2) await together
        await route.continue()
      })
    await Promise.all([
      expert.page
        .locator(`${t('mark')}.chosen .handle`)
        .first()
        .press('ArrowLeft'),
      county.page
        .locator(`${t('mark')}.chosen .handle`)
        .last()
        .press('ArrowRight'),
    ])
    const loser = await until('one is told', async () => {
      const told = await Promise.all([expert, county].map(({ page }) => page.locator(t('clash')).count()))
      const [a = 0, b = 0] = told
      return a + b > 0 && (a > 0 ? expert : county)
    })
    const winner = loser === expert ? county : expert
    assert.equal(await winner.page.locator(t('clash')).count(), 0, 'only one is told')
    await until('both show the first change', async () => {
      const [a, b] = await Promise.all([marksOf(expert), marksOf(county)])
      return a.join() === b.join()
    })
    await journey.shot(loser, '06-clash')
    await loser.page.click(t('clash-both'))
    for (const { page } of [expert, county]) await page.waitForSelector(`${t('mark-list')}[data-count="5"]`)
    await until('both versions on both sides', async () => {
      const [a, b] = await Promise.all([marksOf(expert), marksOf(county)])
      return a.length === 4 && a.join() === b.join()
    })
  })

  journey.step('the signed opinion puts the measurements into the study, with the same millimetres', async () => {
    const { page } = expert
    const said = await lengthsOf(expert)
    assert.equal(said.length, 2)
    await page.fill('textarea[name=findings]', '右上叶实性结节，测量见标记。')
    await page.fill('textarea[name=advice]', '3 个月后复查。')
    await page.click(t('sign-opinion'))
    await signWith(page, journey.person('李明远'))
    await county.page.waitForSelector(`${t('opinion')}[data-signed=true]`)
    const numbers = await reportedLengths(journey.house, journey.person('赵志远'), one.studies[0]?.study_uid ?? '')
    console.log(`lengths on the screen: ${said.join(', ')}; in the report: ${numbers.join(', ')}`)
    assert.deepEqual(numbers, said.sort())
  })

  journey.step(
    'who comes late, on a phone, finds it all: the slice that is presented, the window, every mark',
    async () => {
      await county.page.goto('/staff/cases')
      const late = await journey.join('late', phone)
      await enter(late, journey.person('赵志远'))
      const { page } = late
      await page.locator(t('leader'), { hasText: '李明远' }).waitFor()
      await page.waitForSelector(`${t('viewer')}[data-drawn=true][data-window="1500/-600"][data-index="25"]`)
      await until('the marks of those who were there', async () => {
        const [a, b] = await Promise.all([marksOf(expert), marksOf(late)])
        return a.length === 4 && a.join() === b.join()
      })
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'no sideways scroll')
      await page.locator(t('viewer')).scrollIntoViewIfNeeded()
      await journey.shot(late, '07-phone')
      // A finger: slices, zoom and window, each by one drag.
      const drag = async (tool: string, dx: number, dy: number) => {
        await page.click(t(tool))
        await page.locator(t('viewport')).evaluate(
          (viewport, { dx, dy }) => {
            const box = viewport.getBoundingClientRect()
            const say = (type: string, x: number, y: number) =>
              viewport.dispatchEvent(
                new PointerEvent(type, {
                  pointerId: 1,
                  pointerType: 'touch',
                  bubbles: true,
                  clientX: box.left + box.width / 2 + x,
                  clientY: box.top + box.height / 2 + y,
                }),
              )
            viewport.setPointerCapture = () => {}
            say('pointerdown', 0, 0)
            for (let n = 1; n <= 5; n++) say('pointermove', (dx * n) / 5, (dy * n) / 5)
            say('pointerup', dx, dy)
          },
          { dx, dy },
        )
      }
      await drag('tool-scroll', 0, 60)
      await drawn(late, 30)
      await drag('tool-zoom', 0, -40)
      assert.ok(Number(await page.getAttribute(t('viewer'), 'data-zoom')) > 1.1)
      await drag('tool-window', 25, 0)
      await page.waitForSelector(`${t('viewer')}[data-window="1600/-600"]`)
      await journey.shot(late, '08-phone-read')
    },
  )

  journey.step('what was drawn lies in the study as a presentation state, and the talk is seen again', async () => {
    const { session } = journey.person('赵志远')
    await until('the presentation state lies in the study', async () => {
      const at = `/dicomweb/studies/${one.studies[0]?.study_uid}/series?Modality=PR`
      const { body } = await journey.house.call(session, 'GET', at)
      return Array.isArray(body) && body.length === 1
    })
    const { page } = county
    await page.goto(`/staff/cases/${one.id}`)
    await page.click(t('open-replay'))
    await page.waitForSelector(t('replay'))
    const count = Number(await page.getAttribute(t('replay'), 'data-count'))
    assert.ok(count >= 4, `${count} states of the talk`)
    await page.locator(t('replay-by'), { hasText: '李明远 主讲' }).waitFor()
    await page.locator(t('talk-holds'), { hasText: '李明远' }).waitFor()
    await page.locator(t('replay-at')).press('End')
    await page.waitForSelector(`${t('viewer')}[data-drawn=true][data-window="1500/-600"][data-index="25"]`)
    assert.deepEqual((await marksOf(county)).length, 4, 'with the marks')
    await journey.shot(county, '09-replay')
    await page.locator(t('replay-at')).press('Home')
    await page.waitForSelector(`${t('replay')}[data-index="0"]`)
    await page.click(t('replay-play'))
    await page.waitForSelector(`${t('replay')}:not([data-index="0"])`)
    await page.click(t('replay-play'))
  })
})
