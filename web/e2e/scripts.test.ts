// Names that are scripts: of a patient and a study as images carry them, of files, in what doctors write. Wherever they are shown
// they are text, on the way from the upload to the report on paper, and nothing of them ever runs.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe } from 'node:test'
import { promisify } from 'node:util'
import { getDocument } from 'pdfjs-dist/legacy/build/pdf.mjs'
import { desk, phone, reading, type Someone } from './browser'
import { ask } from './errands'
import { Journey, t } from './journey'
import { enterByPhone, enterWorkspace, signWith } from './people'
import { slices } from './slices'

const image = '<img src=x onerror=scriptRan()>'
const script = '<script>scriptRan()</script>'
const quote = '"><svg onload=scriptRan()>'

describe('names that are scripts', { concurrency: 1 }, () => {
  const journey = new Journey('scripts')
  let folder = ''
  let county: Someone
  let id = ''
  let study = ''
  after(() => folder && rm(folder, { recursive: true, force: true }))

  const arrive = async (who: string, size: typeof desk | typeof phone | typeof reading) => {
    const one = await journey.join(who, size)
    await one.context.addInitScript(() => {
      Object.assign(globalThis, { scriptRan: () => Object.assign(globalThis, { ran: true }) })
    })
    return one
  }
  /** Each text stands on the page as it was written; no element came of it, nothing ran. */
  const onlyShown = async ({ page }: Someone, ...texts: string[]) => {
    for (const text of texts) await page.getByText(text).first().waitFor()
    const made = await page.evaluate(() => ({
      ran: 'ran' in globalThis,
      elements: document.querySelectorAll('img[src=x], svg[onload]').length,
      scripts: [...document.scripts].filter(({ text }) => text.includes('scriptRan')).length,
    }))
    assert.deepEqual(made, { ran: false, elements: 0, scripts: 0 })
  }

  journey.step('images of such a patient go in, from files with such names', async () => {
    const { house } = journey
    const doctor = journey.person('赵志远')
    folder = await mkdtemp(join(tmpdir(), 'yuanzhen-scripts-'))
    const [slice] = await slices(1)
    const file = join(folder, 'one.dcm')
    const bytes = Buffer.from(slice?.bytes ?? [])
    bytes.write(script) // where PS3.10 leaves 128 bytes free
    await writeFile(file, bytes)
    const values = [`(0010,0010)=${script}`, `(0008,1030)=${quote}`, `(0008,103e)=${image}`]
    await promisify(execFile)('dcmodify', ['-nb', ...values.flatMap((value) => ['-i', value]), file])

    const places = await ask<{ id: string; name: string }[]>(house, doctor, 'GET', '/institutions')
    const [patient] = await ask<{ id: string }[]>(house, doctor, 'POST', '/patients/search', { q: '周' })
    const made = await ask<{ id: string }>(house, doctor, 'POST', '/teleconsults', {
      person_id: patient?.id,
      institution_id: places.find(({ name }) => name === '清河市第一医院')?.id,
      kind: 'imaging',
      department: '放射科',
      question: `${image} 问`,
      summary: `${script} 述`,
      diagnosis: `${quote} 断`,
      urgency: 'urgent',
    })
    id = made.id
    county = await arrive('county', desk)
    const { page } = county
    await enterWorkspace(page, doctor)
    await page.goto(`/staff/cases/${id}`)
    await page.setInputFiles(t('files'), [
      { name: `${image}.dcm`, mimeType: 'application/dicom', buffer: await readFile(file) },
      { name: `${quote}.dcm`, mimeType: 'application/dicom', buffer: Buffer.from('no image') },
    ])
    await page.waitForSelector(`${t('upload')}[data-at=done]`)
    await page.waitForSelector(t('confirm-study'))
    await onlyShown(county, script, quote, `${quote}.dcm`)
    await journey.shot(county, '01-uploaded', true)
    await page.click(t('confirm-study'))
    await page.waitForSelector(t('attached'))
    await onlyShown(county, `${image} 问`, `${script} 述`, `${quote} 断`)
    const [one] = await ask<{ study_uid: string; patient_name: string }[]>(house, doctor, 'GET', '/imaging/studies')
    study = one?.study_uid ?? ''
    assert.equal(one?.patient_name, script)
  })

  journey.step('the bytes are served so that nothing in them can be run', async () => {
    const { session } = journey.person('赵志远')
    const at = `${journey.house.address}/dicomweb/studies/${study}`
    const get = (path: string, Accept: string) =>
      fetch(at + path, { headers: { Authorization: `Bearer ${session}`, Accept } })
    const list = (await (await get('/instances', 'application/dicom+json')).json()) as {
      [tag: string]: { Value?: string[] }
    }[]
    const value = (tag: string) => list[0]?.[tag]?.Value?.[0]
    const path = `/series/${value('0020000E')}/instances/${value('00080018')}`
    const whole = await get(path, 'application/dicom')
    const bytes = Buffer.from(await whole.arrayBuffer())
    assert.equal(whole.status, 200)
    assert.ok(bytes.subarray(0, 128).equals(Buffer.alloc(128)))
    assert.equal(whole.headers.get('content-disposition'), 'attachment')
    for (const [path_, accept] of [
      [path, 'application/dicom'],
      [path, '*/*'],
      [`${path}/metadata`, '*/*'],
      [`${path}/rendered`, '*/*'],
      [`${path}/frames/1`, '*/*'],
      ['', 'application/zip'],
    ] as const) {
      const answer = await get(path_, accept)
      assert.equal(answer.status, 200, path_)
      assert.equal(answer.headers.get('x-content-type-options'), 'nosniff', path_)
      assert.match(answer.headers.get('content-security-policy') ?? '', /sandbox/, path_)
      assert.doesNotMatch(answer.headers.get('content-type') ?? '', /html|xml|script/, path_)
      await answer.arrayBuffer()
    }
    const { page } = county
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.goto(`${at}${path}?accept=application/dicom`).catch(() => {}), // a download ends the visit
    ])
    await download.cancel()
  })

  journey.step('coordinator and expert read them as text, beside the images too', async () => {
    const { house } = journey
    const doctor = journey.person('赵志远')
    const at = `/teleconsults/${id}`
    await ask(house, doctor, 'POST', `${at}/consent`, {
      method: 'paper',
      signed_by: image,
      relation: quote.slice(0, 20),
    })
    await ask(house, doctor, 'POST', `${at}/submit`, {})
    const coordinator = await arrive('coordinator', desk)
    await enterWorkspace(coordinator.page, journey.person('孙丽'))
    await coordinator.page.click('a[href="/staff/board"]')
    await coordinator.page.locator(t('turn-hospital')).locator(t('case'), { hasText: '周大山' }).click()
    await onlyShown(coordinator, `${image} 问`, `${script} 述`, `${quote} 断`)
    await coordinator.page.locator(t('expert'), { hasText: '李明远' }).click()
    await coordinator.page.click(t('hand-over'))
    await coordinator.page.waitForSelector(`${t('case-page')}[data-state=in_progress]`)
    await ask(house, doctor, 'POST', `${at}/invite-patient`, {})
    const expert = await arrive('expert', reading)
    const { page } = expert
    await enterWorkspace(page, journey.person('李明远'))
    await page.goto(`/staff/cases/${id}`)
    await onlyShown(expert, script, quote)
    await page.click(t('read-images'))
    await page.waitForSelector(`${t('viewer')}[data-drawn=true]`)
    await onlyShown(expert, image)
    await page.fill('textarea[name=findings]', `${image} 见`)
    await page.fill('textarea[name=advice]', `${quote} 议`)
    await journey.shot(expert, '02-reading-room')
    await page.click(t('sign-opinion'))
    await page.waitForSelector(t('canonical'))
    await onlyShown(expert)
    await signWith(page, journey.person('李明远'))
    await page.locator(t('canonical')).waitFor({ state: 'detached' })
  })

  journey.step('the decision, its report on paper, and what the patient is shown', async () => {
    const { house } = journey
    const doctor = journey.person('赵志远')
    await ask(house, doctor, 'POST', `/teleconsults/${id}/decision`, {
      adopt: 'full',
      plan: `${script} 治`,
      passphrase: doctor.sign_in.passphrase,
    })
    const { page } = county
    await page.goto(`/staff/cases/${id}`)
    await page.waitForSelector(`${t('opinion')}[data-signed=true]`)
    await onlyShown(county, `${image} 见`, `${quote} 议`, `${script} 治`)
    await journey.shot(county, '03-decided', true)
    const patient = await arrive('patient', phone)
    await enterByPhone(patient.page, journey.person('周大山').sign_in.phone ?? '')
    await patient.page.goto(`/consults/${id}`)
    await patient.page.waitForSelector(`${t('consult')}[data-state=decided]`)
    await onlyShown(patient)
    await journey.shot(patient, '04-patient', true)
    const [report] = await Promise.all([patient.page.waitForEvent('download'), patient.page.click(t('report'))])
    const paper = await getDocument({ data: new Uint8Array(await readFile(await report.path())) }).promise
    assert.equal(await paper.getJSActions(), null)
    let text = ''
    for (let n = 1; n <= paper.numPages; n++) {
      const sheet = await paper.getPage(n)
      for (const item of (await sheet.getTextContent()).items) if ('str' in item) text += item.str
      assert.deepEqual(await sheet.getAnnotations(), [], 'nothing to press')
    }
    const read = text.replace(/\s/g, '')
    for (const part of [`${image}见`, `${quote}议`, `${script}治`])
      assert.ok(read.includes(part.replace(/\s/g, '')), `the report has ${part}: ${read}`)
    await paper.destroy()
  })
})
