// Compressed originals are decoded in the browser: JPEG 2000, JPEG-LS, JPEG and RLE of one MR show what the uncompressed
// one shows, and a CT in JPEG 2000 opens.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe } from 'node:test'
import type { Page } from 'playwright-core'
import { desk, type Someone } from './browser'
import { linkTo, store } from './errands'
import { Journey, t } from './journey'

const folder = '../storage/imaging/testdata/transfer-syntaxes'
const lossless = ['MR_small_jp2klossless', 'MR_small_jpeg_ls_lossless', 'MR_small_RLE', 'MR_small_bigendian']
const others = ['693_J2KI', 'JPEG2000', 'JPEG-LL', 'CT1_UNC.fragmented_bot_jpeg_ls.80']

/** Greys of the canvas on a grid, without its edges. */
const greys = (page: Page): Promise<number[]> =>
  page.locator(`${t('viewport')} canvas`).evaluate((canvas: HTMLCanvasElement) => {
    const context = canvas.getContext('2d')
    const found: number[] = []
    const side = Math.min(canvas.width, canvas.height)
    for (let row = 1; row < 32; row++)
      for (let column = 1; column < 32; column++) {
        const x = Math.round(canvas.width / 2 + (column / 32 - 0.5) * side)
        const y = Math.round(canvas.height / 2 + (row / 32 - 0.5) * side)
        found.push(context?.getImageData(x, y, 1, 1).data[0] ?? -1)
      }
    return found
  })

describe('compressed originals', { concurrency: 1 }, () => {
  const journey = new Journey('syntaxes')
  let reader: Someone
  let plain: number[] = []

  /** Opens a file as a study of its own. */
  const open = async (name: string, n: number): Promise<number[]> => {
    const doctor = journey.person('赵志远')
    const raw = await readFile(`${folder}/${name}.dcm`, 'latin1')
    const own = raw.replaceAll('20040826185059.5457', `20040826185059.${7000 + n}`) // one MR in several syntaxes
    const study = await store(journey.house, doctor, [Buffer.from(own, 'latin1')])
    await reader.page.goto('about:blank')
    await reader.page.goto(await linkTo(journey.house, doctor, study))
    await reader.page.click(t('open-shared'))
    await reader.page.waitForSelector(`${t('viewer')}[data-drawn=true]`)
    return greys(reader.page)
  }

  journey.step('an uncompressed MR is drawn', async () => {
    reader = await journey.join('reader', desk)
    plain = await open('MR_small_implicit', 0)
    assert.ok(new Set(plain).size > 30, 'a picture, not a plane')
  })
  for (const [n, name] of lossless.entries())
    journey.step(`${name} shows the same`, async () => {
      const same = await open(name, n + 1)
      const off = Math.max(...same.map((grey, at) => Math.abs(grey - (plain[at] ?? -99))))
      assert.ok(off <= 1, `${off} greys away`)
    })
  for (const [n, name] of others.entries())
    journey.step(`${name} is drawn`, async () => {
      const seen = await open(name, 20 + n)
      assert.ok(new Set(seen).size > 20, `${new Set(seen).size} greys`)
      await journey.shot(reader, name.slice(0, 9))
    })
})
