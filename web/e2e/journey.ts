// What the journeys share: a house, people with a browser each, steps that end at the first failure, and pictures of each.
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { Browser } from 'playwright-core'
import { type desk, launch, type phone, type reading, type Someone, shot, someone } from './browser'
import { House } from './house'
import { sections, watchMedia } from './media'
import { cast, type Person, patients } from './people'
import { Traces } from './traces'

export const t = (name: string) => `[data-test=${name}]`

export class Journey {
  house!: House
  person!: (name: string) => Person
  readonly traces = new Traces()
  private readonly browsers: Browser[] = []
  private readonly everybody = new Map<string, Someone>()
  private failed = ''

  /**
   * Pictures go to shots/<name>; the house opens before the first step and closes after the last, once nothing of a patient
   * was found in what is left of the journey.
   */
  constructor(private readonly name: string) {
    before(async () => {
      this.house = await House.open()
      this.house.heard = (answer) => this.traces.handed(answer)
      this.traces.hide(...patients)
      this.person = await cast(this.house)
    })
    after(async () => {
      try {
        if (!this.failed) await this.leavesNoTrace()
      } finally {
        await Promise.all(this.browsers.map((browser) => browser.close()))
        await this.house?.close()
      }
    })
  }

  /** A person with a Chromium of their own; `address` is another way to the house. */
  async join(who: string, size: typeof phone | typeof desk | typeof reading, address = ''): Promise<Someone> {
    const browser = await launch()
    this.browsers.push(browser)
    const one = await someone(browser, size, address || this.house.address)
    this.traces.watch(one.context, who)
    one.page.setDefaultTimeout(30_000)
    await watchMedia(one.context)
    this.everybody.set(who, one)
    return one
  }

  shot(who: Someone, name: string, fullPage = false): Promise<void> {
    return shot(who.page, `${this.name}/${name}`, fullPage)
  }

  /** After a failure the later steps fail at once, and everybody's screen and connections are kept. */
  step(title: string, deed: () => Promise<void>): void {
    it(title, async () => {
      if (this.failed) throw `not reached, since this failed: ${this.failed}`
      this.failed = title
      try {
        await deed()
        assert.deepEqual(this.errors(), [], 'a page broke or was refused by its own policy')
      } catch (error) {
        for (const [who, one] of this.everybody) {
          await this.shot(one, `failed-${who}`)
          for (const line of await sections(one.page).catch(() => [])) console.log(`${who}: ${line}`)
        }
        throw error
      }
      this.failed = ''
    })
  }

  private async leavesNoTrace(): Promise<void> {
    const { told, looked } = await this.traces.found(this.house.folder, this.house.address)
    console.log(`what is left of it: ${looked}`)
    assert.deepEqual(told, [], 'the journey left behind what tells of a patient, or opens a door')
  }

  private errors(): string[] {
    return [...this.everybody].flatMap(([who, { errors }]) => errors.map((error) => `${who} ${error}`))
  }
}
