// A folder of slices on its way in: held by a button, the page closed in the middle, the same folder chosen again, and at
// the end a signed receipt that names every slice. Then a zip with a cine on a phone, and a link that shows the study to
// a stranger until it is revoked.
import assert from 'node:assert/strict'
import { createHash, createPublicKey, verify } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe } from 'node:test'
import type { Page } from 'playwright-core'
import { zipped } from './archive'
import { desk, phone, type Someone } from './browser'
import { ask } from './errands'
import { until } from './house'
import { Journey, t } from './journey'
import { overflow, tooSmall, violations } from './judge'
import { enterWorkspace } from './people'
import { cine, type Slice, slices } from './slices'

const many = 100
const sum = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

type Stored = { study_uid: string; instances: number }[]
type Receipt = { study_uid: string; instances: { sop_uid: string; sha256: string }[] }

/** The photo as a telephone held upright takes it: turned a quarter in its Exif, with where it was taken. */
function lyingDown(jpeg: Buffer): Buffer {
  const tiff = Buffer.alloc(8 + 2 + 2 * 12 + 4 + 2 + 12 + 4)
  tiff.write('II*\0', 'latin1')
  tiff.writeUInt32LE(8, 4)
  tiff.writeUInt16LE(2, 8)
  const row = (at: number, tag: number, type: number, count: number, value: number) => {
    tiff.writeUInt16LE(tag, at)
    tiff.writeUInt16LE(type, at + 2)
    tiff.writeUInt32LE(count, at + 4)
    tiff.writeUInt32LE(value, at + 8)
  }
  row(10, 0x0112, 3, 1, 6) // Orientation: turn right
  row(22, 0x8825, 4, 1, 38) // GPS
  tiff.writeUInt16LE(1, 38)
  row(40, 0x0001, 2, 2, 0x4e) // north
  const head = Buffer.alloc(4)
  head.writeUInt16BE(0xffe1)
  head.writeUInt16BE(2 + 6 + tiff.length, 2)
  return Buffer.concat([jpeg.subarray(0, 2), head, Buffer.from('Exif\0\0', 'latin1'), tiff, jpeg.subarray(2)])
}

