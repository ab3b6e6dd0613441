// A slide of 3.6 GB is read in less than 50 MB: the tiles in view of the level that fits, by mouse, keys and fingers.
// The colour of each tile says where it lies, so that what is on the canvas can be judged.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe } from 'node:test'
import type { Page } from 'playwright-core'
import { desk, phone, reading, type Someone } from './browser'
import { type Case, linkTo, scheduled, store } from './errands'
import { until } from './house'
import { Journey, t } from './journey'
import { overflow, violations } from './judge'
import { enterWorkspace, signWith } from './people'
import { reported, selected } from './reported'
import { colourOf, full, levels, side, slide } from './slide'

const broken = [Math.floor(full.columns / 2 / side), Math.floor(full.rows / 2 / side)] as const // in the very middle
const most = 50e6 // bytes

type State = { x: number; y: number; zoom: number; level: number; loaded: number; held: number }

const stateOf = (page: Page): Promise<State> =>
  page.locator(t('slide')).evaluate((one: HTMLElement) => {
    const { x, y, zoom, level, loaded, held } = one.dataset
    return {
      x: Number(x),
      y: Number(y),
      zoom: Number(zoom),
      level: Number(level),
      loaded: Number(loaded),
      held: Number(held),
    }
  })
const drawn = (page: Page, more = '') => page.waitForSelector(`${t('slide')}[data-drawn=true]${more}`)

/** What the canvas shows at a place of the viewport, in pixels of CSS. */
const colourAt = (page: Page, left: number, top: number) =>
  page.locator(`${t('slide')} > canvas`).evaluate(
    (canvas: HTMLCanvasElement, { left, top }) => {
      const by = canvas.width / canvas.clientWidth
      return [...(canvas.getContext('2d')?.getImageData(Math.round(left * by), Math.round(top * by), 1, 1).data ?? [])]
    },
    { left, top },
  )

