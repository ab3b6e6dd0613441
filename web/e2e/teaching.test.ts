// A study goes out for teaching: one doctor asks, another looks through the pictures and covers what is burned in, and what is
// fetched names nobody, by dcmdump.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'node:test'
import { promisify } from 'node:util'
import { unzip } from '../src/imaging/zip'
import { desk, type Someone } from './browser'
import { store } from './errands'
import { Journey, t } from './journey'
import { overflow, violations } from './judge'
import { enterWorkspace } from './people'

const run = promisify(execFile)
const ultrasound = '../storage/imaging/testdata/colour/examples_palette.dcm'

/** What dcmdump says of a file, with the pixels. */
const dumped = async (file: string) => (await run('dcmdump', ['+L', file], { maxBuffer: 256 << 20 })).stdout

describe('a study for teaching', { concurrency: 1 }, () => {
  const journey = new Journey('teaching')
  let asker: Someone
  let second: Someone

  journey.step('the doctor who asks can’t fetch before somebody else has looked', async () => {
    const doctor = journey.person('赵志远')
    await store(journey.house, doctor, [await readFile(ultrasound)])
    asker = await journey.join('asker', desk)
    const { page } = asker
    await enterWorkspace(page, doctor)
    await page.click('a[href="/staff/teaching"]')
    await page.locator(t('teach-study')).first().click()
    await page.getByText('导出这个序列').click()
    await journey.shot(asker, '01-ask')
    assert.deepEqual(await violations(page), [])
    await page.click(t('teach'))
    await page.waitForSelector(`${t('taught')}[data-state=asked]`)
    await page.keyboard.press('Escape')
    await page.waitForSelector(`${t('export')}[data-state=asked]`)
    assert.equal(await page.locator(t('review-export')).count(), 0, 'who asks does not look')
    await journey.shot(asker, '02-asked')
  })

  journey.step('another doctor of the hospital looks, covers a corner and lets it out', async () => {
    second = await journey.join('second', desk)
    const { page } = second
    await enterWorkspace(page, journey.person('张建国'))
    await page.click('a[href="/staff/teaching"]')
    await page.click(t('review-export'))
    await page.click(t('teach-look'))
    const picture = page.locator('.picture').first()
    await picture.locator('img').evaluate((img: HTMLImageElement) => img.decode())
    const box = await picture.boundingBox()
    assert.ok(box)
    await page.mouse.move(box.x + 2, box.y + 2)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 4, { steps: 4 })
    await page.mouse.up()
    await page.locator(`${t('masks')} li`).waitFor()
    await journey.shot(second, '03-look')
    assert.deepEqual(await violations(page), [])
    await page.click(t('seen'))
    await page.setViewportSize({ width: 360, height: 640 })
    await journey.shot(second, '03-look-360')
    assert.equal(await overflow(page), 0, 'the look at 360 px')
    await page.setViewportSize(desk.viewport)
    await page.click(t('review-done'))
    await page.waitForSelector(`${t('export')}[data-state=ready]`)
  })

  journey.step('what is fetched names nobody and is black where it was covered', async () => {
    const { page } = asker
    await page.reload()
    await page.waitForSelector(`${t('export')}[data-state=ready]`)
    await journey.shot(asker, '04-ready')
    const [file] = await Promise.all([page.waitForEvent('download'), page.click(t('fetch-export'))])
    const folder = await mkdtemp(join(tmpdir(), 'yuanzhen-teaching-'))
    try {
      const files = await unzip(new Blob([await readFile(await file.path())]))
      const [only] = files
      assert.ok(only && files.length === 1)
      const fetched = join(folder, 'fetched.dcm')
      await writeFile(fetched, Buffer.from(await (await only.read()).arrayBuffer()))
      const [was, is] = await Promise.all([dumped(ultrasound), dumped(fetched)])
      const value = (dump: string, tag: string) =>
        new RegExp(`\\(${tag}\\) \\w\\w \\[?([^\\]#]*)`).exec(dump)?.[1]?.trim() ?? ''
      for (const tag of [
        '0010,0010',
        '0010,0020',
        '0020,000d',
        '0020,000e',
        '0008,0018',
        '0008,0050',
        '0008,0080',
        '0008,0090',
      ]) {
        const named = value(was, tag)
        if (named.length > 3 && !named.startsWith('(no value'))
          assert.ok(!is.includes(named), `${tag} ${named} is left`)
      }
      assert.match(value(is, '0010,0010'), /^TEACHING\^/)
      assert.match(is, /\(0012,0062\) CS \[YES\]/)
      const pixels = (dump: string) => /\(7fe0,0010\) O[BW] ([0-9a-f\\]+)/.exec(dump)?.[1]?.split('\\') ?? []
      const [before, after] = [pixels(was), pixels(is)]
      assert.equal(after.length, before.length)
      const columns = Number(/\(0028,0011\) US (\d+)/.exec(was)?.[1])
      const inside = (20 * columns + 20) / 2 // of words of two pixels: row 20, column 20
      assert.ok(/^0+$/.test(after.slice(inside, inside + 100).join('')), 'what was covered is black')
      assert.equal(after.slice(-200).join(), before.slice(-200).join(), 'the rest is as it was')
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
