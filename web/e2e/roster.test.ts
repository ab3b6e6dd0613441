// One human, one calendar: a doctor of three places builds a roster, two people want one slot, a day is moved because the doctor is ill,
// and an MDT of three hospitals finds its time or is told why there is none.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { Page } from 'playwright-core'
import { desk, phone, type Someone } from './browser'
import { ask, bookSlot, proven, sheet, toTimes } from './errands'
import { until } from './house'
import { Journey, t } from './journey'
import { overflow, violations } from './judge'
import { enterByPhone, enterWorkspace, toScreen } from './people'

type Registration = { id: string; doctor: { id: string; name: string }; institution: { id: string; name: string } }
type Visit = { id: string; start: string; state: string; slot_id: string; doctor: { name: string } }
type Slot = { id: string; start: string; end: string }

const third = '江城大学附属医院'
const home = '清河市第一医院'
const department = '心血管内科'
const iso = (at: Date | string) => new Intl.DateTimeFormat('en-CA', { timeZone: 'Asia/Shanghai' }).format(new Date(at))
const inDays = (days: number) => iso(new Date(Date.now() + days * 86_400_000))
/** ISO weekday of tomorrow: the cast's own slots fill it, so a session elsewhere collides. */
const weekday = String(((new Date(`${inDays(1)}T00:00:00Z`).getUTCDay() + 6) % 7) + 1)

