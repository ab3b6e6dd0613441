// What a study holds besides pictures: an electrocardiogram on its paper, a document in the browser's reader. Both are
// opened by a share link, on a desk and on a phone.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe } from 'node:test'
import { desk, phone, type Someone } from './browser'
import { ask, linkTo, monthsAgo, store } from './errands'
import { Journey, t } from './journey'
import { overflow, violations } from './judge'
import { enterWorkspace } from './people'

const folder = '../storage/imaging/testdata/other'

describe('sheets', { concurrency: 1 }, () => {
  const journey = new Journey('sheets')
  let reader: Someone

  /** Stores a file and gives the address that opens its study. */
  const shared = async (name: string): Promise<string> => {
    const doctor = journey.person('赵志远')
    return linkTo(journey.house, doctor, await store(journey.house, doctor, [await readFile(`${folder}/${name}`)]))
  }
  const open = async ({ page }: Someone, address: string) => {
    await page.goto('about:blank')
    await page.goto(address)
    await page.click(t('open-shared'))
    await page.waitForSelector(t('sheets'))
  }

  journey.step('twelve leads stand on millimetre paper at 25 mm/s and 10 mm/mV, with the mark', async () => {
    const address = await shared('ecg12_synthetic.dcm')
    reader = await journey.join('reader', desk)
    const { page } = reader
    await open(reader, address)
    await page.waitForSelector(t('ecg'))
    assert.match((await page.textContent(t('ecg-said'))) ?? '', /12 导联，10 秒，500 Hz，25 mm\/s，10 mm\/mV/)
    const leads = () => page.locator(t('lead')).evaluateAll((all) => all.map((one) => one.getAttribute('data-lead')))
    assert.equal((await leads()).length, 13, 'twelve and the rhythm strip')
    // On the screen: a millimetre of the paper is one of the browser's, the mark 10 high and 5 wide.
    const mark = await page
      .locator(t('calibration'))
      .first()
      .evaluate((path: SVGPathElement) => {
        const svg = path.ownerSVGElement
        const scale = (svg?.getBoundingClientRect().width ?? 0) / (svg?.viewBox.baseVal.width ?? 1)
        const { height, width } = path.getBBox()
        return { height, width: width - 2, mm: scale / (96 / 25.4) }
      })
    assert.deepEqual([mark.height, mark.width].map(Math.round), [10, 5])
    assert.ok(Math.abs(mark.mm - 1) < 0.01, `a millimetre is ${mark.mm}`)
    assert.deepEqual(await violations(page), [])
    await journey.shot(reader, '01-ecg')
    await page.click(t('ecg-rows'))
    assert.deepEqual(await leads(), ['I', 'II', 'III', 'aVR', 'aVL', 'aVF', 'V1', 'V2', 'V3', 'V4', 'V5', 'V6'])
    await page.click(t('ecg-x2'))
    await journey.shot(reader, '02-ecg-rows')
    const small = await journey.join('phone', phone)
    await open(small, address)
    await small.page.waitForSelector(t('ecg'))
    assert.equal(await overflow(small.page), 0, 'the paper scrolls, not the page')
    await small.page.locator(t('sheets')).scrollIntoViewIfNeeded()
    await journey.shot(small, '03-ecg-phone')
  })

  journey.step('a document is drawn page by page, on a desk and on a phone, and can be kept', async () => {
    const address = await shared('encapsulated_pdf.dcm')
    const small = await journey.join('phone, document', phone)
    for (const [who, name] of [
      [reader, '04-pdf'],
      [small, '05-pdf-phone'],
    ] as const) {
      await open(who, address)
      const { page } = who
      await page
        .locator(`${t('pdf-page')}[data-state=drawn]`)
        .first()
        .waitFor()
      const ink = await page
        .locator(`${t('pdf-page')} canvas`)
        .first()
        .evaluate((canvas: HTMLCanvasElement) => {
          const data = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? []
          let dark = 0
          for (let n = 0; n < data.length; n += 4) if ((data[n] ?? 255) < 128) dark++
          return dark / (canvas.width * canvas.height)
        })
      assert.ok(ink > 0.0005 && ink < 0.5, `${ink} of the page is ink`)
      assert.equal(await overflow(page), 0, 'nothing beside the page')
      assert.deepEqual(await violations(page), [])
      await page.locator(t('sheets')).scrollIntoViewIfNeeded()
      await journey.shot(who, name)
    }
    const { page } = reader
    const [download] = await Promise.all([page.waitForEvent('download'), page.click(t('save-pdf'))])
    const bytes = await readFile(await download.path())
    assert.equal(download.suggestedFilename(), 'document.pdf')
    assert.equal(bytes.subarray(0, 5).toString(), '%PDF-')
    const whole = await readFile(`${folder}/encapsulated_pdf.dcm`)
    assert.ok(whole.includes(bytes.subarray(0, 80_000)), 'byte for byte what the file holds')
  })
  journey.step('a paper handed in as PDF is drawn on the evidence desk the same way', async () => {
    const { house } = journey
    const patient = journey.person('王秀英')
    const whole = await readFile(`${folder}/encapsulated_pdf.dcm`)
    const pdf = whole.subarray(whole.indexOf('%PDF-'), whole.lastIndexOf('%%EOF') + 6)
    const { persons } = await ask<{ persons: { id: string }[] }>(house, patient, 'GET', '/me')
    const form = new FormData()
    for (const [name, value] of Object.entries({
      person_id: persons[0]?.id ?? '',
      icd10: 'I10.x00',
      dx_date: monthsAgo(3),
      institution_name: '清河市第一医院',
      doc_type: '门诊病历',
    }))
      form.set(name, value)
    form.set('file', new Blob([new Uint8Array(pdf)], { type: 'application/pdf' }), 'paper.pdf')
    await ask(house, patient, 'POST', '/evidence', form)
    const coordinator = await journey.join('coordinator', desk)
    const { page } = coordinator
    await enterWorkspace(page, journey.person('孙丽'))
    await page.click('a[href="/staff/evidence"]')
    await page
      .locator(`${t('pdf-page')}[data-state=drawn]`)
      .first()
      .waitFor()
    assert.equal(await page.locator('iframe').count(), 0, 'nothing is run')
    assert.deepEqual(await violations(page), [])
    await journey.shot(coordinator, '06-evidence')
    await page.setViewportSize({ width: 360, height: 640 })
    await page
      .locator(`${t('pdf-page')}[data-state=drawn]`)
      .first()
      .waitFor()
    assert.equal(await overflow(page), 0, 'the evidence desk at 360 px')
    await journey.shot(coordinator, '07-evidence-360')
  })
})
