// The line and the roster as people work them: a roster from a spreadsheet, the calendar subscription, a series of visits, a patient squeezed
// in, the walk-in pool, numbers called from the cockpit, a doctor who is late.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe } from 'node:test'
import { desk, phone, type Someone } from './browser'
import { ask, bookSlot, checkIn, proven, toTimes } from './errands'
import { until } from './house'
import { Journey, t } from './journey'
import { overflow, violations } from './judge'
import { enterByPhone, enterWorkspace } from './people'

type Slot = { id: string; start: string; institution: { id: string } }
type Visit = {
  id: string
  start: string
  slot_id: string
  state: string
  overbooked?: boolean
  token?: number
  delay_min?: number
}
type Registration = { doctor: { id: string; name: string }; institution: { id: string; name: string } }

const home = '清河市第一医院'
const head = 'weekday,begins,ends,minutes,mode,purpose,department,fee_yuan,since,every\r\n'
const cardiology = Buffer.from('d0c4d1aab9dcc4dabfc6', 'hex') // 心血管内科 in GB 18030
const iso = (at: Date | string) => new Intl.DateTimeFormat('en-CA', { timeZone: 'Asia/Shanghai' }).format(new Date(at))
const inDays = (days: number) => iso(new Date(Date.now() + days * 86_400_000))
/** ISO weekday in two days: the cast's own slots end at 17:00 then, at whatever hour this runs. */
const weekday = ((new Date(`${inDays(2)}T00:00:00Z`).getUTCDay() + 6) % 7) + 1

