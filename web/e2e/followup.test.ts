// A follow-up visit from the first tap to the verified prescription: patient, coordinator, doctor, pharmacist and a
// stranger, each with a browser of their own, against a running platform.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser } from 'playwright-core'
import { desk, launch, phone, type Someone, shot, someone } from './browser'
import { counts, flowing, throughServer, watchMedia } from './media'
import { address, cast, enterByPhone, enterWorkspace, identityNumber, named, type Person } from './people'

const t = (name: string) => `[data-test=${name}]`
// A sheet of paper, 1x1, white: what is on it does not matter to the platform, a person compares it.
const paper = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8//8/AwAI/AL+X1p9NwAAAABJRU5ErkJggg==',
  'base64',
)

describe('a follow-up visit', { concurrency: 1 }, () => {
  const browsers: Browser[] = []
  const everybody: Someone[] = []
  let people: Person[]
  let patient: Someone
  let coordinator: Someone
  let doctor: Someone
  let pharmacist: Someone
  let visit = ''
  let code = ''

  const join = async (size: typeof phone | typeof desk): Promise<Someone> => {
    const browser = await launch()
    browsers.push(browser)
    const one = await someone(browser, size)
    one.page.setDefaultTimeout(20_000)
    await watchMedia(one.context)
    everybody.push(one)
    return one
  }

  before(async () => {
    people = await cast()
    patient = await join(phone)
    coordinator = await join(desk)
    doctor = await join(desk)
    pharmacist = await join(desk)
  })
  after(async () => {
    await Promise.all(browsers.map((browser) => browser.close()))
  })

  it('the patient signs in by phone and enters the real name', async () => {
    const { page } = patient
    await page.goto(address())
    await shot(page, 'followup/01-signin')
    await enterByPhone(page, `139${String(Math.floor(Math.random() * 1e8)).padStart(8, '0')}`)
    await page.click(t('register'))
    await page.fill('input[name=name]', '何桂兰')
    await page.fill('input[name=id_no]', '130534195803020024')
    await page.click('button[type=submit]')
    await page.waitForSelector('.field.wrong')
    await page.fill('input[name=id_no]', identityNumber('1958-03-02', 'F'))
    await shot(page, 'followup/02-real-name')
    await page.click('button[type=submit]')
    await page.waitForSelector(t('flags-none'))
    await shot(page, 'followup/03-red-flags')
  })

  it('a first visit without an exception is refused, with rule, reason and ways out', async () => {
    const { page } = patient
    await page.click(t('flags-none'))
    await page.click(t('kind-first_visit'))
    await page.click(t('illness-I10'))
    await page.click(t('severity-mild'))
    await page.check(t('consent-care'))
    await page.check(t('consent-data'))
    await page.click(t('consent-go'))
    await page.waitForSelector(t('verdict'))
    assert.equal(await page.getAttribute(t('verdict'), 'data-verdict'), 'REDIRECT_OFFLINE')
    assert.match((await page.textContent('details')) ?? '', /VIS-11/)
    assert.ok((await page.locator('a[href^="tel:"]').count()) >= 2, 'a hospital to ring')
    await page.click('details summary')
    await shot(page, 'followup/04-refused', true)
  })

  it('with the record of a hospital the answer waits for the check, then allows', async () => {
    const { page } = patient
    await page.goto(`${address()}/book/kind`)
    await page.click(t('kind-follow_up'))
    await page.click(t('illness-I10'))
    await page.setInputFiles('input[type=file]', { name: '门诊病历.png', mimeType: 'image/png', buffer: paper })
    await page.fill('input[name=institution_name]', '永宁县人民医院')
    await page.fill('input[name=dx_date]', new Date(Date.now() - 90 * 86_400_000).toISOString().slice(0, 10))
    await shot(page, 'followup/05-proof', true)
    await page.click('button[type=submit]')
    await page.fill('textarea[name=complaint]', '头晕三天，药快吃完了')
    await page.click(t('severity-mild'))
    await page.check(t('consent-care'))
    await page.check(t('consent-data'))
    await page.click(t('consent-go'))
    await page.waitForSelector(`${t('verdict')}[data-verdict=REQUIRE]`)
    await shot(page, 'followup/06-waiting-for-check', true)

    await enterWorkspace(coordinator.page, named(people, 'sun'))
    await coordinator.page.locator(t('evidence'), { hasText: '何桂兰' }).first().click()
    await coordinator.page.waitForSelector(`${t('paper')} img`)
    await shot(coordinator.page, 'followup/07-coordinator')
    await coordinator.page.click(t('verify-evidence'))

    await page.waitForSelector(`${t('verdict')}[data-verdict=ALLOW], ${t('verdict')}[data-verdict=ALLOW_COND]`)
    await shot(page, 'followup/08-allowed', true)
  })

  it('the patient books the earliest time', async () => {
    const { page } = patient
    await page.click(t('choose-doctor'))
    await page.locator(t('doctor'), { hasText: '张建国' }).first().click()
    await page.waitForSelector(t('earliest'))
    await shot(page, 'followup/09-times', true)
    await page.click(t('earliest'))
    await page.waitForSelector(t('book'))
    await shot(page, 'followup/10-confirm', true)
    await page.click(t('book'))
    await page.waitForURL(/\/visits\//)
    visit = new URL(page.url()).pathname.split('/').pop() ?? ''
    assert.match(visit, /^[0-9a-f-]{36}$/)
  })

  it('tries the devices and waits with a place in line', async () => {
    const { page } = patient
    await page.click(t('try-devices'))
    await page.waitForSelector(t('check-in'))
    await page.waitForTimeout(800)
    await shot(page, 'followup/11-devices', true)
    await page.click(t('check-in'))
    await page.waitForSelector(t('place'))
    await page.waitForTimeout(500)
    await shot(page, 'followup/12-waiting', true)
    const before = await counts(page)
    assert.deepEqual([before.framesSent, before.framesDecoded], [0, 0], 'nothing flows before the doctor admits')
  })

  it('the doctor admits with one key and both see and hear each other through the server', async () => {
    const { page } = doctor
    await enterWorkspace(page, named(people, 'zhang'))
    await page.waitForSelector(`a[href="/work/visits/${visit}"][data-state=checked_in]`)
    await page.click(`a[href="/work/visits/${visit}"]`)
    await page.waitForSelector(t('chart'))
    await shot(page, 'followup/13-doctor-before')
    await page.click(t('admit'))
    await page.waitForSelector(`${t('stage')}[data-phase=live] video`)
    await patient.page.waitForSelector(`${t('call')}[data-phase=live] video`)
    const [seen, heard] = await Promise.all([
      flowing(page, { frames: 60, energy: 0 }),
      flowing(patient.page, { frames: 60, energy: 0 }),
    ])
    console.log(`doctor: ${JSON.stringify(seen)}\npatient: ${JSON.stringify(heard)}`)
    for (const [who, one] of [
      ['doctor', seen],
      ['patient', heard],
    ] as const) {
      assert.ok(one.framesDecoded >= 60, `${who} decoded ${one.framesDecoded} frames`)
      assert.ok(one.audioEnergy > 0, `${who} heard nothing`)
    }
    assert.ok(throughServer([seen, heard]), 'media goes through the server, never from browser to browser')
    await shot(page, 'followup/14-doctor-call')
    await shot(patient.page, 'followup/15-patient-call')
  })

  it('the doctor writes a coded record and signs what is shown', async () => {
    const { page } = doctor
    await page.fill('input[name=chief_complaint]', '头晕 3 天')
    await page.fill(
      'textarea[name=present_illness]',
      '高血压 8 年，服氨氯地平，近 3 天晨起头晕，家测血压 142/88 mmHg。',
    )
    await page.fill(t('icd10'), 'I10')
    await page.locator('[role=option]').first().click()
    await page.fill('textarea[name=assessment]', '原发性高血压，血压控制欠佳，无急症表现。')
    await page.fill('textarea[name=plan]', '继续服药，低盐饮食，早晚测血压。一个月后复诊。')
    await page.waitForSelector(`${t('record')}[data-state=saved]`)
    await page.click(t('sign-record'))
    await page.waitForSelector(t('canonical'))
    await shot(page, 'followup/16-sign-record')
    await page.fill('dialog input[name=passphrase]', named(people, 'zhang').sign_in.passphrase ?? '')
    await page.click(t('sign'))
    await page.waitForSelector(`${t('record')}[data-signed=true]`)
  })

  it('drafts a prescription, sees the checks and signs', async () => {
    const { page } = doctor
    await page.fill(t('formulary'), '氨氯地平')
    await page.locator('[role=option]').first().click()
    await page.fill('input[name=dose]', '5')
    await page.fill('input[name=quantity]', '28 片')
    await page.waitForSelector(t('alerts'))
    await page.waitForSelector(`${t('prescription')}[data-state=draft]`)
    await shot(page, 'followup/17-prescription')
    await page.click(t('sign-rx'))
    await page.waitForSelector(t('canonical'))
    for (const field of await page.locator('dialog input[name=override]').all())
      await field.fill('已向患者说明，两周后复查。')
    await shot(page, 'followup/18-sign-prescription')
    await page.fill('dialog input[name=passphrase]', named(people, 'zhang').sign_in.passphrase ?? '')
    await page.click(t('sign'))
    await page.waitForSelector(`${t('prescription')}[data-state=signed]`)
  })

  it('the pharmacist checks three things and signs', async () => {
    const { page } = pharmacist
    await enterWorkspace(page, named(people, 'liu'))
    await page.locator(t('to-review'), { hasText: '何桂兰' }).first().click()
    for (const check of ['legality', 'form', 'suitability']) await page.check(t(`check-${check}`))
    await shot(page, 'followup/19-pharmacist')
    await page.click(t('pass'))
    await page.waitForSelector(t('canonical'))
    await page.fill('dialog input[name=passphrase]', named(people, 'liu').sign_in.passphrase ?? '')
    await page.click(t('sign'))
    await page.waitForFunction(() => !document.querySelector('dialog[open]'))
  })

  it('the doctor ends the visit and the patient holds the prescription with its code', async () => {
    await doctor.page.click(t('end-visit'))
    const { page } = patient
    await page.waitForSelector(`${t('rx-card')}[data-state=approved]`)
    await shot(page, 'followup/20-after', true)
    await page.click(t('rx-card'))
    await page.waitForSelector(`${t('rx-state')}[data-state=approved]`)
    await page.waitForFunction(
      (selector) => (document.querySelector<HTMLImageElement>(selector)?.naturalWidth ?? 0) > 0,
      t('qr'),
    )
    await shot(page, 'followup/21-prescription', true)
    code = new URL((await page.getAttribute(t('verify-link'), 'href')) ?? '', address()).hash
    assert.ok(code.length > 100)
  })

  it('anyone verifies the code, and without a line the page says what it does not know', async () => {
    const stranger = await join(phone)
    const { page } = stranger
    await page.goto(`${address()}/verify${code}`)
    await page.waitForSelector(`${t('verified')}[data-result=genuine]`)
    await shot(page, 'followup/22-verified', true)
    await stranger.context.setOffline(true)
    await page.evaluate((hash) => {
      location.hash = `${hash.slice(0, 30)}${hash[30] === 'A' ? 'B' : 'A'}${hash.slice(31)}`
    }, code)
    await page.waitForSelector(`${t('verified')}[data-result=forged]`)
    await page.evaluate((hash) => {
      location.hash = hash
    }, code)
    await page.waitForSelector(`${t('verified')}[data-result="genuine.offline"]`)
    await shot(page, 'followup/23-offline', true)
  })

  it('no page broke or was refused by its own policy on the way', () => {
    assert.deepEqual(
      everybody.flatMap(({ errors }) => errors),
      [],
    )
  })
})
