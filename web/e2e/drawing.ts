// Drawing on the images of a journey, and reading what stands on a screen.
import assert from 'node:assert/strict'
import type { Someone } from './browser'
import { t } from './journey'
import { spacing } from './slices'

export const size = 512 // columns and rows of the slices

type Point = [number, number]

/** Drags from one point of the image to another, at zoom 1. */
export async function sweep({ page }: Someone, from: Point, to: Point, let_go = true): Promise<void> {
  const box = await page.locator(t('viewport')).boundingBox()
  assert.ok(box)
  const fit = Math.min(box.width, box.height) / size
  const at = ([x, y]: Point) =>
    [box.x + box.width / 2 + (x - size / 2) * fit, box.y + box.height / 2 + (y - size / 2) * fit] as const
  await page.mouse.move(...at(from))
  await page.mouse.down()
  await page.mouse.move(...at(to), { steps: 6 })
  if (let_go) await page.mouse.up()
}

/** The marks on a screen, by their points. */
export const marksOf = ({ page }: Someone): Promise<string[]> =>
  page
    .locator(`${t('mark')}:not(.draft)`)
    .evaluateAll((all) => all.map((one) => one.getAttribute('data-points') ?? '').sort())

/** A length of so many columns as a screen may say it: to the millimetre below and above. */
export const lengthOf = (columns: number): RegExp =>
  new RegExp(`${Math.floor(columns * spacing)}\\.\\d mm|${Math.ceil(columns * spacing)}\\.\\d mm`)

/** The lengths that a screen says. */
export const lengthsOf = ({ page }: Someone): Promise<string[]> =>
  page.locator(`${t('mark')}[data-tool=length]:not(.draft)`).allTextContents()
