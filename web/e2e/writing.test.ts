// A prescription written with the keyboard alone: pinyin, arrows, a usual dose by choice; a favourite; and the whole of it
// repeated in a later visit, where each copied line is confirmed before anything can be signed.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { desk, type Someone } from './browser'
import { ask, book, checkIn } from './errands'
import { Journey, t } from './journey'
import { enterWorkspace, signWith } from './people'

type Written = { sha256: string }
type Rx = { id: string; state: string; items: { ingredient?: string; provenance: string }[] }

describe('writing a prescription', { concurrency: 1 }, () => {
  const journey = new Journey('writing')
  let doctor: Someone
  let first = ''
  let record: Written

  const admit = async () => {
    const [zhang, wang] = [journey.person('张建国'), journey.person('王秀英')]
    const visit = await book(journey.house, wang, journey.person('孙丽'))
    await checkIn(journey.house, wang, visit)
    await ask(journey.house, zhang, 'POST', `/visits/${visit}/admit`)
    record = await ask<Written>(journey.house, zhang, 'PUT', `/visits/${visit}/record`, {
      chief_complaint: '复诊开药',
      present_illness: '高血压 2 年，血压平稳。',
      assessment: '高血压，控制可。',
      plan: '续药。',
      version: 0,
      diagnoses: [{ icd10: 'I10.x00', name: '特发性（原发性）高血压' }],
    })
    return visit
  }
  const draft = (state: string) => doctor.page.waitForSelector(`${t('prescription')}[data-state=${state}]`)

  journey.step(
    'letters find it, arrows choose it, Enter takes it; a usual dose is offered and not filled in',
    async () => {
      first = await admit()
      doctor = await journey.join('doctor', desk)
      await enterWorkspace(doctor.page, journey.person('张建国'))
      const { page } = doctor
      await page.goto(`/staff/visits/${first}`)
      await page.focus(t('formulary'))
      await page.keyboard.type('lhx')
      await page.locator('[role=option]', { hasText: '络活喜' }).waitFor()
      await journey.shot(doctor, '01-trade-name')
      await page.keyboard.press('Control+A')
      await page.keyboard.type('anlvdp')
      await page.locator('[role=option]', { hasText: '左氨氯地平' }).waitFor()
      await page.keyboard.press('ArrowDown')
      await journey.shot(doctor, '02-search')
      await page.keyboard.press('ArrowUp')
      await page.keyboard.press('Enter')
      const line = page.locator(`${t('rx-line')}[data-line="1"]`)
      await line
        .locator(`${t('usual')}:focus`)
        .first()
        .waitFor()
      assert.equal(await line.locator('input[name=dose]').inputValue(), '')
      assert.equal(await line.locator('input[name=per_day]').inputValue(), '')
      await journey.shot(doctor, '03-usual-offered')
      await page.keyboard.press('Enter')
      assert.equal(await line.locator('input[name=dose]').inputValue(), '5')
      assert.equal(await line.locator('input[name=per_day]').inputValue(), '1')
      await draft('draft')
    },
  )

  journey.step('a complete line is kept as a favourite', async () => {
    const { page } = doctor
    await page.click(t('keep'))
    await page.waitForSelector(t('favourites'))
    await page.click(`${t('favourites')} summary`)
    assert.equal(await page.locator(t('favourite')).count(), 1)
    await journey.shot(doctor, '04-favourite')
    await page.click(t('sign-rx'))
    await signWith(page, journey.person('张建国'))
    await draft('signed')
  })

  journey.step('the next visit repeats it; unconfirmed copies are not signed, confirmed ones are', async () => {
    const zhang = journey.person('张建国')
    const { passphrase } = zhang.sign_in
    await ask(journey.house, zhang, 'POST', `/visits/${first}/record/sign`, { sha256: record.sha256, passphrase })
    await ask(journey.house, zhang, 'POST', `/visits/${first}/end`)
    const second = await admit()
    const { page } = doctor
    await page.goto(`/staff/visits/${second}`)
    await page.waitForSelector(t('repeat'))
    await journey.shot(doctor, '05-repeat-offered')
    await page.click(t('repeat-all'))
    await draft('draft')
    await page.waitForSelector(`${t('rx-line')}[data-provenance=copied]`)
    assert.ok(await page.isDisabled(t('sign-rx')), 'a copy that nobody confirmed')
    await journey.shot(doctor, '06-to-confirm')
    await page.click(t('confirm-line'))
    await page.waitForSelector(`${t('rx-line')}[data-provenance=copied_confirmed]`)
    await draft('draft')
    const list = await ask<Rx[]>(
      journey.house,
      journey.person('张建国'),
      'GET',
      `/prescriptions?person_id=${await person()}`,
    )
    assert.deepEqual(
      list[0]?.items.map(({ ingredient, provenance }) => [ingredient, provenance]),
      [['amlodipine', 'copied_confirmed']],
    )
    await journey.shot(doctor, '07-confirmed')
    await page.setViewportSize({ width: 360, height: 640 })
    const wide = await page.evaluate(() => document.documentElement.scrollWidth)
    assert.ok(wide <= 360, `${wide} px wide`)
    await page.locator(t('prescription')).scrollIntoViewIfNeeded()
    await journey.shot(doctor, '08-narrow')
  })

  const person = async () =>
    (await ask<{ persons: { id: string }[] }>(journey.house, journey.person('王秀英'), 'GET', '/me')).persons[0]?.id ??
    ''
})
