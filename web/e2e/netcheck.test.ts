// The network page in Chromium: sound and pictures of a call, decoded, over each path by itself: UDP, ICE-TCP alone, and
// the relay over UDP, TCP and TLS.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { phone, type Someone } from './browser'
import { Journey, t } from './journey'
import { overflow, tooSmall, violations } from './judge'

describe('a network check', { concurrency: 1 }, () => {
  const journey = new Journey('netcheck')
  let engineer: Someone

  journey.step('every path carries pictures and sound, and the page says that all is well', async () => {
    engineer = await journey.join('engineer', phone)
    const { page } = engineer
    await page.goto('/netcheck')
    await page.waitForSelector(t('netcheck-go'))
    await journey.shot(engineer, '01-start')
    assert.deepEqual(await violations(page), [])
    await page.click(t('netcheck-go'))
    await page.waitForSelector(`${t('netcheck')}[data-done=yes]`, { timeout: 180_000 })
    await journey.shot(engineer, '02-report', true)
    const found = await page.$$eval('[data-test^=path-]', (rows) =>
      rows.map((row) => [row.getAttribute('data-test'), row.getAttribute('data-ok'), row.getAttribute('data-frames')]),
    )
    console.log(found.map((row) => row.join(' ')).join('; '))
    assert.deepEqual(
      found.map(([name]) => name),
      ['path-udp', 'path-tcp', 'path-turn-udp', 'path-turn-tcp', 'path-turn-tls'],
    )
    for (const [name, ok, frames] of found) {
      assert.equal(ok, 'true', `${name} is blocked`)
      assert.ok(Number(frames) > 5, `${name}: ${frames} frames decoded`)
    }
    assert.deepEqual(await violations(page), [])
    assert.equal(await overflow(page), 0)
    assert.deepEqual(await tooSmall(page, 48), [])
  })
})
