// The law in the room: a daughter comes by link and waits for the doctor, words and a photo stay with the visit, the door
// can be locked, and the seat moves from the phone to a computer.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { desk, phone, type Someone } from './browser'
import { book, sheet } from './errands'
import { until } from './house'
import { Journey, t } from './journey'
import { violations } from './judge'
import { flowing } from './media'
import { enterByPhone, enterWorkspace } from './people'

describe('who is in the room', { concurrency: 1 }, () => {
  const journey = new Journey('room')
  let patient: Someone
  let doctor: Someone
  let daughter: Someone
  let computer: Someone
  let visit = ''

  const linkOf = async (who: Someone, kind: string): Promise<string> => {
    await who.page.click(t('more'))
    await who.page.click(t(`invite-${kind}`))
    const link = ((await who.page.textContent(t('link'))) ?? '').trim()
    await journey.shot(who, `link-${kind}`)
    await who.page.keyboard.press('Escape')
    return link
  }

  journey.step('a visit is under way', async () => {
    const wang = journey.person('王秀英')
    visit = await book(journey.house, wang, journey.person('孙丽'))
    patient = await journey.join('patient', phone)
    await enterByPhone(patient.page, wang.sign_in.phone ?? '')
    await patient.page.click(`a[href="/visits/${visit}"]`)
    await patient.page.click(t('try-devices'))
    await patient.page.click(t('check-in'))
    await patient.page.waitForSelector(t('place'))
    doctor = await journey.join('doctor', desk)
    await enterWorkspace(doctor.page, journey.person('张建国'))
    await doctor.page.waitForSelector(`a[href="/staff/visits/${visit}"][data-state=checked_in]`)
    await doctor.page.keyboard.press('F2')
    await Promise.all([flowing(doctor.page, 1), flowing(patient.page, 1)])
  })

  journey.step('a daughter comes by link, says who she is, and waits outside', async () => {
    const link = await linkOf(patient, 'companion')
    assert.match(link, /\/join#companion\.[A-Z2-7]{26}$/)
    daughter = await journey.join('daughter', phone)
    const { page } = daughter
    await page.goto(link)
    await page.waitForSelector('input[name=name]')
    await journey.shot(daughter, '01-who-are-you')
    assert.deepEqual(await violations(page), [])
    assert.ok(!page.url().includes('#'), 'the secret stands in the address bar')
    await page.fill('input[name=name]', '刘梅')
    await page.fill('input[name=relation]', '女儿')
    await page.click(t('join-go'))
    await page.waitForSelector(`${t('seat')}[data-phase=waiting]`)
    await journey.shot(daughter, '02-outside')
    assert.deepEqual(await violations(page), [])
    await doctor.page.getByText('刘梅 · 女儿（家属）在门外等').waitFor()
    await journey.shot(doctor, '03-somebody-knocks')
    assert.deepEqual(await violations(doctor.page), [])
  })

  journey.step('the doctor lets her in: three hear and see each other, with name and role', async () => {
    await doctor.page.click(t('admit-companion'))
    await Promise.all([doctor, patient, daughter].map(({ page }) => flowing(page, 2)))
    await patient.page
      .locator(`${t('person')}[data-role=family]`)
      .getByText('刘梅 · 女儿（家属）')
      .last()
      .waitFor()
    await daughter.page
      .locator(`${t('person')}[data-role=guest]`)
      .getByText('王秀英（病人）')
      .last()
      .waitFor()
    await journey.shot(patient, '04-three-patient')
    await journey.shot(daughter, '05-three-daughter')
    await journey.shot(doctor, '06-three-doctor')
    const again = await journey.join('thief', phone)
    await again.page.goto(`${journey.house.address}/join#companion.AAAAAAAAAAAAAAAAAAAAAAAAAA`)
    await again.page.fill('input[name=name]', '路人')
    await again.page.click(t('join-go'))
    await again.page.getByText('这个链接已经用过、过期了').waitFor()
  })

  journey.step('words and a photo reach everybody', async () => {
    await patient.page.click(t('chat-key'))
    await patient.page.fill('textarea[name=message]', '今早血压 158/96')
    await patient.page.click(t('chat-send'))
    await patient.page.locator(t('message')).getByText('今早血压 158/96').waitFor()
    await doctor.page.getByText('文字（1 条新）').waitFor()
    await doctor.page.click(t('chat-key'))
    await doctor.page.locator(t('message')).getByText('今早血压 158/96').waitFor()
    await daughter.page.getByText('文字（1 条新）').click()
    const photo = await sheet(patient, '王秀英')
    await daughter.page
      .locator('dialog input[type=file]')
      .setInputFiles({ name: '病历.png', mimeType: 'image/png', buffer: photo })
    await doctor.page.locator(t('open-file')).click()
    const picture = doctor.page.locator(`${t('message')} img`)
    await until('the photo is drawn', () =>
      picture.evaluate((img: HTMLImageElement) => img.complete && img.naturalWidth > 0).catch(() => false),
    )
    await journey.shot(patient, '07-chat-patient')
    assert.deepEqual(await violations(patient.page), [])
    await journey.shot(doctor, '08-chat-doctor')
    assert.deepEqual(await violations(doctor.page), [])
    await patient.page.keyboard.press('Escape')
    await daughter.page.keyboard.press('Escape')
  })

  journey.step('a reload brings the daughter back to her seat; the locked door keeps a new face out', async () => {
    await daughter.page.reload()
    await flowing(daughter.page, 2)
    const link = await linkOf(patient, 'companion')
    await doctor.page.click(t('lock'))
    await patient.page.click(t('more'))
    await patient.page.getByText('门锁着，别人进不来').waitFor()
    await patient.page.keyboard.press('Escape')
    const neighbour = await journey.join('neighbour', phone)
    await neighbour.page.goto(link)
    await neighbour.page.fill('input[name=name]', '邻居')
    await neighbour.page.click(t('join-go'))
    await neighbour.page.getByText('医生锁上了诊室').waitFor()
    await journey.shot(neighbour, '09-locked')
    await doctor.page.click(t('lock'))
  })

  journey.step('the seat moves to a computer, and the phone is told', async () => {
    const link = await linkOf(patient, 'device')
    computer = await journey.join('computer', desk)
    await computer.page.goto(link)
    await computer.page.click(t('join-go'))
    await flowing(computer.page, 2)
    await patient.page.getByText('您已在另一个页面或设备进入').waitFor()
    await journey.shot(patient, '10-replaced')
    await journey.shot(computer, '11-computer')
    await doctor.page.getByText('王秀英（病人）').first().waitFor()
  })

  journey.step('who is sent away is out, and what was written stays in the visit', async () => {
    await doctor.page.click(t('remove-companion'))
    await daughter.page.getByText('您已经出来了').waitFor()
    await journey.shot(daughter, '12-out')
    const { status, body } = await journey.house.call(
      journey.person('王秀英').session,
      'GET',
      `/api/v1/visits/${visit}/messages`,
    )
    assert.equal(status, 200)
    assert.deepEqual(
      (body as { text?: string; file?: { name: string } }[]).map(({ text, file }) => text ?? file?.name),
      ['今早血压 158/96', '病历.png'],
    )
    const stranger = await journey.house.call(journey.person('李强').session, 'GET', `/api/v1/visits/${visit}/messages`)
    assert.equal(stranger.status, 404)
  })
})