describe('one calendar for a doctor of many hospitals', { concurrency: 1 }, () => {
  const journey = new Journey('roster')
  let doctor: Someone
  let admin: Someone
  let coordinator: Someone
  let wang: Someone
  let li: Someone
  const persons: Record<string, string> = {}
  let taken: Visit

  const fits = async (who: Someone, screen: string) => {
    assert.deepEqual(await violations(who.page), [], screen)
  }
  const choose = async (page: Page, scope: string, label: string, value: string) =>
    page.locator(scope).getByLabel(label, { exact: true }).selectOption({ label: value })
  const fill = async (page: Page, scope: string, name: string, value: string) =>
    page.locator(`${scope} input[name=${name}]`).fill(value)
  /** The week of the first session that opens: in eight days, since tomorrow's collides. */
  const toOpenWeek = async (page: Page) => {
    const sunday = new Date(`${inDays(0)}T00:00:00Z`).getUTCDay() === 0
    for (let weeks = sunday ? 2 : 1; weeks > 0; weeks--) await page.click(t('week-after'))
  }
  const addSession = async (page: Page, place: string, begins: string, ends: string) => {
    await choose(page, t('templates'), '地点', place)
    await page.locator(t('templates')).getByLabel('星期', { exact: true }).selectOption(weekday)
    await fill(page, t('templates'), 'begins', begins)
    await fill(page, t('templates'), 'ends', ends)
    await page.click(t('add-template'))
  }

  journey.step(
    'the doctor files a third place of practice, its administrator reads the paper and confirms',
    async () => {
      doctor = await journey.join('doctor', desk)
      await enterWorkspace(doctor.page, journey.person('张建国'))
      await toScreen(doctor.page, '/staff/registrations')
      await doctor.page.waitForSelector(`${t('registration')} >> nth=1`)
      assert.equal(await doctor.page.locator(t('registration')).count(), 2)
      await doctor.page.getByLabel('医院', { exact: true }).selectOption({ label: third })
      await doctor.page.fill('input[name=way]', '60')
      const buffer = await sheet(doctor, '张建国')
      await doctor.page.setInputFiles('#filing-paper', { name: '备案.png', mimeType: 'image/png', buffer })
      await journey.shot(doctor, '01-filing', true)
      await doctor.page.click(t('file'))
      await doctor.page.waitForSelector(t('filing'))
      await fits(doctor, 'registrations of the doctor')

      admin = await journey.join('administrator', desk)
      await enterWorkspace(admin.page, journey.person('丁宁'))
      await toScreen(admin.page, '/staff/registrations')
      await admin.page.locator(t('filing'), { hasText: '张建国' }).waitFor()
      await journey.shot(admin, '02-registration-desk', true)
      await fits(admin, 'registration desk')
      await admin.page.click(t('confirm'))
      await doctor.page.waitForSelector(`${t('registration')} >> nth=2`)
    },
  )

  journey.step('an overlap of two places is refused with the rule, and the way between them counts', async () => {
    const { page } = doctor
    await toScreen(page, '/staff/roster')
    await page.waitForSelector(t('templates'))
    await addSession(page, '永宁县人民医院', '09:00', '12:00')
    await page.waitForSelector(t('template'))
    await addSession(page, third, '11:00', '13:00')
    await page.locator('[role=alert]', { hasText: 'MPP-05' }).waitFor()
    await journey.shot(doctor, '03-overlap-refused', true)
    await addSession(page, third, '14:00', '16:00')
    await page.waitForSelector(`${t('template')} >> nth=1`)
  })

  journey.step(
    'publishing opens the weeks; what collides says by which rule, and shows the rest of the day as busy',
    async () => {
      const { page } = doctor
      await page.locator(t('publish')).getByLabel('放几周').selectOption('4')
      await page.click(t('publish-try'))
      await page.waitForSelector(t('published'))
      await page.locator(t('refused'), { hasText: 'MPP-05' }).first().waitFor()
      assert.match((await page.textContent(t('refused'))) ?? '', /忙/)
      await page.click(t('publish-go'))
      await page.locator(t('published'), { hasText: '放出了' }).waitFor()
      assert.ok(Number(await page.getAttribute(t('published'), 'data-slots')) > 0)
      await journey.shot(doctor, '04-published', true)
      await fits(doctor, 'roster')
      await toOpenWeek(page)
      await page.locator(t('session'), { hasText: third }).first().waitFor()
      await journey.shot(doctor, '05-week', true)
      await page.setViewportSize({ width: 360, height: 640 })
      assert.equal(await overflow(page), 0)
      await journey.shot(doctor, '06-week-narrow', true)
      await page.setViewportSize(desk.viewport)
      // The third hospital sees its own sessions; of the others only that the doctor is busy.
      await toScreen(admin.page, '/staff/roster')
      await admin.page.getByLabel('谁的排班').selectOption({ label: '张建国' })
      await admin.page.waitForSelector(t('week'))
      await toOpenWeek(admin.page)
      await admin.page.locator(t('session'), { hasText: '忙' }).first().waitFor()
      assert.doesNotMatch((await admin.page.textContent(t('week'))) ?? '', /清河|永宁/)
      await journey.shot(admin, '07-seen-from-elsewhere', true)
    },
  )

  journey.step(
    'two people want the same time: one has it, the other is told and offered the times nearby',
    async () => {
      const sun = journey.person('孙丽')
      for (const name of ['王秀英', '李强']) persons[name] = await proven(journey.house, journey.person(name), sun)
      wang = await journey.join('wang', phone)
      li = await journey.join('li', phone)
      await enterByPhone(wang.page, journey.person('王秀英').sign_in.phone ?? '')
      await enterByPhone(li.page, journey.person('李强').sign_in.phone ?? '')
      for (const who of [wang, li]) await who.page.waitForSelector(t('start-booking'))
      await toTimes(wang, persons.王秀英 ?? '', '张建国')
      await toTimes(li, persons.李强 ?? '', '张建国')
      await journey.shot(li, '08-times', true)
      // In two days: that day is whole at whatever hour this runs, and far enough to be offered to who waits.
      const zhang = (await ask<Registration[]>(journey.house, sun, 'GET', '/registrations')).find(
        (one) => one.doctor.name === '张建国',
      )
      const slots = await ask<Slot[]>(journey.house, sun, 'GET', `/doctors/${zhang?.doctor.id}/slots?days=4`)
      const wanted = `[data-slot="${slots.filter((slot) => iso(slot.start) === inDays(2))[6]?.id}"]`
      await wang.page.click(wanted)
      await wang.page.waitForSelector(t('held'))
      await journey.shot(wang, '09-held', true)
      await li.page.click(wanted)
      await li.page.waitForSelector(t('taken'))
      await journey.shot(li, '10-taken', true)
      await wang.page.click(t('book'))
      await wang.page.waitForURL(/\/visits\/[0-9a-f-]{36}$/)
      await wang.page.waitForSelector(t('visit'))
      const id = new URL(wang.page.url()).pathname.split('/').pop() ?? ''
      taken = await ask<Visit>(journey.house, journey.person('王秀英'), 'GET', `/visits/${id}`)
    },
  )

  journey.step('who waits is offered the time that becomes free, and takes it', async () => {
    await li.page.click(t('wait'))
    await li.page.locator('[role=status]', { hasText: '候补' }).waitFor()
    await li.page.goto('/visits')
    await li.page.waitForSelector(t('waits'))
    coordinator = await journey.join('coordinator', desk)
    await enterWorkspace(coordinator.page, journey.person('孙丽'))
    await coordinator.page.click('a[href="/staff/waits"]')
    await coordinator.page.locator(t('wait-entry'), { hasText: '李强' }).waitFor()
    await journey.shot(coordinator, '11-waiting-list')
    await fits(coordinator, 'waiting list')
    await ask(journey.house, journey.person('王秀英'), 'POST', `/visits/${taken.id}/cancel`, { reason: '好了' })
    await li.page.waitForSelector(t('take-offer'))
    await journey.shot(li, '12-offer', true)
    assert.deepEqual(await violations(li.page), [], 'offer')
    assert.equal(await overflow(li.page), 0)
    await li.page.click(t('take-offer'))
    await li.page.waitForURL(/\/visits\/[0-9a-f-]{36}$/)
    await li.page.locator(`${t('visit')}[data-state=booked]`).waitFor()
  })

  journey.step(
    'the doctor falls ill: the day is moved to a substitute, the rest cancelled and refunded, both are told',
    async () => {
      const sun = journey.person('孙丽')
      const registrations = await ask<Registration[]>(journey.house, sun, 'GET', '/registrations')
      const at = (name: string) => registrations.find((one) => one.doctor.name === name)
      const zhang = at('张建国')
      const he = at('何晓')
      assert.ok(zhang && he)
      const slots = await ask<Slot[]>(journey.house, sun, 'GET', `/doctors/${zhang.doctor.id}/slots?days=4`)
      const day = iso(taken.start)
      const other = slots.find((slot) => iso(slot.start) === day && slot.start > taken.start)
      assert.ok(other, 'a later slot of the day')
      const second = await bookSlot(journey.house, journey.person('王秀英'), persons.王秀英 ?? '', other.id)
      // One open time of the substitute: one patient fits.
      await ask(journey.house, sun, 'POST', '/roster', {
        practitioner_id: he.doctor.id,
        institution_id: he.institution.id,
        department,
        start: taken.start,
        end: new Date(new Date(taken.start).getTime() + 20 * 60_000).toISOString(),
        minutes: 20,
        fee_fen: 2000,
      })
      const { page } = coordinator
      await toScreen(page, '/staff/roster')
      await page.getByLabel('谁的排班').selectOption({ label: '张建国' })
      await page.waitForSelector(t('sick'))
      await choose(page, t('sick'), '哪家医院', home)
      await fill(page, t('sick'), 'sick-day', day)
      await page.locator(t('sick')).getByLabel('谁替诊').selectOption(he.doctor.id)
      await page.click(t('sick-try'))
      await page.locator(`${t('sick-result')}[data-dry=true]`).waitFor()
      await journey.shot(coordinator, '13-sick-day-look', true)
      await page.click(t('sick-go'))
      await page.locator(`${t('sick-result')}[data-dry=false]`).waitFor()
      await journey.shot(coordinator, '14-sick-day-done', true)
      await fits(coordinator, 'sick day')
      await li.page.waitForSelector(t('moved'))
      assert.match((await li.page.textContent(t('visit'))) ?? '', /何晓/)
      await journey.shot(li, '15-moved', true)
      await wang.page.goto(`/visits/${second}`)
      await wang.page.waitForSelector(t('hospital-cancelled'))
      assert.match((await wang.page.textContent(t('visit'))) ?? '', /退回/)
      await journey.shot(wang, '16-cancelled-by-hospital', true)
      const inbox = await until('both got a message', async () => {
        const text = await Promise.all(
          ['王秀英', '李强'].map(async (name) => {
            const number = journey.person(name).sign_in.phone ?? ''
            const { body } = await journey.house.call('', 'POST', '/api/v1/demo/inbox', { phone: number })
            return JSON.stringify(body)
          }),
        )
        return text.every((one) => one.includes('医师临时不能出诊') || one.includes('由医院取消')) && text
      })
      assert.equal(inbox.length, 2)
    },
  )

  journey.step('an MDT of three hospitals is told why there is no common time, and then finds one', async () => {
    const { house } = journey
    const he = journey.person('何晓')
    const places = await ask<{ id: string; name: string }[]>(house, he, 'GET', '/institutions')
    const filing = await ask<{ id: string }>(house, he, 'POST', '/filings', {
      institution_id: places.find(({ name }) => name === third)?.id,
      kind: 'filed',
      from: inDays(40),
      until: inDays(400),
      way_min: 60,
      file_name: '备案.png',
      document: (await sheet(doctor, '何晓')).toString('base64'),
    })
    await ask(house, journey.person('丁宁'), 'POST', `/filings/${filing.id}/settle`, { result: 'confirmed' })
    const zhao = journey.person('赵志远')
    const [patient] = await ask<{ id: string }[]>(house, zhao, 'POST', '/patients/search', { q: '周大山' })
    const consult = await ask<{ id: string }>(house, zhao, 'POST', '/teleconsults', {
      person_id: patient?.id,
      department: '呼吸内科',
      question: '右上叶结节是什么性质？',
      summary: '58 岁，体检 CT 发现右上叶结节 8 mm。',
      diagnosis: '肺结节',
      labs: '血常规、肿瘤标志物正常。',
      urgency: 'routine',
      institution_id: places.find(({ name }) => name === home)?.id,
    })
    await ask(house, zhao, 'POST', `/teleconsults/${consult.id}/consent`, {
      method: 'paper',
      signed_by: '周大山',
      relation: '本人',
    })
    await ask(house, zhao, 'POST', `/teleconsults/${consult.id}/submit`, {})
    const { page } = coordinator
    await page.goto(`/staff/cases/${consult.id}`)
    const invite = async (name: string, at: string) => {
      await page.fill(`${t('find-expert')}`, name)
      await page.locator('[role=option]', { hasText: name }).first().click()
      await page.locator(t('chosen-expert'), { hasText: name }).getByLabel('在哪家医院参加').selectOption({ label: at })
    }
    await page.waitForSelector(t('finder'))
    await invite('李明远', home)
    await invite('何晓', third)
    await page.click(t('find-times'))
    await page.waitForSelector(t('no-common-time'))
    const why = (await page.textContent(t('no-common-time'))) ?? ''
    assert.match(why, /何晓在江城大学附属医院没有有效的备案；不等的话：\d+月\d+日 星期/)
    await journey.shot(coordinator, '17-no-common-time', true)
    await fits(coordinator, 'finder')
    await page
      .locator(t('chosen-expert'), { hasText: '何晓' })
      .getByLabel('在哪家医院参加')
      .selectOption({ label: home })
    await page.click(t('find-times'))
    await page.waitForSelector(t('common-time'))
    await journey.shot(coordinator, '18-common-times', true)
    await page.locator(t('take-time')).first().click()
    await page.locator('.tag', { hasText: '已排' }).first().waitFor()
    const seen = await ask<{ further: { name: string }[] }>(house, he, 'GET', `/teleconsults/${consult.id}`)
    assert.deepEqual(
      seen.further.map(({ name }) => name),
      ['何晓'],
    )
  })
})
