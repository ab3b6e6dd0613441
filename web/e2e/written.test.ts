// A consult that nobody has to meet for: a reading is handed over, answered in writing with kept phrases, turned live and back at
// one press, and decided. Before it, two administrators put the agreement in force that it needs.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe } from 'node:test'
import { desk, phone, reading, type Someone } from './browser'
import { ask, store } from './errands'
import { Journey, t } from './journey'
import { overflow, violations } from './judge'
import { enterByPhone, enterWorkspace, signWith, toScreen } from './people'

const slice = '../storage/imaging/testdata/ct-series-3/01.dcm'

describe('a consult in writing', { concurrency: 1 }, () => {
  const journey = new Journey('written')
  let county: Someone
  let coordinator: Someone
  let expert: Someone
  let patient: Someone
  let id = ''

  const fits = async ({ page }: Someone, what: string) => {
    const size = page.viewportSize() ?? desk.viewport
    await page.setViewportSize({ width: 360, height: 640 })
    assert.equal(await overflow(page), 0, `${what} at 360 px`)
    await page.setViewportSize(size)
  }

  journey.step('an agreement is ended, offered anew by one hospital and signed by the other', async () => {
    const { house } = journey
    const chief = await journey.join('chief', desk)
    await enterWorkspace(chief.page, journey.person('袁敏'))
    await toScreen(chief.page, '/staff/agreements')
    const old = chief.page.locator(t('agreement'), { hasText: '清河市第一医院' }).first()
    await old.locator(t('end-agreement')).click()
    await chief.page.locator(`${t('agreement')}[data-state=ended]`).waitFor()
    const places = await ask<{ id: string; name: string }[]>(house, journey.person('赵志远'), 'GET', '/institutions')
    const home = places.find(({ name }) => name === '清河市第一医院')?.id
    const [patient] = await ask<{ id: string }[]>(house, journey.person('赵志远'), 'POST', '/patients/search', {
      q: '周',
    })
    const request = {
      person_id: patient?.id,
      institution_id: home,
      kind: 'imaging',
      department: '放射科',
      question: '结节性质？',
      summary: '58 岁男，咳嗽 3 周。',
      diagnosis: '肺结节',
      urgency: 'urgent',
    }
    const refused = await house.call(journey.person('赵志远').session, 'POST', '/api/v1/teleconsults', request)
    assert.equal((refused.body as { code: string }).code, 'no_agreement')

    const { page } = chief
    await page.getByLabel('另一方').selectOption({ label: '清河市第一医院' })
    await page.getByText('影像诊断', { exact: true }).last().click()
    await page.fill('input[name=until]', '2030-12-31')
    await page.fill('textarea[name=terms]', '目的、内容、流程、权责、风险分担见 2026-17 号协议')
    await page.click(t('offer-agreement'))
    await page.locator(`${t('agreement')}[data-state=offered]`).waitFor()
    await journey.shot(chief, '01-agreements', true)
    assert.deepEqual(await violations(page), [])
    await fits(chief, 'agreements')
    const other = await journey.join('other chief', desk)
    await enterWorkspace(other.page, journey.person('钱进'))
    await toScreen(other.page, '/staff/agreements')
    await other.page.click(t('accept-agreement'))
    await other.page.locator(`${t('agreement')}[data-state=in_force]`, { hasText: '2030-12-31' }).waitFor()
    const made = await ask<{ id: string; liability: string }>(
      house,
      journey.person('赵志远'),
      'POST',
      '/teleconsults',
      request,
    )
    assert.equal(made.liability, 'joint')
    id = made.id
  })

  journey.step('the patient agrees on their own phone, and nobody can for them', async () => {
    const { house } = journey
    const forged = await house.call(journey.person('赵志远').session, 'POST', `/api/v1/teleconsults/${id}/consent`, {
      method: 'patient_device',
      signed_by: '周大山',
      relation: '本人',
    })
    assert.equal((forged.body as { code: string }).code, 'not_the_patients_device')
    patient = await journey.join('patient', phone)
    const { page } = patient
    await enterByPhone(page, journey.person('周大山').sign_in.phone ?? '')
    await page.locator(t('consult-card'), { hasText: '请您看看同不同意' }).click()
    await page.getByText('清河市第一医院放射科的专家').waitFor()
    await journey.shot(patient, '01-agree')
    assert.deepEqual(await violations(page), [])
    assert.equal(await overflow(page), 0)
    await page.click(t('agree'))
    await page.waitForSelector(t('withdraw-consent'))
    await page.goto('/visits')
    await page.locator(t('consult-card'), { hasText: '医院在安排' }).waitFor()
    await journey.shot(patient, '01-my-consults')
    assert.equal(await overflow(page), 0)
  })

  journey.step('the reading goes out with its original images', async () => {
    const { house } = journey
    const doctor = journey.person('赵志远')
    const study_uid = await store(house, doctor, [await readFile(slice)])
    const at = `/teleconsults/${id}`
    await ask(house, doctor, 'POST', `${at}/studies`, { study_uid, patient_confirmed: true })
    await ask(house, doctor, 'POST', `${at}/submit`, {})
  })

  journey.step('the coordinator hands it over; nobody’s time is kept free', async () => {
    coordinator = await journey.join('coordinator', desk)
    const { page } = coordinator
    await enterWorkspace(page, journey.person('孙丽'))
    await page.click('a[href="/staff/board"]')
    await page.locator(t('turn-hospital')).locator(t('case'), { hasText: '周大山' }).click()
    await page.click(t('retriage'))
    await page.getByRole('dialog').getByLabel('多急').selectOption('常规')
    assert.ok(await page.isDisabled(t('retriage-go')), 'nothing is lowered without a reason')
    await page.fill('textarea[name=triage_reason]', '电话核实，病情平稳')
    await journey.shot(coordinator, '02-triage')
    assert.deepEqual(await violations(page), [])
    await fits(coordinator, 'the triage')
    await page.click(t('retriage-go'))
    await page.waitForSelector(`${t('case-page')}[data-state=triaged]`)
    await page.click(`${t('steps')} summary`)
    await page.getByText('放射科 · 加急 · 影像诊断 → 放射科 · 常规 · 影像诊断：电话核实，病情平稳').waitFor()
    await page.locator(t('expert'), { hasText: '李明远' }).click()
    await page.click(t('hand-over'))
    await page.waitForSelector(`${t('case-page')}[data-state=in_progress]`)
    await page.locator(t('turn-experts')).locator(t('case')).waitFor()
    await journey.shot(coordinator, '02-board', true)
    assert.deepEqual(await violations(page), [])
    await fits(coordinator, 'the board')
  })

  journey.step('the expert reads, keeps a phrase and takes it again', async () => {
    expert = await journey.join('expert', reading)
    const { page } = expert
    await enterWorkspace(page, journey.person('李明远'))
    await page.click('a[href="/staff/cases"]')
    await page.locator(t('case'), { hasText: '周大山' }).click()
    await page.waitForSelector(t('go-live'))
    await journey.shot(expert, '03-written-case')
    await page.click(t('read-images'))
    await page.waitForSelector(`${t('viewer')}[data-drawn=true]`)
    await page.getByText('书面会诊：专家看完写意见，不用约时间。').waitFor()
    await page.fill('textarea[name=findings]', '右上叶尖段 8 mm 实性结节，边缘光滑')
    await page.click(`${t('phrases-findings')} summary`)
    await page.click(`${t('phrases-findings')} ${t('keep-phrase')}`)
    await page.fill('textarea[name=findings]', '')
    await page.click(`${t('phrases-findings')} ${t('phrase')}`)
    assert.equal(await page.inputValue('textarea[name=findings]'), '右上叶尖段 8 mm 实性结节，边缘光滑')
    await page.fill('textarea[name=advice]', '3 个月后复查低剂量 CT。')
    await journey.shot(expert, '04-reading-room')
    assert.deepEqual(await violations(page), [])
  })

  journey.step('one press turns it live for both, another back to writing', async () => {
    county = await journey.join('county', desk)
    await enterWorkspace(county.page, journey.person('赵志远'))
    await county.page.goto(`/staff/cases/${id}`)
    await county.page.waitForSelector(t('go-live'))
    await journey.shot(county, '05-county-written')
    await expert.page.click(t('go-live'))
    await county.page.click(t('enter-room'))
    await county.page.locator(t('person'), { hasText: '李明远' }).waitFor()
    await expert.page.locator(t('person'), { hasText: '赵志远' }).waitFor()
    await journey.shot(expert, '06-live')
    await expert.page.click(t('go-back'))
    await county.page.locator(t('person')).waitFor({ state: 'detached' })
    await journey.shot(county, '07-back')
  })

  journey.step('the opinion is signed, decided and closed without a meeting', async () => {
    await expert.page.click(t('sign-opinion'))
    await signWith(expert.page, journey.person('李明远'))
    const { page } = county
    await page.goto(`/staff/cases/${id}`)
    await page.waitForSelector(`${t('opinion')}[data-signed=true]`)
    await page.click(t('adopt-full'))
    await page.fill('textarea[name=plan]', '采纳。')
    await page.fill('input[name=passphrase]', journey.person('赵志远').sign_in.passphrase ?? '')
    await page.click(t('decide'))
    await page.waitForSelector(t('close-case'))
    await expert.page.goto(`/staff/cases/${id}`)
    await expert.page.click(t('addendum'))
    await expert.page.fill('textarea[name=addendum]', '补看后结论不变。')
    await expert.page.fill('input[name=addendum_pass]', journey.person('李明远').sign_in.passphrase ?? '')
    await expert.page.click(t('sign-addendum'))
    await page.locator(t('added'), { hasText: '补看后结论不变' }).waitFor()
    await page.click(t('close-case'))
    await page.waitForSelector(`${t('case-page')}[data-state=closed]`)
    assert.equal(
      await page.getAttribute(`${t('case')}[href$="${id}"]`, 'data-state'),
      'closed',
      'the list says so at once',
    )
    await page.getByText('双方已归档').waitFor()
    await journey.shot(county, '08-closed', true)
    await fits(county, 'the closed case')
    await patient.page.locator(t('consult-card'), { hasText: '有会诊报告' }).click()
    await patient.page.waitForSelector(t('report'))
    await journey.shot(patient, '08-report')
  })
  journey.step('an expert who never signs is released, and the answer of the other is whole', async () => {
    const { house } = journey
    const [doctor, desk, li] = ['赵志远', '孙丽', '李明远'].map((name) => journey.person(name))
    assert.ok(doctor && desk && li)
    const [patient] = await ask<{ id: string }[]>(house, doctor, 'POST', '/patients/search', { q: '周' })
    const places = await ask<{ id: string; name: string }[]>(house, doctor, 'GET', '/institutions')
    const home = places.find(({ name }) => name === '清河市第一医院')?.id
    const two = await ask<{ id: string }>(house, doctor, 'POST', '/teleconsults', {
      person_id: patient?.id,
      institution_id: home,
      department: '放射科',
      kind: 'imaging',
      question: '要不要手术？',
      summary: '58 岁男，右上叶结节增大。',
      diagnosis: '肺结节',
      urgency: 'urgent',
    })
    const at = `/teleconsults/${two.id}`
    const study_uid = await store(house, doctor, [await readFile(slice)])
    await ask(house, doctor, 'POST', `${at}/studies`, { study_uid, patient_confirmed: true })
    await ask(house, doctor, 'POST', `${at}/consent`, { method: 'paper', signed_by: '周大山', relation: '本人' })
    await ask(house, doctor, 'POST', `${at}/submit`, {})
    const experts = await ask<{ practitioner_id: string; name: string }[]>(house, desk, 'GET', `${at}/experts`)
    const idOf = async (name: string) =>
      (
        await ask<{ practitioner_id: string; name: string }[]>(
          house,
          desk,
          'GET',
          `/experts?q=${encodeURIComponent(name)}`,
        )
      ).find((one) => one.name === name)?.practitioner_id
    const practitioner_id = experts.find(({ name }) => name === '李明远')?.practitioner_id
    const further = [{ practitioner_id: await idOf('何晓'), institution_id: home }]
    await ask(house, desk, 'POST', `${at}/hand-over`, { practitioner_id, further })
    const written = await ask<{ opinion: { sha256: string } }>(house, li, 'PUT', `${at}/opinion`, {
      findings: '结节增大至 12 mm。',
      advice: '建议手术。',
    })
    await ask(house, li, 'POST', `${at}/opinion/sign`, {
      sha256: written.opinion.sha256,
      passphrase: li.sign_in.passphrase,
    })
    const { page } = coordinator
    await page.goto(`/staff/cases/${two.id}`)
    await page.locator(t('releasing'), { hasText: '何晓' }).locator(t('release')).click()
    await page.getByLabel('原因').selectOption('联系不上')
    await page.fill('textarea[name=release_note]', '三次电话未接')
    await journey.shot(coordinator, '09-release')
    assert.deepEqual(await violations(page), [])
    await fits(coordinator, 'the release')
    await page.click(t('leave-go'))
    await page.waitForSelector(`${t('case-page')}[data-state=opinion_signed]`)
    await page.locator(t('released'), { hasText: '何晓没有签就换下了（联系不上：三次电话未接），孙丽' }).waitFor()
    await journey.shot(coordinator, '10-released', true)
    await county.page.goto(`/staff/cases/${two.id}`)
    await county.page.locator(t('released'), { hasText: '联系不上' }).waitFor()
    await county.page.waitForSelector(t('adopt-full'))
    await fits(county, 'the released case')
  })

  journey.step('the hospital sets its own limits, no emergency slower than the default', async () => {
    const chief = await journey.join('limits', desk)
    const { page } = chief
    await enterWorkspace(page, journey.person('钱进'))
    await toScreen(page, '/staff/overdue')
    await page.getByText('没有超时的会诊。').waitFor()
    await page.click('a[href="/staff/overdue/limits"]')
    const emergency = page.locator(t('limit-consult-emergency'))
    await emergency.getByLabel('完成').fill('13')
    await page.fill('input[name=limits_reason]', '人手增加')
    await page.click(t('set-limits'))
    await page.getByText('专家会诊（急诊）：急诊不能比默认时限慢。').waitFor()
    await emergency.getByLabel('安排').fill('6')
    await emergency.getByLabel('完成').fill('10')
    await journey.shot(chief, '11-limits', true)
    assert.deepEqual(await violations(page), [])
    await fits(chief, 'the limits')
    await page.click(t('set-limits'))
    await page.getByText('现在用本院第 1 版。').waitFor()
    await page.click(`${t('limits-history')} summary`)
    await page.getByText('钱进').last().waitFor()
    await journey.shot(chief, '12-limits-set', true)
  })
})
