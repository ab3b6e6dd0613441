// A request goes out in the hospital's name: the medical office on a phone, the doctor, and the invited hospital's coordinator.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { desk, phone, type Someone } from './browser'
import { Journey, t } from './journey'
import { overflow, tooSmall, violations } from './judge'
import { enterWorkspace, toScreen } from './people'

describe('the medical office countersigns', { concurrency: 1 }, () => {
  const journey = new Journey('countersign')
  let office: Someone
  let county: Someone
  let coordinator: Someone

  const inState = (state: string) => county.page.waitForSelector(`${t('case-page')}[data-state=${state}]`)
  const write = async (question: string, urgency: 'routine' | 'emergency') => {
    const { page } = county
    await page.goto('/staff/cases/new')
    await page.fill(t('patient'), '周')
    await page.locator('[role=option]', { hasText: '周大山' }).click()
    await page.getByLabel('会诊科室').selectOption('呼吸内科')
    await page.getByLabel('多急').selectOption(urgency)
    await page.fill('textarea[name=question]', question)
    await page.fill('input[name=diagnosis]', '右上叶结节待查')
    await page.fill('textarea[name=summary]', '58 岁男，咳嗽 3 周，无发热，吸烟 30 年。')
    await page.fill('textarea[name=labs]', 'CEA 3.2 ng/mL')
    await page.click(t('save-request'))
    await inState('draft')
    await page.click(t('consent'))
    await page.click(`${t('submit-request')}:not([disabled])`)
  }
  const fits = async ({ page }: Someone) => {
    assert.deepEqual(await violations(page), [])
    assert.equal(await overflow(page), 0)
    assert.deepEqual(await tooSmall(page, 24), [])
  }
  const matter = (question: string) => office.page.locator(t('countersign'), { hasText: question })

  journey.step('the county hospital sets that its requests need the countersign', async () => {
    office = await journey.join('office', phone)
    const { page } = office
    await enterWorkspace(page, journey.person('袁敏'))
    await toScreen(page, '/staff/countersigns')
    await page.waitForSelector(`${t('countersign-rule')}[data-needed=false]`)
    await page.getByText('没有等会签的申请。').waitFor()
    await page.fill('input[name=countersigning_reason]', '院务会决定')
    await page.click(t('set-countersigning'))
    await page.waitForSelector(`${t('countersign-rule')}[data-needed=true]`)
    await fits(office)
    await journey.shot(office, '01-rule', true)
  })

  journey.step('a request waits for the office, unseen by the invited hospital', async () => {
    county = await journey.join('county', desk)
    await enterWorkspace(county.page, journey.person('赵志远'))
    await write('结节是什么性质？', 'routine')
    await inState('with_office')
    await county.page.getByText('等医务部门会签，').waitFor()
    await county.page.locator(`${t('steps')} summary`, { hasText: '送医务部门会签' }).waitFor()
    await fits(county)
    await journey.shot(county, '02-waits', true)
    coordinator = await journey.join('coordinator', desk)
    await enterWorkspace(coordinator.page, journey.person('孙丽'))
    await coordinator.page.click('a[href="/staff/board"]')
    await coordinator.page.getByText('没有等协调的会诊。').waitFor()
  })

  journey.step('the office sees what it answers for, and gives it back with a reason', async () => {
    const { page } = office
    const one = matter('结节是什么性质？')
    await one.waitFor()
    const said = (await one.textContent()) ?? ''
    assert.match(said, /周\*\*/)
    assert.match(said, /赵志远/)
    assert.match(said, /纸质/)
    assert.doesNotMatch(said, /周大山|咳嗽|CEA/, 'no more than the office needs')
    await fits(office)
    await journey.shot(office, '03-waiting', true)
    await one.locator(t('countersign-refuse')).click()
    await page.fill('textarea[name=countersign-refuse]', '请写明近期有没有做过穿刺')
    await page.click(t('countersign-refuse-go'))
    await one.waitFor({ state: 'detached' })
    await inState('draft')
    await county.page.getByText('请写明近期有没有做过穿刺').first().waitFor()
    await county.page.locator(`${t('steps')} summary`, { hasText: '医务部门退回' }).waitFor()
    await fits(county)
    await journey.shot(county, '04-sent-back', true)
  })

  journey.step('the doctor mends it; the office countersigns by keyboard, and it goes out', async () => {
    await county.page.locator(`${t('edit')} summary`).click()
    await county.page.locator(`${t('edit')} textarea[name=question]`).fill('结节是什么性质？未做过穿刺。')
    await county.page.click(t('save-edit'))
    await county.page.locator('dd', { hasText: '未做过穿刺' }).waitFor()
    await county.page.click(`${t('submit-request')}:not([disabled])`)
    await inState('with_office')
    const one = matter('未做过穿刺')
    await one.waitFor()
    await one.locator(t('countersign-sign')).focus()
    await office.page.keyboard.press('Enter')
    await one.waitFor({ state: 'detached' })
    await inState('submitted')
    await county.page.waitForSelector(t('clock'))
    await county.page.locator('dd', { hasText: '袁敏' }).waitFor()
    await journey.shot(county, '05-gone-out', true)
    const row = coordinator.page.locator(t('case'), { hasText: '未做过穿刺' })
    await row.click()
    await coordinator.page.waitForSelector(`${t('case-page')}[data-state=submitted]`)
    await coordinator.page.locator('dd', { hasText: '袁敏' }).waitFor()
  })

  journey.step('an emergency goes out at once, and its countersign is owed', async () => {
    await write('大咯血，要不要马上介入？', 'emergency')
    await inState('submitted')
    await county.page.getByText('急诊已送出；').waitFor()
    await coordinator.page.locator(t('case'), { hasText: '大咯血' }).waitFor()
    const one = matter('大咯血')
    await one.waitFor()
    assert.equal(await one.getAttribute('data-owed'), 'true')
    await fits(office)
    await journey.shot(office, '06-owed', true)
    await one.locator(t('countersign-sign')).click()
    await office.page.getByText('没有等会签的申请。').waitFor()
    await county.page.getByText('急诊已送出；').waitFor({ state: 'detached' })
    await county.page.locator('dd', { hasText: '袁敏' }).waitFor()
    await journey.shot(county, '07-countersigned-after', true)
  })
})
