// The server dies in the middle of a visit. Both people are back in the room by themselves, and nothing said is lost.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { Page } from 'playwright-core'
import { desk, phone, type Someone } from './browser'
import { book } from './errands'
import { until } from './house'
import { Journey, t } from './journey'
import { counts, flowing, made, throughServer } from './media'
import { enterByPhone, enterWorkspace } from './people'

const shownWithin = 2000 // ms, UX.md §1.6: the truth about the line
const backWithin = 10_000 // ms after the server is up

describe('the server dies in mid-visit', { concurrency: 1 }, () => {
  const journey = new Journey('restart')
  let patient: Someone
  let doctor: Someone
  let visit = ''
  const old = new Map<Page, number>() // connections made before; a reloaded page would begin at none
  const record = () => `${t('record')}[data-state=saved]`
  const line = (one: Someone) => one.page.getByText('正在接回')

  journey.step('a visit is under way, the record half written', async () => {
    const wang = journey.person('王秀英')
    visit = await book(journey.house, wang, journey.person('孙丽'))
    patient = await journey.join('patient', phone)
    await enterByPhone(patient.page, wang.sign_in.phone ?? '')
    await patient.page.click(`a[href="/visits/${visit}"]`)
    await patient.page.click(t('try-devices'))
    await patient.page.click(t('check-in'))
    await patient.page.waitForSelector(t('place'))
    doctor = await journey.join('doctor', desk)
    const { page } = doctor
    await enterWorkspace(page, journey.person('张建国'))
    await page.waitForSelector(`a[href="/staff/visits/${visit}"][data-state=checked_in]`)
    await page.keyboard.press('F2')
    await Promise.all([flowing(page, 1), flowing(patient.page, 1)])
    await page.fill('input[name=chief_complaint]', '头晕 3 天')
    await page.fill('textarea[name=assessment]', '血压控制可')
    await page.fill(t('icd10'), 'I10')
    await page.locator('[role=option]').first().click()
    await page.waitForSelector(record())
  })

  journey.step('within two seconds both are told that the line is being brought back', async () => {
    for (const { page } of [patient, doctor]) old.set(page, await made(page))
    await journey.house.crash()
    const died = Date.now()
    const told = await Promise.all(
      [patient, doctor].map(async (one) => {
        await line(one).first().waitFor()
        return Date.now() - died
      }),
    )
    console.log(`reconnecting shown: patient ${told[0]} ms, doctor ${told[1]} ms after the kill`)
    await journey.shot(patient, '01-patient-reconnecting')
    await journey.shot(doctor, '02-doctor-reconnecting')
    for (const { page } of [patient, doctor])
      assert.equal(await page.locator(t('light')).count(), 0, 'no line is called good')
    for (const ms of told) assert.ok(ms <= shownWithin, `told after ${ms} ms`)
    await doctor.page.fill('textarea[name=plan]', '写在断线的时候：继续服药')
  })

  journey.step('ten seconds after the server is up both are back in the room, without a reload', async () => {
    const took = await journey.house.start()
    const up = Date.now()
    const back = await Promise.all(
      [patient, doctor].map(async ({ page }) => {
        const before = old.get(page) ?? 0
        await until('pictures and sound on new connections', async () => {
          const { selected, frames, energy } = await counts(page, before)
          return selected.length >= 2 && frames.some((n) => n > 0) && energy.some((n) => n > 0)
        })
        return Date.now() - up
      }),
    )
    console.log(`restart took ${took} ms; media back: patient ${back[0]} ms, doctor ${back[1]} ms after it was up`)
    await patient.page.waitForSelector(`${t('call')}[data-phase=live]`)
    await doctor.page.waitForSelector(`${t('stage')}[data-phase=live]`)
    for (const one of [patient, doctor]) await line(one).waitFor({ state: 'detached' })
    for (const ms of back) assert.ok(ms <= backWithin, `back after ${ms} ms`)
    throughServer(journey.house, await Promise.all([flowing(doctor.page, 1), flowing(patient.page, 1)]))
    await journey.shot(patient, '03-patient-back')
    await journey.shot(doctor, '04-doctor-back')
  })

  journey.step(
    'what was written before is there, what was typed meanwhile is saved, and the visit goes on',
    async () => {
      const { page } = doctor
      await page.waitForSelector(record())
      const kept = await until('the record with the plan', async () => {
        const answer = await journey.house.call(
          journey.person('张建国').session,
          'GET',
          `/api/v1/visits/${visit}/record`,
        )
        const body = answer.body as Record<string, unknown>
        return body.plan ? body : undefined
      })
      assert.equal(kept.chief_complaint, '头晕 3 天')
      assert.equal(kept.assessment, '血压控制可')
      assert.equal(kept.plan, '写在断线的时候：继续服药')
      assert.equal((kept.diagnoses as object[]).length, 1)
      const state = await journey.house.call(journey.person('张建国').session, 'GET', `/api/v1/visits/${visit}`)
      assert.equal((state.body as { state: string }).state, 'in_consult')
      await page.click(t('sign-record'))
      await page.waitForSelector(t('canonical'))
      await page.fill('dialog input[name=passphrase]', journey.person('张建国').sign_in.passphrase ?? '')
      await page.click(t('sign'))
      await page.waitForSelector(`${t('record')}[data-signed=true]`)
      await page.click(t('end-visit'))
      await patient.page.waitForSelector(`${t('visit')}[data-state=concluded]`)
      await journey.shot(patient, '05-ended')
    },
  )
})