describe('a slide', { concurrency: 1 }, () => {
  const journey = new Journey('slide')
  let expert: Someone
  let county: Someone
  let one: Case

  /** The middle of each tile in view has the colour of that tile in the level that is read. */
  const rightTiles = async ({ page }: Someone) => {
    const { x, y, zoom, level } = await stateOf(page)
    const box = await page.locator(t('slide')).boundingBox()
    assert.ok(box)
    const scale = zoom * Math.min(box.width / full.columns, box.height / full.rows)
    const by = full.columns / (levels[level]?.columns ?? 1)
    const place = (column: number, row: number) => ({
      left: box.width / 2 + ((column + 0.5) * side * by - x) * scale,
      top: box.height / 2 + ((row + 0.25) * side * by - y) * scale,
    })
    let seen = 0
    const middle = [Math.floor(x / by / side), Math.floor(y / by / side)] as const
    for (let row = middle[1] - 2; row <= middle[1] + 2; row++)
      for (let column = middle[0] - 2; column <= middle[0] + 2; column++) {
        const { left, top } = place(column, row)
        if (left < 4 || top < 60 || left > box.width - 170 || top > box.height - 60) continue // corners hold words
        if (column * side * by >= full.columns || row * side * by >= full.rows) continue
        if (level === levels.length - 1 && column === broken[0] && row === broken[1]) continue
        const is = await colourAt(page, left, top)
        const wanted = colourOf(level, column, row)
        for (const [n, value] of wanted.entries())
          assert.ok(
            Math.abs((is[n] ?? -99) - value) <= 12,
            `tile ${column}, ${row} of level ${level}: ${is}, not ${wanted}`,
          )
        seen++
      }
    assert.ok(seen > 0, 'no tile in view')
  }
  const frugal = async (page: Page, what: string) => {
    const { loaded, held } = await stateOf(page)
    console.log(`${what}: ${(loaded / 1e6).toFixed(2)} MB fetched, ${(held / 1e6).toFixed(1)} MB of pixels held`)
    assert.ok(loaded < most, `${loaded} bytes were fetched`)
    assert.ok(held < most, `${held} bytes of pixels are held`)
  }

  journey.step('a slide of 40,000 x 30,000 pixels lies with a scheduled consult', async () => {
    const doctor = journey.person('赵志远')
    expert = await journey.join('expert', reading)
    const { objects, study } = await slide(expert.page, broken)
    for (const { bytes } of objects) await store(journey.house, doctor, [bytes])
    const pixels = levels.reduce((sum, { columns, rows }) => sum + columns * rows * 3, 0)
    console.log(`${(pixels / 1e9).toFixed(1)} GB of pixels in ${objects.length} objects`)
    one = await scheduled(journey.house, doctor, journey.person('孙丽'), study)
    assert.equal(one.studies[0]?.study_uid, study)
  })

  journey.step('it opens whole: a small level, with its scale, what it takes named', async () => {
    const { page } = expert
    await enterWorkspace(page, journey.person('李明远'))
    await page.goto(`/staff/cases/${one.id}/room`)
    await drawn(page)
    assert.equal((await stateOf(page)).level, 0)
    await rightTiles(expert)
    assert.equal(await page.locator(t('badge')).count(), 0)
    assert.match((await page.textContent(t('slide-bytes'))) ?? '', /已取 .*，全片 3\.\d+ GB/)
    const bar = page.locator(t('slide-bar'))
    const [um, width] = [Number(await bar.getAttribute('data-um')), Number(await bar.getAttribute('data-width'))]
    const box = await page.locator(t('slide')).boundingBox()
    const scale = Math.min((box?.width ?? 0) / full.columns, (box?.height ?? 0) / full.rows)
    assert.ok(Math.abs(width - (um / 0.25) * scale) < 0.01, `a bar of ${um} µm is ${width} wide`)
    assert.deepEqual(await violations(page), [])
    await frugal(page, 'the whole slide')
    await journey.shot(expert, '01-whole')
  })

  journey.step(
    'the wheel goes in where the hand is; the level that fits is fetched, the small one marked till then',
    async () => {
      const { page } = expert
      const box = await page.locator(t('slide')).boundingBox()
      assert.ok(box)
      const at = { left: box.width * 0.3, top: box.height * 0.6 }
      const under = async () => {
        const { x, y, zoom } = await stateOf(page)
        const scale = zoom * Math.min(box.width / full.columns, box.height / full.rows)
        return [x + (at.left - box.width / 2) / scale, y + (at.top - box.height / 2) / scale]
      }
      const [column = 0, row = 0] = await under()
      // Tiles are kept back until the preview was seen.
      let let_through = () => {}
      const kept = new Promise<void>((done) => {
        let_through = done
      })
      await page.route(/\/frames\/\d+$/, async (route) => {
        await kept
        await route.continue()
      })
      await page.mouse.move(box.x + at.left, box.y + at.top)
      for (let n = 0; n < 12; n++) await page.mouse.wheel(0, -120)
      await page.locator(t('badge'), { hasText: '预览，不可用于诊断' }).waitFor()
      await journey.shot(expert, '02-preview')
      let_through()
      await drawn(page)
      await page.unroute(/\/frames\/\d+$/)
      assert.ok((await stateOf(page)).level > 0)
      const [then = 0, there = 0] = await under()
      const hand = 1 / Math.min(box.width / full.columns, box.height / full.rows) // a pixel of the screen before
      assert.ok(
        Math.abs(then - column) <= hand && Math.abs(there - row) <= hand,
        `${column}, ${row} became ${then}, ${there}`,
      )
      await rightTiles(expert)
      await journey.shot(expert, '03-closer')
    },
  )

  journey.step('a tile that will not open is crossed out; nothing is shown for it', async () => {
    const { page } = expert
    await page.click(t('slide-whole'))
    await page.click(t('slide-x40'))
    await drawn(page, '[data-broken="1"]')
    await page.locator(t('slide-broken'), { hasText: '有 1 块打不开，没有用别的图代替' }).waitFor()
    const box = await page.locator(t('slide')).boundingBox()
    assert.ok(box)
    const { x, y } = await stateOf(page)
    const by = 1 // at 40× a pixel of the slide is one of the screen
    const left = box.width / 2 + ((broken[0] + 0.5) * side - x) * by
    const top = box.height / 2 + ((broken[1] + 0.25) * side - y) * by
    const [red, green, blue] = await colourAt(page, left, top)
    assert.deepEqual([red, green, blue], [0x2b, 0x34, 0x3b])
    assert.equal(await page.locator(t('slide-power')).textContent(), '约 40×')
    await rightTiles(expert)
    await journey.shot(expert, '04-broken')
  })

  journey.step('a walk through the slide by mouse and keys stays below 50 MB', async () => {
    const { page } = expert
    const box = await page.locator(t('slide')).boundingBox()
    assert.ok(box)
    for (let n = 0; n < 24; n++) {
      const [from, to] = n % 2 ? [0.8, 0.2] : [0.75, 0.1]
      await page.mouse.move(box.x + box.width * 0.7, box.y + box.height * from)
      await page.mouse.down()
      await page.mouse.move(box.x + box.width * (n % 3 ? 0.1 : 0.6), box.y + box.height * to, { steps: 4 })
      await page.mouse.up()
      await drawn(page)
    }
    await rightTiles(expert)
    for (const key of ['Minus', 'Minus', 'ArrowLeft', 'ArrowUp', 'ArrowUp', 'Equal', 'ArrowRight', 'ArrowDown']) {
      await page.locator(t('slide')).press(key)
      await drawn(page)
    }
    await rightTiles(expert)
    await frugal(page, 'after 24 drags and 8 keys')
    await page.locator(t('slide')).press('Home')
    assert.deepEqual(await stateOf(page).then(({ zoom, x, y }) => [zoom, x, y]), [1, full.columns / 2, full.rows / 2])
  })

  journey.step('two look at the same place; the pointer stands on it in a window of another shape', async () => {
    county = await journey.join('county', desk)
    await enterWorkspace(county.page, journey.person('赵志远'))
    await county.page.goto(`/staff/cases/${one.id}/room`)
    await drawn(county.page)
    await expert.page.click(t('lead'))
    await county.page.locator(t('leader'), { hasText: '李明远' }).waitFor()
    await expert.page.click(t('slide-x10'))
    await expert.page.locator(t('slide')).press('ArrowRight')
    const wanted = await stateOf(expert.page)
    await until('the same sight', async () => {
      const { x, y, zoom } = await stateOf(county.page)
      return x === wanted.x && y === wanted.y && zoom === wanted.zoom
    })
    await drawn(county.page)
    await rightTiles(county)
    await expert.page.click(t('slide-point'))
    const box = await expert.page.locator(t('slide')).boundingBox()
    assert.ok(box)
    await expert.page.mouse.move(box.x + box.width * 0.4, box.y + box.height * 0.45)
    await expert.page.mouse.down()
    const pointer = county.page.locator(t('pointer'))
    await pointer.waitFor()
    const scale = wanted.zoom * Math.min(box.width / full.columns, box.height / full.rows)
    const meant = [wanted.x - (box.width * 0.1) / scale, wanted.y - (box.height * 0.05) / scale]
    const said = [Number(await pointer.getAttribute('data-x')), Number(await pointer.getAttribute('data-y'))]
    for (const n of [0, 1])
      assert.ok(Math.abs((meant[n] ?? 0) - (said[n] ?? 0)) <= 1 / scale + 0.1, `${said}, meant ${meant}`)
    await journey.shot(county, '05-together')
    await expert.page.mouse.up()
  })

  const micron = 0.25 // µm of a pixel of the finest level
  type Points = { x: number; y: number }[]
  const marks = ({ page }: Someone) =>
    page.locator(`${t('mark')}:not(.draft)`).evaluateAll((all) =>
      all.map((one) => ({
        tool: one.getAttribute('data-tool'),
        points: JSON.parse(one.getAttribute('data-points') ?? '[]') as { x: number; y: number }[],
        said: one.querySelector('text')?.textContent ?? '',
      })),
    )
  const run = ([a, b]: Points) => [Math.abs((b?.x ?? 0) - (a?.x ?? 0)), Math.abs((b?.y ?? 0) - (a?.y ?? 0))] as const
  const um = (points: Points) => Math.hypot(...run(points)) * micron

  journey.step('a length and a region are measured in µm, and are the same on the other side', async () => {
    const { page } = expert
    await drawn(page)
    const box = await page.locator(t('slide')).boundingBox()
    assert.ok(box)
    const { x, y, zoom } = await stateOf(page)
    const scale = zoom * Math.min(box.width / full.columns, box.height / full.rows)
    const place = ([left, top]: [number, number]) => [box.x + box.width * left, box.y + box.height * top] as const
    const sweep = async (tool: string, from: [number, number], to: [number, number], let_go = true) => {
      await page.click(t(tool))
      await page.mouse.move(...place(from))
      await page.mouse.down()
      await page.mouse.move(...place(to), { steps: 5 })
      if (let_go) await page.mouse.up()
    }
    await sweep('tool-length', [0.3, 0.3], [0.5, 0.6], false)
    await county.page.locator(`${t('mark')}.draft`, { hasText: '李明远 正在画' }).waitFor()
    await page.mouse.up()
    await sweep('tool-rectangle', [0.55, 0.3], [0.7, 0.5])
    const both = await until('both marks on both sides', async () => {
      const [a, b] = await Promise.all([marks(expert), marks(county)])
      return a.length === 2 && JSON.stringify(a) === JSON.stringify(b) && a
    })
    const [length, region] = [both.find(({ tool }) => tool === 'length'), both.find(({ tool }) => tool === 'rectangle')]
    assert.ok(length && region)
    // Where the hand was, to a pixel of the screen.
    for (const [n, left, top] of [
      [0, 0.3, 0.3],
      [1, 0.5, 0.6],
    ] as const) {
      const is = length.points[n]
      const meant = { x: x + ((left - 0.5) * box.width) / scale, y: y + ((top - 0.5) * box.height) / scale }
      assert.ok(is && Math.hypot(is.x - meant.x, is.y - meant.y) * scale <= 1.5, `${JSON.stringify(is)}`)
    }
    const [wide, high] = run(region.points)
    console.log(`on the slide: ${length.said} and ${region.said}`)
    assert.ok(length.said.includes(`${um(length.points).toFixed(1)} µm`), length.said)
    assert.ok(region.said.includes(`${(wide * high * micron ** 2).toFixed(0)} µm²`), region.said)
    await journey.shot(expert, '06-measured')
    await journey.shot(county, '07-measured-there')
  })

  journey.step(
    'a mark is changed by keys by the other, found again from the list, and placed without a mouse',
    async () => {
      const { page } = county
      await page.locator(`${t('mark')}[data-tool=length] .hit`).dispatchEvent('pointerdown')
      const before = (await marks(county)).find(({ tool }) => tool === 'length')
      await page
        .locator(`${t('mark')}.chosen .handle`)
        .last()
        .press('Shift+ArrowRight')
      await until('the change is there', async () => {
        const [a, b] = await Promise.all([marks(expert), marks(county)])
        const now = a.find(({ tool }) => tool === 'length')
        return JSON.stringify(a) === JSON.stringify(b) && now?.said !== before?.said && now
      })
      await page.locator(t('slide')).press('Home')
      await page.locator(t('go-mark')).first().click()
      await until('the mark is in view', async () => (await stateOf(page)).zoom > 2)
      await drawn(page)
      await page.click(t('tool-ellipse'))
      await page.locator(t('slide')).press('Enter')
      await page.waitForSelector(`${t('mark-list')}[data-count="3"]`)
      await expert.page.waitForSelector(`${t('mark-list')}[data-count="3"]`)
      assert.deepEqual(await violations(page), [])
      await journey.shot(county, '08-found')
    },
  )

  let seenAsKey: { level: number; frames: number[] }

  journey.step('what is seen is marked as a key image, listed, and opened at the same place by the other', async () => {
    const { page } = expert
    await page.click(t('slide-x10'))
    await page.locator(t('slide')).press('ArrowLeft')
    await drawn(page)
    await page.click(t('tool-key'))
    await page.waitForSelector(`${t('tool-key')}[aria-pressed=true]`)
    await county.page.waitForSelector(`${t('mark-list')}[data-count="4"]`)
    const { x, y, zoom, level } = await stateOf(page)
    const box = await page.locator(t('slide')).boundingBox()
    assert.ok(box)
    // The tiles of the level that is read, by their number in it.
    const by = full.columns / (levels[level]?.columns ?? 1)
    const scale = zoom * Math.min(box.width / full.columns, box.height / full.rows)
    const [wide, high] = [box.width / scale / 2, box.height / scale / 2]
    const [across, down] = [Math.ceil(full.columns / by / side), Math.ceil(full.rows / by / side)]
    const reach = (from: number, to: number, most: number) => {
      const [first, last] = [Math.max(0, Math.floor(from / by / side)), Math.min(most, Math.ceil(to / by / side))]
      return Array.from({ length: last - first }, (_, n) => first + n)
    }
    const columns = reach(x - wide, x + wide, across)
    const frames = reach(y - high, y + high, down).flatMap((row) => columns.map((column) => row * across + column + 1))
    seenAsKey = { level, frames }
    await page.locator(t('slide')).press('Home')
    await page.waitForSelector(`${t('tool-key')}[aria-pressed=false]`)
    const listed = (someone: Someone) => someone.page.locator(t('go-mark'), { hasText: '关键图 10×' })
    await listed(expert).click()
    await until('the same place', async () => {
      const now = await stateOf(page)
      return Math.hypot(now.x - x, now.y - y) * scale < 1 && Math.abs(now.zoom / zoom - 1) < 1e-6
    })
    await page.waitForSelector(`${t('tool-key')}[aria-pressed=true]`)
    // On a screen of another shape all of it is seen, around the same middle.
    await listed(county).click()
    await until('the same middle', async () => {
      const now = await stateOf(county.page)
      return Math.hypot(now.x - x, now.y - y) < 1 && now.zoom > 1
    })
    await drawn(county.page)
    await rightTiles(county)
    assert.deepEqual(await violations(county.page), [])
    await journey.shot(county, '08-key')
  })

  journey.step('the signed opinion puts them into the study, on the plane of the slide, with the same µm', async () => {
    const { page } = expert
    const said = await marks(expert)
    await page.fill('textarea[name=findings]', '腺体排列，测量见标记。')
    await page.fill('textarea[name=advice]', '建议免疫组化。')
    await page.click(t('sign-opinion'))
    await signWith(page, journey.person('李明远'))
    await county.page.waitForSelector(`${t('opinion')}[data-signed=true]`)
    const { numbers, shapes } = await reported(journey.house, journey.person('赵志远'), one.studies[0]?.study_uid ?? '')
    const lengths = numbers.filter(({ what }) => what === 'Length')
    console.log(`in the report: ${numbers.map(({ what, value, unit }) => `${what} ${value} ${unit}`).join(', ')}`)
    const length = said.find(({ tool }) => tool === 'length')
    assert.equal(lengths.length, 1)
    assert.equal(lengths[0]?.unit, 'um')
    assert.ok(length?.said.includes(`${lengths[0]?.value.toFixed(1)} µm`), `${length?.said}`)
    for (const one of numbers.filter(({ what }) => what === 'Area')) {
      assert.equal(one.unit, 'um2')
      const words = one.value < 1e6 ? `${one.value.toFixed(0)} µm²` : `${(one.value / 1e6).toFixed(3)} mm²`
      assert.ok(
        said.some(({ said }) => said.includes(words)),
        words,
      )
    }
    assert.equal(shapes.length, 3)
    const keys = await selected(journey.house, journey.person('赵志远'), one.studies[0]?.study_uid ?? '')
    console.log(
      `the selection names ${keys.map(({ sop, frames }) => `frames ${frames.join(' ')} of ${sop}`).join(', ')}`,
    )
    assert.equal(keys.length, 1)
    assert.ok(keys[0]?.sop.endsWith(`.${seenAsKey.level + 1}`), 'of the level that was read')
    assert.deepEqual(keys[0]?.frames, seenAsKey.frames)
    for (const { plane, frames } of shapes) assert.deepEqual([plane, frames], ['VOLUME', 0])
  })

  journey.step('on a phone two fingers zoom and one moves, within the same memory', async () => {
    const small = await journey.join('phone', phone)
    const { page } = small
    await page.goto(await linkTo(journey.house, journey.person('赵志远'), one.studies[0]?.study_uid ?? ''))
    await page.click(t('open-shared'))
    await drawn(page)
    await page.locator(t('slide')).scrollIntoViewIfNeeded()
    const before = await stateOf(page)
    const line = await page.context().newCDPSession(page)
    const box = await page.locator(t('slide')).boundingBox()
    assert.ok(box)
    const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 }
    const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', ...points: [number, number][]) =>
      line.send('Input.dispatchTouchEvent', {
        type,
        touchPoints: points.map(([dx, dy], id) => ({ x: middle.x + dx, y: middle.y + dy, id })),
      })
    await touch('touchStart', [-20, 0], [20, 0])
    for (let n = 1; n <= 8; n++) await touch('touchMove', [-20 - n * 10, 0], [20 + n * 10, 0])
    await touch('touchEnd')
    await until('it is closer', async () => (await stateOf(page)).zoom > before.zoom * 3)
    const pinched = await stateOf(page)
    assert.ok(Math.abs(pinched.x - before.x) < full.columns / 50, 'what lay between the fingers stays there')
    await touch('touchStart', [60, 0])
    for (let n = 1; n <= 6; n++) await touch('touchMove', [60 - n * 20, 0])
    await touch('touchEnd')
    await until('it has moved', async () => (await stateOf(page)).x > pinched.x)
    await drawn(page)
    assert.equal(await overflow(page), 0, 'nothing beside the page')
    await frugal(page, 'on the phone')
    assert.deepEqual(await violations(page), [])
    await journey.shot(small, '09-phone')
  })

  journey.step('a slide of uncompressed tiles opens too', async () => {
    const doctor = journey.person('赵志远')
    const dots = await store(journey.house, doctor, [
      await readFile('../storage/imaging/testdata/other/sm_image_dots.dcm'),
    ])
    const someone = await journey.join('dots', desk)
    const { page } = someone
    await page.goto(await linkTo(journey.house, doctor, dots))
    await page.click(t('open-shared'))
    await drawn(page, '[data-broken="0"]')
    await journey.shot(someone, '10-dots')
  })
})
