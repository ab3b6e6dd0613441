// A pharmacy enters the registry with its papers, is approved by two who did not apply, rechecked, and suspended; and a
// local document lets doctors write ninety days once another administrator has read it.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { Locator, Page } from 'playwright-core'
import { desk, phone, type Someone } from './browser'
import { ask, book, checkIn, sheet } from './errands'
import { Journey, t } from './journey'
import { overflow, violations } from './judge'
import { enterByPhone, enterWorkspace } from './people'

type Shop = { id: string; name: string }

const day = (inDays: number) => new Date(Date.now() + inDays * 86_400_000).toISOString().slice(0, 10)

describe('papers that two administrators read', { concurrency: 1 }, () => {
  const journey = new Journey('registry')
  let applicant: Someone
  let first: Someone
  let doctor: Someone

  const administrator = async (who: string, name: string) => {
    const one = await journey.join(who, desk)
    await enterWorkspace(one.page, journey.person(name))
    await one.page.goto('/staff/pharmacies')
    await one.page.waitForSelector(t('pharmacy'))
    return one
  }
  const fill = async (page: Page, values: Record<string, string>) => {
    for (const [name, value] of Object.entries(values)) await page.fill(`form input[name=${name}]`, value)
  }
  const scan = async (page: Page, name: string) => {
    const buffer = await sheet(applicant, '海棠药房')
    await page.setInputFiles(`input[name=${name}]`, { name: `${name}.png`, mimeType: 'image/png', buffer })
    await page.waitForSelector(`${t(name)}[data-kept=true]`)
  }
  const shop = (page: Page) => page.locator(t('pharmacy'), { hasText: '海棠药房' })
  const inState = (page: Page, state: string) =>
    page.locator(`${t('pharmacy')}[data-state=${state}]`, { hasText: '海棠药房' }).waitFor()
  const narrow = async (one: Someone, name: string, at?: Locator) => {
    await one.page.setViewportSize({ width: 360, height: 640 })
    assert.equal(await overflow(one.page), 0, `${name} is wider than 360 px`)
    await at?.scrollIntoViewIfNeeded()
    await journey.shot(one, name, at === undefined)
    await one.page.setViewportSize(desk.viewport)
  }

  journey.step('an administrator enters a pharmacy with scans of its papers', async () => {
    applicant = await administrator('applicant', '钱进')
    const { page } = applicant
    await page.click(t('add-pharmacy'))
    assert.ok(await page.isDisabled(t('apply')), 'nothing is sent half filled')
    await fill(page, {
      name: '海棠药房',
      code: '91420102MA4KABCD12',
      region: '420102',
      address: '清河市海棠路 8 号',
      phone: '027 8888 0001',
      business_scope: '处方药、非处方药零售',
      licence_no: '鄂DA0279001',
      licence_until: day(700),
      pharmacist: '沈佳',
      pharmacist_no: '421223004567',
      pharmacist_until: day(500),
    })
    await scan(page, 'licence_paper')
    await scan(page, 'pharmacist_paper')
    assert.deepEqual(await violations(page), [])
    await journey.shot(applicant, '01-entering', true)
    await narrow(applicant, '02-entering-360')
    await page.click(t('apply'))
    await inState(page, 'applied')
    await shop(page).locator(t('approve-pharmacy')).click()
    await shop(page).locator('.notice', { hasText: '申请人以外' }).waitFor()
    await journey.shot(applicant, '03-not-by-the-applicant')
  })

  journey.step('two others read the papers and approve; patients see it from then on', async () => {
    first = await administrator('first', '郑岩')
    const paper = shop(first.page).locator(t('paper')).first()
    const read = await first.page.request.get((await paper.getAttribute('href')) ?? '')
    assert.equal(read.headers()['content-type'], 'image/png')
    await shop(first.page).locator(t('approve-pharmacy')).click()
    await shop(first.page).locator('.meta', { hasText: '郑岩、无' }).waitFor()
    assert.equal((await open()).length, 2, 'one approval is not enough')
    const second = await administrator('second', '何静')
    await shop(second.page).locator(t('approve-pharmacy')).click()
    await inState(second.page, 'approved')
    assert.equal((await open()).length, 3)
    await shop(second.page).scrollIntoViewIfNeeded()
    await journey.shot(second, '04-approved')
  })

  const open = () => ask<Shop[]>(journey.house, journey.person('王秀英'), 'GET', '/pharmacies')
  const age = async (days: number) => {
    const list = await ask<Shop[]>(journey.house, journey.person('钱进'), 'GET', '/pharmacies/registry')
    const id = list.find(({ name }) => name === '海棠药房')?.id
    await ask(journey.house, journey.person('钱进'), 'POST', `/demo/pharmacies/${id}/days`, { days })
    await first.page.reload()
  }

  journey.step(
    'after six months the papers are due, after the grace it claims nothing; a recheck brings it back',
    async () => {
      const { page } = first
      await age(190)
      await inState(page, 'due')
      await page.evaluate(() => scrollTo(0, 0))
      await journey.shot(first, '05-due')
      await narrow(first, '06-due-360', shop(page))
      assert.equal((await open()).length, 3, 'within the grace patients still find it')
      await age(40)
      await inState(page, 'unchecked')
      assert.equal((await open()).length, 2)
      await shop(page).scrollIntoViewIfNeeded()
      await journey.shot(first, '07-unchecked')
      await shop(page).locator(t('recheck-pharmacy')).click()
      await shop(page).locator('input[name=note]').fill('许可证、注册证原件都看过，药监局网站也查过')
      assert.deepEqual(await violations(page), [])
      await shop(page).scrollIntoViewIfNeeded()
      await journey.shot(first, '08-recheck')
      await shop(page).locator(t('recheck-send')).click()
      await inState(page, 'approved')
      assert.equal((await open()).length, 3)
    },
  )

  journey.step('patients choose from the list with the day on which papers were read', async () => {
    const patient = await journey.join('patient', phone)
    await enterByPhone(patient.page, '13800000021')
    const list = await patient.page.request.get('/api/v1/pharmacies')
    assert.equal(((await list.json()) as { checked_on: string }[]).filter(({ checked_on }) => checked_on).length, 3)
  })

  journey.step('suspended at once, with the reason', async () => {
    const { page } = first
    await shop(page).locator(t('close-pharmacy')).click()
    await shop(page).locator('input[name=note]').fill('抽查发现无处方售药')
    await shop(page).locator(t('close-send')).click()
    await inState(page, 'suspended')
    assert.equal((await open()).length, 2)
    await shop(page).scrollIntoViewIfNeeded()
    await journey.shot(first, '09-suspended')
  })

  journey.step('ninety days are a hard stop without a local document', async () => {
    const [zhang, wang] = [journey.person('张建国'), journey.person('王秀英')]
    const visit = await book(journey.house, wang, journey.person('孙丽'))
    await checkIn(journey.house, wang, visit)
    await ask(journey.house, zhang, 'POST', `/visits/${visit}/admit`)
    await ask(journey.house, zhang, 'PUT', `/visits/${visit}/record`, {
      chief_complaint: '复诊开药',
      present_illness: '高血压 2 年，血压平稳。',
      assessment: '高血压，控制可。',
      plan: '续药。',
      version: 0,
      diagnoses: [{ icd10: 'I10.x00', name: '特发性（原发性）高血压' }],
    })
    const line = { line: 1, ingredient: 'amlodipine', route: 'po', form: 'tab', dose: '5', unit: 'mg', per_day: 1 }
    await ask(journey.house, zhang, 'POST', `/visits/${visit}/prescriptions`, {
      type: 'long',
      diagnosis: ['I10.x00'],
      days_reason: '病情稳定，行动不便',
      items: [{ ...line, days: 90, provenance: 'typed' }],
    })
    doctor = await journey.join('doctor', desk)
    await enterWorkspace(doctor.page, zhang)
    await doctor.page.goto(`/staff/visits/${visit}`)
    await doctor.page.waitForSelector(`${t('alerts')} .hard_stop`)
    assert.ok(await doctor.page.isDisabled(t('sign-rx')))
    await doctor.page.locator(t('alerts')).scrollIntoViewIfNeeded()
    await journey.shot(doctor, '10-ninety-stopped')
  })

  journey.step('filed by one administrator, read and approved by another, it permits ninety', async () => {
    const { page } = applicant
    await page.reload()
    await page.click(t('add-long-document'))
    await fill(page, {
      title: '关于进一步做好长期处方管理的通知',
      number: '鄂卫发〔2026〕9号',
      issuer: '湖北省卫生健康委员会',
      max_days: '90',
      valid_from: day(-30),
      valid_until: day(300),
    })
    await scan(page, 'sha256')
    const section = page.locator(t('long-documents'))
    assert.deepEqual(await violations(page), [])
    await section.scrollIntoViewIfNeeded()
    await journey.shot(applicant, '11-filing')
    await narrow(applicant, '12-filing-360', section)
    await page.click(t('file-long-document'))
    await page.waitForSelector(`${t('long-document')}[data-state=filed]`)
    await page.click(t('approve-long-document'))
    await page.locator(`${t('long-document')} .notice`, { hasText: '登记人以外' }).waitFor()
    await first.page.reload()
    await first.page.click(t('approve-long-document'))
    await first.page.waitForSelector(`${t('long-document')}[data-state=valid]`)
    await first.page.locator(t('long-document')).scrollIntoViewIfNeeded()
    await journey.shot(first, '13-in-force')
  })

  journey.step('the doctor writes ninety days and lets them be claimed on three', async () => {
    const { page } = doctor
    // The draft comes late: nothing can be written over it before.
    await page.route('**/api/v1/prescriptions/*', async (route) => {
      await new Promise((late) => setTimeout(late, 1500))
      await route.continue()
    })
    await page.reload()
    await page.getByLabel('取药期限').selectOption('3')
    await page.waitForSelector(`${t('alerts')} .hard_stop`, { state: 'detached' })
    await page.unroute('**/api/v1/prescriptions/*')
    await page.locator(t('prescription')).scrollIntoViewIfNeeded()
    await journey.shot(doctor, '14-ninety-allowed', true)
    await narrow(doctor, '15-ninety-360', page.locator(t('prescription')))
    await page.click(t('sign-rx'))
    await page.waitForSelector(t('canonical'))
    assert.match((await page.textContent(t('canonical'))) ?? '', /鄂卫发〔2026〕9号/)
    assert.deepEqual(await violations(page), [])
    await journey.shot(doctor, '16-what-is-signed')
  })
})
