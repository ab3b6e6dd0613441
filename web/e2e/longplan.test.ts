// A long prescription of three parts: agreed to by the patient, collected once, and paused by a red answer before the
// second part. Doctor and patient are told, a visit is offered, the doctor lets it go on; and before that, a prescription
// that waits too long for review asks the next people and passes by nobody's time.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { desk, phone, type Someone } from './browser'
import { ask, book, checkIn } from './errands'
import { until } from './house'
import { Journey, t } from './journey'
import { enterByPhone, enterWorkspace, signWith } from './people'

type Rx = { id: string; sha256: string; state: string }
type Message = { text: string }

describe('a long prescription', { concurrency: 1 }, () => {
  const journey = new Journey('longplan')
  let doctor: Someone
  let pharmacist: Someone
  let patient: Someone
  let rx: Rx

  const inbox = (phone: string) =>
    ask<Message[]>(journey.house, journey.person('王秀英'), 'POST', '/demo/inbox', { phone })

  journey.step('the administrator sets how long a review may take, and who is asked then', async () => {
    const admin = await journey.join('admin', desk)
    const { page } = admin
    await enterWorkspace(page, journey.person('钱进'))
    await page.goto('/staff/pharmacies')
    await page.waitForSelector(`${t('limits')} form`)
    await page.fill('input[name=day_minutes]', '1')
    await page.fill('input[name=night_minutes]', '1')
    await page.selectOption(`${t('limits')} select`, '1')
    await page.click(t('save-limits'))
    await page.waitForSelector(`${t('limits')} [role=status]`)
    await page.locator(t('limits')).scrollIntoViewIfNeeded()
    await journey.shot(admin, '01-limits')
    await page.setViewportSize({ width: 360, height: 640 })
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360)
    await journey.shot(admin, '01-limits-narrow')
  })

  journey.step('a plan of 84 days is signed, and waits: the clock asks the lead and approves nothing', async () => {
    const [zhang, wang] = [journey.person('张建国'), journey.person('王秀英')]
    const visit = await book(journey.house, wang, journey.person('孙丽'))
    await checkIn(journey.house, wang, visit)
    await ask(journey.house, zhang, 'POST', `/visits/${visit}/admit`)
    rx = await ask<Rx>(journey.house, zhang, 'POST', `/visits/${visit}/prescriptions`, {
      type: 'long',
      diagnosis: ['I10.x00'],
      days_reason: '病情稳定，行动不便',
      items: [
        {
          line: 1,
          ingredient: 'amlodipine',
          route: 'po',
          form: 'tab',
          dose: '5',
          unit: 'mg',
          per_day: 1,
          days: 84,
          provenance: 'typed',
        },
      ],
    })
    doctor = await journey.join('doctor', desk)
    await enterWorkspace(doctor.page, zhang)
    await doctor.page.goto(`/staff/visits/${visit}`)
    await doctor.page.click(t('sign-rx'))
    await signWith(doctor.page, zhang)
    await doctor.page.waitForSelector(`${t('prescription')}[data-state=signed]`)
    pharmacist = await journey.join('pharmacist', desk)
    await enterWorkspace(pharmacist.page, journey.person('刘芳'))
    await pharmacist.page.goto('/staff/review')
    await pharmacist.page.waitForSelector(t('clock'))
    await journey.shot(pharmacist, '02-clock')
    await pharmacist.page.locator(`${t('clock')}[data-step="2"]`).waitFor({ timeout: 240_000 })
    await journey.shot(pharmacist, '03-over')
    const still = await ask<Rx>(journey.house, zhang, 'GET', `/prescriptions/${rx.id}`)
    assert.equal(still.state, 'signed')
  })

  journey.step('the pharmacist sees the facts that were checked, and passes it', async () => {
    const { page } = pharmacist
    await page.waitForSelector(t('picture'))
    await page.locator(t('picture')).scrollIntoViewIfNeeded()
    await journey.shot(pharmacist, '04-picture')
    for (const check of ['legality', 'form', 'suitability']) await page.check(t(`check-${check}`))
    await page.click(t('pass'))
    await signWith(page, journey.person('刘芳'))
    await page.waitForSelector('.empty')
  })

  journey.step('the patient agrees to the plan, and answers before the second part', async () => {
    patient = await journey.join('patient', phone)
    const { page } = patient
    await enterByPhone(page, '13800000021')
    await page.goto(`/prescriptions/${rx.id}`)
    await page.click(t('confirm-plan'))
    await page.waitForSelector(`${t('part')}[data-part="1"] ${t('show-code')}`)
    await journey.shot(patient, '05-agreed', true)
    await ask(journey.house, journey.person('王秀英'), 'POST', `/demo/plans/${rx.id}/days`, { days: 26 })
    await page.reload()
    await page.waitForSelector(t('check-in-form'))
    await page.locator(t('check-in-form')).scrollIntoViewIfNeeded()
    await journey.shot(patient, '06-check-in', true)
    await page.check(t('in-side_effects'))
    await page.fill('input[name=systolic]', '186')
    await page.click(t('check-in-send'))
    await page.waitForSelector(t('paused'))
    for (const part of [2, 3]) await page.waitForSelector(`${t('part')}[data-part="${part}"][data-state=paused]`)
    await journey.shot(patient, '07-paused', true)
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360)
  })

  journey.step(
    'how to take it is said in plain words; reminders come only to who asks, and end with one press',
    async () => {
      const { page } = patient
      assert.equal(await page.textContent(t('use')), '每天 1 次，每次 5\u00a0毫克，共 84 天')
      assert.equal(await page.getAttribute(t('reminder'), 'data-on'), 'false')
      await page.locator(`${t('reminder')} button`, { hasText: '20:00' }).click()
      await page.locator(t('reminder')).scrollIntoViewIfNeeded()
      await journey.shot(patient, '08-reminder')
      await page.click(t('remind'))
      await page.waitForSelector(`${t('reminder')}[data-on=true]`)
      await page.reload()
      await page.waitForSelector(`${t('reminder')}[data-on=true]`)
      await page.locator(t('reminder')).scrollIntoViewIfNeeded()
      await journey.shot(patient, '08-reminded')
      await page.click(t('stop-reminding'))
      await page.waitForSelector(`${t('reminder')}[data-on=false]`)
    },
  )

  journey.step('doctor and patient are told; the page leads to a visit', async () => {
    await until('the patient has the message', async () =>
      (await inbox('13800000021')).some(({ text }) => text.includes('约一次复诊')),
    )
    await doctor.page.goto('/staff/visits')
    await doctor.page.waitForSelector(t('paused-plan'))
    assert.match((await doctor.page.textContent(t('red-answers'))) ?? '', /吃药后不舒服.*186/s)
    await journey.shot(doctor, '08-doctor-told')
    await patient.page.click(`${t('paused')} a`)
    await patient.page.waitForURL('**/book/**')
    await journey.shot(patient, '09-visit-offered', true)
  })

  journey.step('the doctor lets it go on: the patient answers anew and can collect', async () => {
    await doctor.page.click(t('go-on-plan'))
    await doctor.page.waitForSelector(t('paused-plans'), { state: 'detached' })
    const { page } = patient
    await page.goto(`/prescriptions/${rx.id}`)
    await page.waitForSelector(t('check-in-form'))
    await page.click(t('check-in-send'))
    await page.waitForSelector(`${t('part')}[data-part="2"] ${t('show-code')}`)
    await journey.shot(patient, '10-goes-on', true)
  })
})
