// What a study holds besides pictures: an electrocardiogram on its paper, a document in the browser's reader. Both are
// opened by a share link, on a desk and on a phone.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe } from 'node:test'
import { desk, phone, type Someone } from './browser'
import { ask } from './errands'
import { Journey, t } from './journey'
import { overflow, violations } from './judge'

const folder = '../storage/imaging/testdata/other'

describe('sheets', { concurrency: 1 }, () => {
  const journey = new Journey('sheets')
  let reader: Someone

  /** Stores a file and gives the address that opens its study. */
  const shared = async (name: string): Promise<string> => {
    const doctor = journey.person('赵志远')
    const response = await fetch(`${journey.house.address}/dicomweb/studies`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${doctor.session}`,
        'Content-Type': 'multipart/related; type="application/dicom"; boundary=yz',
      },
      body: Buffer.concat([
        Buffer.from('--yz\r\nContent-Type: application/dicom\r\n\r\n'),
        await readFile(`${folder}/${name}`),
        Buffer.from('\r\n--yz--\r\n'),
      ]),
    })
    assert.equal(response.status, 200)
    const stored = (await response.json()) as { '00081190': { Value: string[] } }
    const study = /studies\/([0-9.]+)$/.exec(stored['00081190'].Value[0] ?? '')?.[1]
    const { secret } = await ask<{ secret: string }>(journey.house, doctor, 'POST', `/imaging/studies/${study}/links`, {
      hours: 24,
      uses: 5,
    })
    return `/shared#${secret}`
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

  journey.step('a document opens as a PDF and nothing else, and can be kept', async () => {
    await open(reader, await shared('encapsulated_pdf.dcm'))
    const { page } = reader
    await page.waitForSelector(t('pdf'))
    const [download] = await Promise.all([page.waitForEvent('download'), page.click(t('save-pdf'))])
    const bytes = await readFile(await download.path())
    assert.equal(download.suggestedFilename(), 'document.pdf')
    assert.equal(bytes.subarray(0, 5).toString(), '%PDF-')
    const whole = await readFile(`${folder}/encapsulated_pdf.dcm`)
    assert.ok(whole.includes(bytes.subarray(0, 80_000)), 'byte for byte what the file holds')
    await journey.shot(reader, '04-pdf')
  })
})