describe('an upload', { concurrency: 1 }, () => {
  const journey = new Journey('upload')
  let all: Slice[]
  let folder = ''
  let county: Someone
  let one = ''
  let arrived = 0
  let stranger: Someone
  let shared = ''
  const requests = { stow: 0, patch: 0 }
  after(() => rm(folder, { recursive: true, force: true }))

  const stored = async () =>
    (await ask<Stored>(journey.house, journey.person('赵志远'), 'GET', '/imaging/studies')).reduce(
      (total, { instances }) => total + instances,
      0,
    )
  /** Counts what goes out; `line` may keep a request back, or lose it. */
  const watch = async (page: Page, line: (n: number) => Promise<'up' | 'down'> = async () => 'up') => {
    await page.route(/\/dicomweb\/studies(\?|$)/, async (route) => {
      const state = await line(requests.stow + 1)
      if (state === 'up') requests.stow++
      await (state === 'up' ? route.continue() : route.abort()).catch(() => {}) // the page may be gone
    })
    await page.route(/\/imaging\/uploads\/[0-9a-f-]{36}$/, async (route) => {
      if (route.request().method() === 'PATCH') requests.patch++
      await route.continue().catch(() => {})
    })
  }
  const open = async (page: Page) => {
    await page.goto(`/staff/cases/${one}`)
    await page.waitForSelector(t('upload'))
  }

  journey.step('a folder of 100 slices, beside them a torn one, one with a number taken, and a text', async () => {
    const doctor = journey.person('赵志远')
    all = await slices(many + 2)
    folder = await mkdtemp(join(tmpdir(), 'yuanzhen-folder-'))
    await mkdir(join(folder, 'CT'))
    for (const [n, slice] of all.entries())
      await writeFile(join(folder, 'CT', `IM${n + 1}`), n === many ? slice.bytes.subarray(0, 300_000) : slice.bytes)
    await writeFile(join(folder, 'READ.ME'), 'no image')
    const taken = Buffer.from(all[many + 1]?.bytes ?? [])
    taken.writeInt16LE(7, taken.length - 2)
    const body = Buffer.concat([
      Buffer.from('--yz\r\nContent-Type: application/dicom\r\n\r\n'),
      taken,
      Buffer.from('\r\n--yz--\r\n'),
    ])
    const first = await fetch(`${journey.house.address}/dicomweb/studies`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${doctor.session}`,
        'Content-Type': 'multipart/related; type="application/dicom"; boundary=yz',
      },
      body,
    })
    assert.equal(first.status, 200)
    const [patient] = await ask<{ id: string }[]>(journey.house, doctor, 'POST', '/patients/search', { q: '周' })
    const made = await ask<{ id: string }>(journey.house, doctor, 'POST', '/teleconsults', {
      person_id: patient?.id,
      department: '放射科',
      question: '右上叶结节是什么性质？',
      summary: '58 岁男，咳嗽 3 周。',
      diagnosis: '肺结节',
      urgency: 'routine',
    })
    one = made.id
  })

  journey.step('says how far each study is, stops at a press and goes on at another', async () => {
    county = await journey.join('county', desk)
    const { page } = county
    await enterWorkspace(page, journey.person('赵志远'))
    let letGo = () => {}
    const looked = new Promise<void>((done) => {
      letGo = done
    })
    await watch(page, async (n) => {
      if (n === 21) await looked
      return n <= 60 ? 'up' : 'down'
    })
    await open(page)
    await page.setInputFiles(t('folder'), folder)
    // A folder has no order: the torn slice may be among the first, and is counted as none.
    const said = async (words: string) => {
      const told = page.locator(t('progress'), { hasText: new RegExp(`${words}\\d+/${many + 2} 张`) })
      await told.waitFor()
      return Number(/(\d+)\/102 张/.exec((await told.textContent()) ?? '')?.[1])
    }
    await until('20 requests are answered', async () => requests.stow === 20)
    const first = await said('已传 ')
    assert.ok(first >= 18 && first <= 20, `${first} of 20, the last perhaps on its way`)
    assert.match((await page.textContent(t('study-progress'))) ?? '', /^CT \d{4}-\d\d-\d\d(18|19|20)\/102 张，还要/)
    await journey.shot(county, '01-sending')
    await page.click(t('pause'))
    letGo()
    await until('the one under way is stored', async () => (await stored()) >= first + 1)
    const held = await said('已暂停，传了 ')
    assert.equal(requests.stow, 21, 'what was under way arrived, nothing more went out')
    await journey.shot(county, '02-paused')
    await page.locator(t('pause'), { hasText: '继续' }).press('Enter')
    arrived = await said('断了。已传 ')
    await journey.shot(county, '03-cut-off')
    assert.ok(arrived > held && arrived >= 59, `${arrived} of 60`)
  })

  journey.step(
    'the page is closed in the middle; coming back says so, and the same folder goes on from there',
    async () => {
      assert.equal(await stored(), arrived + 1, 'with the one from before')
      await county.page.close()
      county.page = await county.context.newPage()
      const { page } = county
      page.setDefaultTimeout(30_000)
      await watch(page)
      const before = requests.stow
      await open(page)
      await page.locator(t('broken-off'), { hasText: `${arrived}/${many + 2} 张已经到了` }).waitFor()
      await journey.shot(county, '04-broken-off')
      await page.setInputFiles(t('folder'), folder)
      await page.waitForSelector(`${t('upload')}[data-at=done]`, { timeout: 120_000 })
      assert.equal(requests.stow - before, many - arrived + 1, 'what is missing and the torn one, nothing twice')
      const progress = (await page.textContent(t('progress'))) ?? ''
      assert.ok(progress.includes(`已收齐 100 张，和原件一致。 其中 ${arrived} 张以前就到了，不重传。`), progress)
      assert.equal(await page.locator(t('broken-off')).count(), 0)
    },
  )

  journey.step('what was not taken is listed with its reason, the rest is kept', async () => {
    const { page } = county
    const refused = (await page.textContent(t('refused-files'))) ?? ''
    assert.match(refused, /3 个文件没收/)
    assert.match(refused, /READ\.ME：不是 DICOM 文件/)
    assert.match(refused, /IM101：没有收 文件不完整/)
    assert.match(refused, /IM102：和已有影像编号相同、内容不同/)
    assert.equal(await stored(), many + 1)
  })

  journey.step('the receipt names every slice with its digest and holds against the published key', async () => {
    const { page } = county
    await page.waitForSelector(`${t('receipt')}[data-proof=good][data-lacking="0"]`)
    await page.locator(t('receipt')).scrollIntoViewIfNeeded()
    await journey.shot(county, '05-receipt', true)
    const [download] = await Promise.all([page.waitForEvent('download'), page.click(t('save-receipt'))])
    assert.match(download.suggestedFilename(), /^receipt-[0-9.]+\.json$/)
    const file = JSON.parse(await readFile(await download.path(), 'utf8')) as {
      receipt: string
      signature: { sig: string }
    }
    const key = await ask<{ public_key: string }>(
      journey.house,
      journey.person('赵志远'),
      'GET',
      '/imaging/receipt-key',
    )
    const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(key.public_key, 'base64')])
    assert.ok(
      verify(
        null,
        Buffer.from(file.receipt),
        createPublicKey({ key: spki, format: 'der', type: 'spki' }),
        Buffer.from(file.signature.sig, 'base64'),
      ),
    )
    const receipt = JSON.parse(file.receipt) as Receipt
    const digests = new Map(receipt.instances.map(({ sop_uid, sha256 }) => [sop_uid, sha256]))
    for (const { sop, bytes } of all.slice(0, many)) assert.equal(digests.get(sop), sum(bytes), sop)
    assert.deepEqual(await violations(page), [])
    const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))
    assert.doesNotMatch(kept, /周大山|yz\.upload/, 'nothing of it stays in the browser')
  })

  journey.step('a zip with a cine of 21 MB goes in from a phone; a second choice sends nothing', async () => {
    const someone = await journey.join('phone', phone)
    const { page } = someone
    await enterWorkspace(page, journey.person('赵志远'))
    await watch(page)
    await open(page)
    const film = await cine()
    const archive = zipped([
      { name: '片子/IM1', data: all[0]?.bytes ?? Buffer.alloc(0) },
      { name: '片子/CINE', data: film.bytes },
    ])
    const stow = requests.stow
    const choose = () =>
      page.setInputFiles(t('files'), { name: '片子.zip', mimeType: 'application/zip', buffer: archive })
    await choose()
    await page.waitForSelector(`${t('upload')}[data-at=done]`, { timeout: 120_000 })
    await page.waitForSelector(`${t('receipt')}[data-proof=good][data-lacking="0"]`)
    assert.equal(requests.stow, stow, 'the slice was there')
    assert.ok(requests.patch >= 2, 'the cine went in parts')
    assert.equal(await stored(), many + 2)
    assert.equal(await overflow(page), 0)
    assert.deepEqual(await tooSmall(page, 24), [])
    await page.locator(t('upload')).scrollIntoViewIfNeeded()
    await journey.shot(someone, '06-phone', true)
    const patches = requests.patch
    await choose()
    await page
      .locator(t('progress'), { hasText: '已收齐 2 张，和原件一致。 其中 2 张以前就到了，不重传。' })
      .waitFor({ timeout: 120_000 })
    assert.equal(requests.patch, patches)
    await page.locator('.deskbar').getByText('English').click()
    await page.locator(t('progress'), { hasText: 'All 2 received' }).waitFor()
    await journey.shot(someone, '06-phone-english', true)
  })

  journey.step('a photo goes in upright and without its place, a PDF as it is', async () => {
    const someone = await journey.join('camera', phone)
    const { page } = someone
    await enterWorkspace(page, journey.person('赵志远'))
    await open(page)
    const paper = await someone.context.newPage()
    await paper.setContent('<body style="margin:0;width:320px;height:160px;background:#345">片</body>')
    const shot = await paper.screenshot({ type: 'jpeg', scale: 'css', clip: { x: 0, y: 0, width: 320, height: 160 } })
    await paper.close()
    await page.setInputFiles(t('files'), [
      { name: 'IMG_1.jpg', mimeType: 'image/jpeg', buffer: lyingDown(shot) },
      { name: '报告.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.4\n1 0 obj<<>>endobj\n%%EOF') },
      { name: '坏.jpg', mimeType: 'image/jpeg', buffer: shot.subarray(0, 20) },
    ])
    await page.waitForSelector(`${t('upload')}[data-at=done]`, { timeout: 120_000 })
    await page.locator(t('progress'), { hasText: '已收齐 2 张' }).waitFor()
    await page.locator(t('refused-files'), { hasText: '坏.jpg：这种照片打不开' }).waitFor()
    await page.waitForSelector(`${t('receipt')}[data-proof=good][data-lacking="0"]`)
    await journey.shot(someone, '07-photo', true)
    const doctor = journey.person('赵志远')
    const found = await ask<{ study_uid: string; patient_name: string; modalities: string[] }[]>(
      journey.house,
      doctor,
      'GET',
      '/imaging/studies',
    )
    const study = found.find(({ modalities }) => modalities.includes('XC'))
    assert.match(study?.patient_name ?? '', /周大山/)
    type Items = { [tag: string]: { Value?: unknown[] } }
    const { body } = await journey.house.call(doctor.session, 'GET', `/dicomweb/studies/${study?.study_uid}/metadata`)
    const photo = (body as Items[]).find((item) => item['00080060']?.Value?.[0] === 'XC')
    assert.deepEqual([photo?.['00280010']?.Value?.[0], photo?.['00280011']?.Value?.[0]], [320, 160], 'upright')
    const whole = await fetch(`${journey.house.address}/dicomweb/studies/${study?.study_uid}`, {
      headers: { Authorization: `Bearer ${doctor.session}` },
    })
    const bytes = Buffer.from(await whole.arrayBuffer())
    assert.ok(bytes.includes('%PDF-1.4'))
    assert.ok(!bytes.includes('Exif'), 'what the camera wrote beside the pixels is gone')
  })

  journey.step(
    'a hospital without room says whom to ask; the upload waits and goes on when there is some',
    async () => {
      const admin = await journey.join('administrator', desk)
      const chief = journey.person('周莉')
      type Holding = { institution_id: string; bytes: number }
      const [holding] = await ask<Holding[]>(journey.house, chief, 'GET', '/imaging/holdings')
      const more = await slices(many + 8)
      const [one_file] = more.slice(-1)
      // Room for two more slices, and a little.
      const quota = (holding?.bytes ?? 0) + 2.5 * (one_file?.bytes.length ?? 0)
      await ask(journey.house, chief, 'PUT', `/imaging/holdings/${holding?.institution_id}`, {
        quota: Math.round(quota),
      })
      const before = await stored()
      const { page } = county
      await page.reload()
      await page.waitForSelector(t('upload'))
      const late = await mkdtemp(join(tmpdir(), 'yuanzhen-late-'))
      try {
        for (const [n, { bytes }] of more.slice(many + 2).entries()) await writeFile(join(late, `IM${n}`), bytes)
        await page.setInputFiles(t('folder'), late)
        await page.waitForSelector(`${t('upload')}[data-at=full][data-paused=true]`)
        const told = (await page.textContent(t('no-room'))) ?? ''
        assert.match(told, /影像空间满了，先停在这里。已传 2\/6 张都在。/)
        assert.match(told, /请医院管理员在“影像空间”调大上限/)
        assert.equal(await stored(), before + 2)
        assert.equal(await page.locator(t('refused-files')).count(), 0, 'nothing is given up')
        assert.deepEqual(await violations(page), [])
        await page.locator(t('no-room')).scrollIntoViewIfNeeded()
        await journey.shot(county, '08-no-room')
        await page.click(t('pause'))
        await page.waitForSelector(`${t('upload')}[data-at=full][data-paused=true]`)
        assert.equal(await stored(), before + 2, 'pressed too early it waits again')

        await enterWorkspace(admin.page, chief)
        await admin.page.goto('/staff/images')
        await admin.page.getByLabel('新上限').fill('50')
        await admin.page.locator(t('set-quota')).click()
        await admin.page.getByText('上限 50 GB').waitFor()
        await page.waitForSelector(`${t('upload')}[data-at=done]`, { timeout: 120_000 }) // by itself
        await page.locator(t('progress'), { hasText: '已收齐 6 张，和原件一致。' }).waitFor()
        assert.equal(await stored(), before + 6)
        assert.equal(await page.locator(t('no-room')).count(), 0)
      } finally {
        await rm(late, { recursive: true, force: true })
      }
    },
  )

  journey.step('a share link is shown once, and shows a stranger this one study', async () => {
    const { page } = county
    await county.context.grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.reload()
    await page.locator(t('confirm-study')).first().click()
    await page.waitForSelector(t('attached'))
    await page.click(t('share-links'))
    await page.click(t('make-link'))
    const address = await page.locator('#fresh-link').inputValue()
    assert.match(address, /\/shared#[A-Z2-7]{26}$/)
    await page.click(t('copy-link'))
    await page.getByText('已复制').waitFor()
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), address)
    assert.deepEqual(await violations(page), [])
    await journey.shot(county, '09-link-made')

    stranger = await journey.join('stranger', phone)
    await stranger.page.goto(address)
    await stranger.page.waitForSelector(t('open-shared'))
    await journey.shot(stranger, '10-stranger-before')
    assert.deepEqual(await violations(stranger.page), [])
    await stranger.page.click(t('open-shared'))
    await stranger.page.waitForSelector(`${t('viewer')}[data-drawn=true]`, { timeout: 120_000 })
    assert.equal(new URL(stranger.page.url()).hash, '', 'the secret is gone from the address')
    assert.equal(await overflow(stranger.page), 0)
    await journey.shot(stranger, '11-stranger-looks')
    const kept = await stranger.page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))
    assert.doesNotMatch(kept, new RegExp(`${new URL(address).hash.slice(1)}|token`, 'i'))

    await page.getByRole('button', { name: '关闭' }).click()
    await page.click(t('share-links'))
    await page.locator(`${t('link')}[data-state=lives]`, { hasText: '打开过 1/5 次' }).waitFor()
    assert.equal(await page.locator('#fresh-link').count(), 0, 'it is not shown again')
    shared = address
  })

  journey.step('revoked, it is over at once: for who looks and for who comes', async () => {
    await county.page.click(t('revoke-link'))
    await county.page.waitForSelector(`${t('link')}[data-state=revoked]`)
    await journey.shot(county, '12-revoked')
    const { page } = stranger
    await page.locator('.slider input[type=range]').evaluate((input: HTMLInputElement) => {
      input.value = '1'
      input.dispatchEvent(new Event('input', { bubbles: true }))
    })
    await page.waitForSelector(t('link-over'))
    assert.equal(await page.locator('canvas').count(), 0, 'no image is left on the page')
    await journey.shot(stranger, '13-stranger-after')
    await page.goto('about:blank')
    await page.goto(shared)
    await page.click(t('open-shared'))
    await page.locator('[role=alert]', { hasText: '这个链接已失效、用完或抄错了。' }).waitFor()
    await journey.shot(stranger, '14-stranger-again')
  })
})
