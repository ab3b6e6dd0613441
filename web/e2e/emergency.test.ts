// Danger signs that show in the call: the doctor ends the visit as an emergency, the patient's page becomes 120, and the two
// go on hearing each other until they hang up. What was signed just before is made void.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { desk, phone, type Someone } from './browser'
import { ask, book, checkIn } from './errands'
import { Journey, t } from './journey'
import { overflow, tooSmall, violations } from './judge'
import { flowing, made } from './media'
import { enterByPhone, enterWorkspace, signWith } from './people'

describe('an emergency in the call', { concurrency: 1 }, () => {
  const journey = new Journey('emergency')
  let patient: Someone
  let doctor: Someone
  let visit = ''

  journey.step('a visit is under way', async () => {
    const wang = journey.person('王秀英')
    visit = await book(journey.house, wang, journey.person('孙丽'))
    await checkIn(journey.house, wang, visit)
    patient = await journey.join('patient', phone)
    await enterByPhone(patient.page, '13800000021')
    await patient.page.goto(`/visits/${visit}`)
    doctor = await journey.join('doctor', desk)
    await enterWorkspace(doctor.page, journey.person('张建国'))
    await doctor.page.goto(`/staff/visits/${visit}`)
    await doctor.page.click(t('admit'))
    await Promise.all([flowing(doctor.page, 1), flowing(patient.page, 1)])
  })

  journey.step('a prescription that was just signed is made void, and another could be written', async () => {
    const { page } = doctor
    await ask(journey.house, journey.person('张建国'), 'POST', `/visits/${visit}/prescriptions`, {
      type: 'general',
      diagnosis: ['I10.x00'],
      items: [
        {
          line: 1,
          ingredient: 'amlodipine',
          dose: '5',
          per_day: 1,
          route: 'po',
          form: 'tab',
          unit: 'mg',
          days: 7,
          provenance: 'typed',
        },
      ],
    })
    await page.reload()
    await page.click(t('sign-rx'))
    await signWith(page, journey.person('张建国'))
    await page.waitForSelector(`${t('prescription')}[data-state=signed]`)
    await page.click(t('void-rx'))
    await journey.shot(doctor, '01-void')
    await page.click(t('void-yes'))
    await page.waitForSelector(`${t('prescription')}[data-state=new]`)
    await page.reload()
    await page.waitForSelector(`${t('prescription')}[data-state=new]`)
    const { body } = await journey.house.call(journey.person('王秀英').session, 'GET', `/api/v1/visits/${visit}`)
    assert.deepEqual(
      (body as { prescriptions: { state: string }[] }).prescriptions.map(({ state }) => state),
      ['void'],
    )
    await Promise.all([flowing(page, 1), flowing(patient.page, 1)])
  })

  journey.step('who is not of the visit raises no alarm', async () => {
    const { status } = await journey.house.call(
      journey.person('李强').session,
      'POST',
      `/api/v1/visits/${visit}/alarm`,
      { red_flags: ['胸痛'] },
    )
    assert.equal(status, 404)
  })

  journey.step(
    'the doctor names the sign and ends it as an emergency; 120 stands on the page, the call goes on',
    async () => {
      await doctor.page.click(t('judge'))
      await doctor.page.selectOption('dialog select', 'emergency')
      assert.ok(await doctor.page.isDisabled(t('alarm')), 'a sign has to be named')
      await doctor.page.fill('dialog input[name=sign]', '说话时胸痛、出冷汗')
      await journey.shot(doctor, '02-alarm')
      await doctor.page.click(t('alarm'))
      await patient.page.waitForSelector(`${t('urgent')} a[href="tel:120"]`)
      await doctor.page.waitForSelector(`${t('consulting')}[data-state=emergency]`)
      await Promise.all([flowing(doctor.page, 1), flowing(patient.page, 1)])
      await journey.shot(patient, '03-patient')
      await journey.shot(doctor, '04-doctor')
      for (const { page } of [patient, doctor]) assert.deepEqual(await violations(page), [])
      assert.equal(await overflow(patient.page), 0)
      assert.deepEqual(await tooSmall(patient.page, 48), [])
    },
  )

  journey.step('whose line breaks is back by itself, also when the server itself was gone', async () => {
    const before = await Promise.all([doctor, patient].map(({ page }) => made(page)))
    await journey.house.crash()
    await patient.page.getByText('正在接回').first().waitFor()
    await journey.house.start()
    await Promise.all([flowing(doctor.page, 1), flowing(patient.page, 1)])
    const after = await Promise.all([doctor, patient].map(({ page }) => made(page)))
    for (const [i, n] of after.entries()) assert.ok(n > (before[i] ?? n), 'new connections, on the same page')
    assert.equal(await patient.page.locator(`${t('urgent')} a[href="tel:120"]`).count(), 1)
  })

  journey.step('who reloads the page, or hung up by mistake, comes back into the call', async () => {
    await patient.page.reload()
    await patient.page.waitForSelector(`${t('visit')}[data-state=emergency] a[href="tel:120"]`)
    await journey.shot(patient, '05-back')
    assert.equal(await overflow(patient.page), 0)
    assert.deepEqual(await tooSmall(patient.page, 48), [])
    await patient.page.click(t('rejoin'))
    await patient.page.waitForSelector(`${t('urgent')} a[href="tel:120"]`)
    await Promise.all([flowing(doctor.page, 1), flowing(patient.page, 1)])
    await doctor.page.reload()
    await doctor.page.click(t('rejoin'))
    await Promise.all([flowing(doctor.page, 1), flowing(patient.page, 1)])
    await doctor.page.click(t('hang'))
    await doctor.page.click(t('rejoin'))
    await Promise.all([flowing(doctor.page, 1), flowing(patient.page, 1)])
    assert.deepEqual(await violations(doctor.page), [])
  })

  journey.step('who hangs up is out, and 120 stays on the page', async () => {
    await doctor.page.click(t('hang'))
    await doctor.page.waitForSelector(`${t('stage')}[data-phase=idle]`)
    await patient.page.click(t('hang'))
    await patient.page.waitForSelector(`${t('visit')}[data-state=emergency] a[href="tel:120"]`)
    await journey.shot(patient, '06-after')
    await patient.page.reload()
    await patient.page.waitForSelector(`${t('visit')}[data-state=emergency] a[href="tel:120"]`)
    const { body } = await journey.house.call(journey.person('王秀英').session, 'GET', `/api/v1/visits/${visit}`)
    const { state, decision } = body as { state: string; decision: { verdict: string; reasons: { rule: string }[] } }
    assert.deepEqual([state, decision.verdict, decision.reasons[0]?.rule], ['emergency', 'EMERGENCY', 'VIS-01'])
  })
})
