// A hard stop that needs a second person, a returned and amended prescription, pharmacies that compete for one code,
// and a verification page that opens without a line.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { describe } from 'node:test'
import { desk, phone, type Someone, shots } from './browser'
import { ask, book, checkIn } from './errands'
import { Journey, t } from './journey'
import { overflow, violations } from './judge'
import { enterByPhone, enterWorkspace, signWith } from './people'

type Rx = { id: string; sha256: string; state: string; version: number; evidence_code?: string }

describe('a prescription on its way', { concurrency: 1 }, () => {
  const journey = new Journey('prescribe')
  let doctor: Someone
  let pharmacist: Someone
  let patient: Someone
  let counter: Someone
  let visit = ''
  let code = ''
  let proof = '' // the file that the patient kept

  const say = async () => {
    const { page } = pharmacist
    await page.locator(t('to-second')).first().click()
    await page.waitForSelector(t('canonical'))
    await page.fill('textarea[name=second_reason]', '已停用硝酸酯 48 小时，心内科会诊同意。')
    await journey.shot(pharmacist, '02-second')
    await signWith(page, journey.person('刘芳'))
    await doctor.page.waitForSelector(`${t('second')}[data-agrees=true]`)
  }

  journey.step('a hard stop can not be signed by its prescriber alone', async () => {
    const [zhang, wang] = [journey.person('张建国'), journey.person('王秀英')]
    visit = await book(journey.house, wang, journey.person('孙丽'))
    await checkIn(journey.house, wang, visit)
    await ask(journey.house, zhang, 'POST', `/visits/${visit}/admit`)
    const line = { route: 'po', form: 'tab', unit: 'mg', days: 7, provenance: 'typed' }
    await ask<Rx>(journey.house, zhang, 'POST', `/visits/${visit}/prescriptions`, {
      type: 'general',
      diagnosis: ['I10.x00'],
      items: [
        { line: 1, ingredient: 'isosorbide_mononitrate', dose: '20', per_day: 2, ...line },
        { line: 2, ingredient: 'sildenafil', dose: '25', per_day: 1, ...line },
      ],
    })
    doctor = await journey.join('doctor', desk)
    await enterWorkspace(doctor.page, zhang)
    await doctor.page.goto(`/staff/visits/${visit}`)
    await doctor.page.waitForSelector(`${t('alerts')} .hard_stop`)
    assert.ok(await doctor.page.isDisabled(t('sign-rx')), 'no signature over a hard stop')
    await journey.shot(doctor, '01-hard-stop')
    await doctor.page.click(t('ask-second'))
    await doctor.page.waitForSelector(`${t('second')}[data-asked=true]`)
  })

  journey.step('a second person reads it and gives a signed reason; then the doctor signs', async () => {
    pharmacist = await journey.join('pharmacist', desk)
    await enterWorkspace(pharmacist.page, journey.person('刘芳'))
    await pharmacist.page.goto('/staff/review')
    await say()
    await doctor.page.click(t('sign-rx'))
    await signWith(doctor.page, journey.person('张建国'))
    await doctor.page.waitForSelector(`${t('prescription')}[data-state=signed]`)
    await journey.shot(doctor, '03-signed')
  })

  journey.step('the pharmacist returns it; the doctor writes the next version and both stay', async () => {
    const { page } = pharmacist
    await page.locator(t('to-review')).first().click()
    await page.click(t('return'))
    await page.fill('textarea[name=note]', '硝酸酯请改每天一次。')
    await page.fill('dialog input[name=passphrase]', journey.person('刘芳').sign_in.passphrase ?? '')
    await page.click(t('send-back'))
    await doctor.page.waitForSelector(`${t('prescription')}[data-state=returned]`)
    await journey.shot(doctor, '04-returned')
    const zhang = journey.person('张建国')
    const [old] = await ask<Rx[]>(journey.house, zhang, 'GET', `/prescriptions?person_id=${await person()}`)
    assert.ok(old)
    const { items } = await ask<{ items: { per_day: number }[] }>(
      journey.house,
      zhang,
      'GET',
      `/prescriptions/${old.id}`,
    )
    if (items[0]) items[0].per_day = 1
    await ask(journey.house, zhang, 'PUT', `/prescriptions/${old.id}`, {
      type: 'general',
      diagnosis: ['I10.x00'],
      items: items.map((item) => ({ ...item, name: undefined })),
    })
    const versions = await ask<Rx[]>(journey.house, zhang, 'GET', `/prescriptions?person_id=${await person()}`)
    assert.deepEqual(versions.map(({ version, state }) => [version, state]).slice(0, 2), [
      [2, 'draft'],
      [1, 'returned'],
    ])
    await doctor.page.reload()
    await doctor.page.click(t('ask-second'))
    await say()
    await doctor.page.click(t('sign-rx'))
    await signWith(doctor.page, zhang)
    await page.locator(t('to-review')).first().click()
    for (const check of ['legality', 'form', 'suitability']) await page.check(t(`check-${check}`))
    await page.click(t('pass'))
    await signWith(page, journey.person('刘芳'))
    await doctor.page.waitForSelector(`${t('prescription')}[data-state=approved]`)
  })

  const person = async () =>
    (await ask<{ persons: { id: string }[] }>(journey.house, journey.person('王秀英'), 'GET', '/me')).persons[0]?.id ??
    ''

  journey.step('the patient sees the pharmacies and shows a code', async () => {
    patient = await journey.join('patient', phone)
    const { page } = patient
    await enterByPhone(page, '13800000021')
    await page.goto('/prescriptions')
    await page
      .locator(`${t('rx-card')}[data-state=approved]`)
      .first()
      .click()
    await page.waitForSelector(t('shop'))
    await page.click(t('show-code'))
    code = (await page.textContent(t('claim-code'))) ?? ''
    await journey.shot(patient, '05-collect', true)
    const wide = await page.evaluate(() => document.documentElement.scrollWidth)
    assert.ok(wide <= 360, `${wide} px wide`)
    await page.emulateMedia({ media: 'print' })
    await journey.shot(patient, '06-print', true)
    await page.emulateMedia({ media: 'screen' })
  })

  journey.step('the patient prints the prescription and keeps the file that proves it', async () => {
    const { page } = patient
    const href = (await page.getAttribute(t('sheet'), 'href')) ?? ''
    const sheet = await page.request.get(href)
    assert.equal(sheet.headers()['content-type'], 'application/pdf')
    await writeFile(`${shots}/prescribe-sheet.pdf`, await sheet.body())
    const [saved] = await Promise.all([page.waitForEvent('download'), page.click(t('proof'))])
    assert.match(saved.suggestedFilename(), /^RX.*\.proof\.json$/)
    proof = await readFile(await saved.path(), 'utf8')
    await page.waitForSelector(`${t('proved')}[data-holds=true]`)
    await page.locator(t('paper-and-proof')).scrollIntoViewIfNeeded()
    await journey.shot(patient, '06-proof')
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360)
  })

  journey.step('one pharmacy claims; the next is refused and told who was first; lines are handed over', async () => {
    counter = await journey.join('counter', desk)
    const { page } = counter
    await enterWorkspace(page, journey.person('马兰'))
    await page.goto('/staff/counter')
    await page.fill('input[name=code]', code)
    await page.click(t('claim'))
    await page.waitForSelector(t('claim-held'))
    const held = await page.request.get((await page.getAttribute(t('sheet'), 'href')) ?? '')
    assert.equal(held.headers()['content-type'], 'application/pdf')
    await Promise.all([page.waitForEvent('download'), page.click(t('proof'))])
    await page.waitForSelector(`${t('proved')}[data-holds=true]`)
    const other = await journey.join('other', desk)
    await enterWorkspace(other.page, journey.person('秦越'))
    await other.page.goto('/staff/counter')
    await other.page.fill('input[name=code]', code)
    await other.page.click(t('claim'))
    await other.page.locator(t('claim-problem'), { hasText: '康民大药房' }).waitFor()
    await journey.shot(other, '07-second-claim-refused')
    for (const line of [1, 2]) {
      await page.check(t(`take-${line}`))
      await page
        .locator('input[name=lot]')
        .nth(line - 1)
        .fill(`L2026${line}`)
      await page
        .locator('input[name=trace]')
        .nth(line - 1)
        .fill(`8100000000000000000${line}`)
    }
    await page.check(t('counselled'))
    await journey.shot(counter, '08-dispense', true)
    await page.click(t('dispense'))
    await page.waitForSelector(t('handed'))
    await patient.page.waitForSelector(`${t('rx-state')}[data-state=dispensed]`)
    await journey.shot(patient, '09-collected', true)
  })

  journey.step('with the network cut the page still opens, proves the signature and never says unused', async () => {
    const stranger = await journey.join('stranger', phone)
    const { page } = stranger
    const [rx] = await ask<Rx[]>(
      journey.house,
      journey.person('王秀英'),
      'GET',
      `/prescriptions?person_id=${await person()}`,
    )
    await page.goto(`/verify#${rx?.evidence_code}`)
    await page.waitForSelector(`${t('verified')}[data-result=used]`)
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
    await stranger.context.setOffline(true)
    await page.goto(`/verify?again#${rx?.evidence_code}`)
    await page.waitForSelector(`${t('verified')}[data-result="genuine.offline"]`)
    assert.match((await page.textContent('.lead')) ?? '', /不知用没用过/)
    await journey.shot(stranger, '10-offline', true)
    assert.equal(await overflow(page), 0)
  })

  journey.step(
    'the proof file is checked whole; one changed byte is named; without a line nothing is claimed',
    async () => {
      const stranger = await journey.join('file', phone)
      const { page } = stranger
      const choose = (text: string) =>
        page.setInputFiles('input[name=proof]', {
          name: 'RX.proof.json',
          mimeType: 'application/json',
          buffer: Buffer.from(text),
        })
      const answer = async (result: string, faults: RegExp) => {
        await page.waitForSelector(`${t('verified')}[data-result=${result}]`)
        assert.match((await page.getAttribute(t('proof'), 'data-faults')) ?? '', faults)
      }
      await page.goto('/verify')
      await journey.shot(stranger, '10-file')
      await choose(proof)
      await answer('used', /^0$/)
      assert.deepEqual(await violations(page), [])
      await journey.shot(stranger, '10-file-used', true)
      await page.getByRole('button', { name: '再验一张' }).click()
      await choose(proof.replace('tablet', 'tab1et').replace('isosorbide', 'isosorb1de'))
      await answer('forged', /^[1-9]/)
      await journey.shot(stranger, '10-file-forged', true)
      await page.getByRole('button', { name: '再验一张' }).click()
      await choose('a letter')
      await page.waitForSelector('.notice')
      await journey.shot(stranger, '10-file-none', true)
      await page.reload()
      await page.waitForSelector('input[name=proof]')
      await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
      await stranger.context.setOffline(true)
      await choose(proof)
      await page.waitForSelector('.notice')
      assert.equal(await page.locator(t('verified')).count(), 0, 'no verdict without a line')
      assert.deepEqual(await violations(page), [])
      assert.equal(await overflow(page), 0)
      await journey.shot(stranger, '10-file-offline', true)
    },
  )

  journey.step('administrators see the registry and the figures', async () => {
    const admin = await journey.join('admin', desk)
    await enterWorkspace(admin.page, journey.person('钱进'))
    await admin.page.goto('/staff/pharmacies')
    await admin.page.waitForSelector(t('pharmacy'))
    await admin.page.waitForSelector(`${t('quality')} dl`)
    await journey.shot(admin, '11-registry', true)
  })

  journey.step('doctor and hospital renew their certificates; what was signed before stands', async () => {
    const zhang = journey.person('张建国')
    const { page } = doctor
    await page.setViewportSize({ width: 1280, height: 800 })
    await page.goto('/staff/certificates')
    await page.waitForSelector(`${t('certificate')}[data-state=valid]`)
    await page.fill('input[name=current]', 'a guess')
    await page.fill('input[name=fresh]', 'a new secret')
    await page.fill('input[name=again]', 'a new secret')
    await page.click(t('make-certificate'))
    await page.locator(t('my-certificate'), { hasText: '签名口令不对' }).waitFor()
    await page.fill('input[name=current]', zhang.sign_in.passphrase ?? '')
    await page.click(t('make-certificate'))
    await page.locator(`${t('certificate')}[data-state=revoked]`).waitFor({ state: 'attached' })
    assert.deepEqual(await violations(page), [])
    await journey.shot(doctor, '12-certificate', true)

    const admin = await journey.join('sealer', desk)
    await enterWorkspace(admin.page, journey.person('钱进'))
    await admin.page.setViewportSize({ width: 1280, height: 800 })
    await admin.page.goto('/staff/certificates')
    const seal = admin.page.locator(`${t('seal')}[data-sealed=true]`).first()
    const serial = await seal.locator('.serial').textContent()
    await seal.locator(t('make-seal')).click()
    await admin.page.waitForFunction(
      ([before, at]) => document.querySelector(`${at} .serial`)?.textContent !== before,
      [serial, t('seal')] as const,
    )
    await seal.locator(t('revoke')).click()
    await admin.page.click(t('end-yes'))
    await admin.page.waitForSelector(`${t('seal')}[data-sealed=false]`)
    await journey.shot(admin, '13-seals')
    await admin.page
      .locator(`${t('seal')}[data-sealed=false] ${t('make-seal')}`)
      .first()
      .click()
    await seal.waitFor()
    assert.deepEqual(await violations(admin.page), [])
    await admin.page.setViewportSize({ width: 360, height: 640 })
    assert.equal(await overflow(admin.page), 0)
    await journey.shot(admin, '14-seals-360')

    await patient.page.reload()
    await Promise.all([patient.page.waitForEvent('download'), patient.page.click(t('proof'))])
    await patient.page.waitForSelector(`${t('proved')}[data-holds=true]`)
  })
})