describe('the line and the roster', { concurrency: 1 }, () => {
  const journey = new Journey('queue')
  let doctor: Someone
  let coordinator: Someone
  let wang: Someone
  let li: Someone
  let zhang: Registration
  let day = '' // of the numbers: today, or tomorrow when today is nearly over
  const persons: Record<string, string> = {}

  const fits = async (who: Someone, screen: string) => {
    assert.deepEqual(await violations(who.page), [], screen)
    const size = who.page.viewportSize()
    await who.page.setViewportSize({ width: 360, height: 740 })
    assert.equal(await overflow(who.page), 0, `${screen} at 360 px`)
    if (size) await who.page.setViewportSize(size)
  }
  const slotsOf = (days: number) =>
    ask<Slot[]>(journey.house, journey.person('孙丽'), 'GET', `/doctors/${zhang.doctor.id}/slots?days=${days}`)

  journey.step('a roster from a spreadsheet: wrong lines are told by number, a right file is taken whole', async () => {
    doctor = await journey.join('doctor', desk)
    const { page } = doctor
    await enterWorkspace(page, journey.person('张建国'))
    const registrations = await ask<Registration[]>(journey.house, journey.person('张建国'), 'GET', '/registrations')
    const own = registrations.find((one) => one.institution.name === home)
    assert.ok(own)
    zhang = own
    await page.click('a[href="/staff/roster"]')
    const card = page.locator(t('spreadsheet'))
    await card.getByLabel('地点', { exact: true }).selectOption({ label: home })
    const line = (ends: string, every: string) =>
      Buffer.concat([
        Buffer.from(`${weekday},18:00,${ends},20,online,visit,`),
        cardiology,
        Buffer.from(`,20,${inDays(0)},${every}\r\n`),
      ])
    const choose = (name: string, buffer: Buffer) =>
      card.locator('input[type=file]').setInputFiles({ name, mimeType: 'text/csv', buffer })
    // As a spreadsheet in China saves it: GB 18030, and two lines that can't be.
    await choose(
      'wrong.csv',
      Buffer.concat([Buffer.from(head), line('17:00', '1'), line('19:00', '1'), line('19:00', '3')]),
    )
    await card.locator('li', { hasText: '第 2 行' }).waitFor()
    await card.locator('li', { hasText: '第 4 行' }).waitFor()
    await journey.shot(doctor, '01-wrong-lines', true)
    await choose('roster.csv', Buffer.concat([Buffer.from(head), line('19:00', '1')]))
    await card.getByRole('button', { name: '导入' }).click()
    await card.getByText('导入了 1 行').waitFor()
    await page.locator(t('template'), { hasText: '18:00-19:00' }).waitFor()
    // And with the byte order mark, every other week, after the first.
    const marked = `\ufeff${head}${weekday},20:00,21:00,20,online,visit,心血管内科,20,${inDays(0)},2\r\n`
    await choose('marked.csv', Buffer.from(marked))
    await card.getByRole('button', { name: '导入' }).click()
    await page.locator(t('template'), { hasText: '隔周' }).waitFor()
    await journey.shot(doctor, '02-imported', true)
    const [download] = await Promise.all([page.waitForEvent('download'), card.getByText('导出 CSV').click()])
    const out = await readFile(await download.path(), 'utf8')
    assert.ok(out.startsWith(`\ufeff${head}`), out)
    assert.equal(out.trim().split('\r\n').length, 3)
    await page.locator(t('publish')).getByLabel('放几周').selectOption('4')
    await page.click(t('publish-go'))
    await page.locator(t('published'), { hasText: '放出了' }).waitFor()
    await fits(doctor, 'roster')
  })

  journey.step('a secret address for the calendar, with no patient in it, and revoked', async () => {
    const { page } = doctor
    await page.click(t('feed-open'))
    const address = (await page.locator(t('feed')).textContent()) ?? ''
    const calendar = await fetch(address)
    const text = await calendar.text()
    assert.equal(calendar.status, 200)
    assert.match(text, /^BEGIN:VCALENDAR\r\n/)
    assert.match(text, /LOCATION:清河市第一医院/)
    assert.doesNotMatch(text, /王秀英|I10/)
    await journey.shot(doctor, '03-feed', true)
    await page.click(t('feed-close'))
    await page.getByText('网址已作废').waitFor()
    assert.equal((await fetch(address)).status, 404)
  })

  journey.step('a series is booked whole, or not at all when one of its times is lost', async () => {
    const sun = journey.person('孙丽')
    for (const name of ['王秀英', '李强', '赵建华'])
      persons[name] = await proven(journey.house, journey.person(name), sun)
    wang = await journey.join('wang', phone)
    const { page } = wang
    await enterByPhone(page, journey.person('王秀英').sign_in.phone ?? '')
    await page.waitForSelector(t('start-booking'))
    const evening = (await slotsOf(30)).filter(
      (slot) => iso(slot.start) >= inDays(2) && new Date(slot.start).toISOString().includes('T10:00'), // 18:00 there
    )
    const [first, second, third] = evening
    assert.ok(first && second && third, 'three evenings at 18:00')
    await toTimes(wang, persons.王秀英 ?? '', '张建国')
    await page.click(`[data-slot="${first.id}"]`)
    await page.waitForSelector(t('again'))
    for (const nth of [0, 1]) await page.locator(t('again')).nth(nth).click()
    await journey.shot(wang, '04-series', true)
    await fits(wang, 'series')
    const stolen = await bookSlot(journey.house, journey.person('李强'), persons.李强 ?? '', third.id)
    await page.click(t('book'))
    await page.locator(t('later-taken')).waitFor()
    await until(
      'the lost one is off, the other kept',
      async () => (await page.locator(`${t('again')}:checked`).count()) === 1,
    )
    await journey.shot(wang, '05-series-lost', true)
    const none = await ask<Visit[]>(journey.house, journey.person('王秀英'), 'GET', '/visits')
    assert.equal(none.length, 0, 'nothing of the series was booked')
    await ask(journey.house, journey.person('李强'), 'POST', `/visits/${stolen}/cancel`, { reason: '算了' })
    await toTimes(wang, persons.王秀英 ?? '', '张建国')
    await page.click(`[data-slot="${first.id}"]`)
    await page.waitForSelector(t('again'))
    for (const nth of [0, 1]) await page.locator(t('again')).nth(nth).click()
    await page.click(t('book'))
    await page.waitForURL(/\/visits\/[0-9a-f-]{36}$/)
    const made = await ask<Visit[]>(journey.house, journey.person('王秀英'), 'GET', '/visits')
    assert.deepEqual(made.map((one) => one.slot_id).sort(), [first.id, second.id, third.id].sort())
  })

  journey.step('a waiting patient is squeezed in beside another, for a reason', async () => {
    li = await journey.join('li', phone)
    await enterByPhone(li.page, journey.person('李强').sign_in.phone ?? '')
    await li.page.waitForSelector(t('start-booking'))
    await toTimes(li, persons.李强 ?? '', '张建国')
    await li.page.click(t('wait'))
    await li.page.locator('[role=status]', { hasText: '候补' }).waitFor()
    coordinator = await journey.join('coordinator', desk)
    const { page } = coordinator
    await enterWorkspace(page, journey.person('孙丽'))
    await page.click('a[href="/staff/waits"]')
    await page.locator(t('wait-entry'), { hasText: '李强' }).locator(t('squeeze')).click()
    await page.fill('input[name=squeeze-why]', '病情需要，等不到下周')
    await journey.shot(coordinator, '06-squeeze')
    assert.deepEqual(await violations(page), [], 'squeeze in')
    await page.click(t('squeeze-go'))
    await page.getByText('没有人在候补').waitFor()
    const visits = await ask<Visit[]>(journey.house, journey.person('李强'), 'GET', '/visits')
    const inside = visits.find((one) => one.overbooked)
    assert.ok(inside, 'the visit beside another')
    await li.page.goto(`/visits/${inside.id}`)
    await li.page.locator(`${t('visit')}[data-state=booked]`).waitFor()
    await li.page.getByText('这是加号').waitFor()
    await journey.shot(li, '07-squeezed-in', true)
  })

  journey.step('who wants any doctor now is taken from the pool by the one who is free', async () => {
    const zhao = await journey.join('zhao', phone)
    await enterByPhone(zhao.page, journey.person('赵建华').sign_in.phone ?? '')
    await zhao.page.waitForSelector(t('start-booking'))
    await toTimes(zhao, persons.赵建华 ?? '')
    await zhao.page.click(t('walk-in'))
    await zhao.page.locator('[role=status]').first().waitFor()
    await journey.shot(zhao, '08-walk-in', true)
    await fits(zhao, 'walk-in')
    const he = await journey.join('he', desk)
    await enterWorkspace(he.page, journey.person('何晓'))
    await he.page.click('a[href="/staff/waits"]')
    await he.page.locator(t('wait-entry'), { hasText: '赵建华' }).waitFor()
    await journey.shot(he, '09-pool')
    await fits(he, 'pool')
    await he.page.click(t('next-walk-in'))
    await he.page.waitForURL(/\/staff\/visits\/[0-9a-f-]{36}$/)
    const visit = new URL(he.page.url()).pathname.split('/').pop() ?? ''
    await zhao.page.goto(`/visits/${visit}`)
    await zhao.page.locator(`${t('visit')}[data-state=booked]`).waitFor()
  })

  journey.step('numbers are called, passed over and called again from the cockpit, by keys', async () => {
    // The first day that still has times for two within the 24 hours in which one may check in.
    const soon = (await slotsOf(2)).filter((slot) => Date.parse(slot.start) < Date.now() + 23 * 3_600_000)
    const days = soon.map((slot) => iso(slot.start))
    day = days.find((one) => days.indexOf(one) !== days.lastIndexOf(one)) ?? ''
    const [first, second] = soon.filter((slot) => iso(slot.start) === day)
    assert.ok(first && second)
    const { house } = journey
    const visitOf = { 王: '', 李: '' }
    visitOf.王 = await bookSlot(house, journey.person('王秀英'), persons.王秀英 ?? '', first.id)
    visitOf.李 = await bookSlot(house, journey.person('李强'), persons.李强 ?? '', second.id)
    const { page } = doctor
    await page.goto('/staff/visits')
    await page.locator(t('queued')).first().waitFor()
    await checkIn(house, journey.person('王秀英'), visitOf.王)
    await page.locator(t('arrivals'), { hasText: '1 号 王秀英 到了' }).waitFor()
    await checkIn(house, journey.person('李强'), visitOf.李)
    await page.locator(t('arrivals'), { hasText: '2 号 李强 到了' }).waitFor()
    await journey.shot(doctor, '10-arrived')
    await wang.page.goto(`/visits/${visitOf.王}`)
    await li.page.goto(`/visits/${visitOf.李}`)
    await page.keyboard.press('F4')
    await wang.page.locator('[role=status]', { hasText: '1 号' }).or(wang.page.getByText('请')).first().waitFor()
    await page.locator(t('call'), { hasText: '再叫 1 号' }).waitFor()
    await journey.shot(doctor, '11-called')
    await journey.shot(wang, '12-called', true)
    await fits(wang, 'called')
    await coordinator.page.click('a[href="/staff/numbers"]')
    if (day === iso(new Date())) await coordinator.page.locator(t('calls'), { hasText: '1 号' }).waitFor()
    else await coordinator.page.getByText('现在没有人候诊').waitFor() // the numbers are tomorrow's
    await journey.shot(coordinator, '13-display')
    await fits(coordinator, 'display')
    await page.keyboard.press('F7') // nobody comes
    await page.locator(t('call'), { hasText: '叫 2 号' }).waitFor()
    const skipped = await ask<Visit & { line: { ahead: number } }>(
      house,
      journey.person('王秀英'),
      'GET',
      `/visits/${visitOf.王}`,
    )
    assert.deepEqual([skipped.token, skipped.line.ahead], [1, 1], 'behind who waits, with the number kept')
    await page.click(`a[href="/staff/visits/${visitOf.王}"]`) // who came after all
    await page.locator(t('call'), { hasText: '叫 1 号' }).waitFor()
    await page.keyboard.press('F4')
    await page.locator(t('call'), { hasText: '再叫 1 号' }).waitFor()
    await journey.shot(doctor, '14-recalled')
    assert.deepEqual(await violations(page), [], 'cockpit')
  })

  journey.step('the doctor is late: who waits reads it at once', async () => {
    const { page } = doctor
    await page.click('a[href="/staff/roster"]')
    const card = page.locator(t('late-card'))
    await card.getByLabel('哪家医院').selectOption({ label: home })
    await card.locator('input[name=late]').fill('25')
    await page.click(t('late'))
    await page.getByText('已经告诉了').waitFor()
    await journey.shot(doctor, '15-late', true)
    // Who has booked for today is told, nobody else.
    const list = await ask<Visit[]>(journey.house, journey.person('王秀英'), 'GET', '/visits')
    assert.ok(list.every((one) => (one.delay_min ?? 0) === (iso(one.start) === iso(new Date()) ? 25 : 0)))
    if (day === iso(new Date())) await wang.page.getByText('医师晚到约 25 分钟').waitFor()
    await journey.shot(wang, '16-late', true)
  })
})
