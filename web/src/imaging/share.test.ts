import { describe, expect, it } from 'vitest'
import { leadTopic, readShown, Share, type ShareView, type Shown, stateTopic } from './share'

const slice = (sop: string): Shown => ({
  study: '1.2',
  series: '1.2.3',
  sop,
  frame: 1,
  voi: { center: 40, width: 400 },
  zoom: 1,
  x: 256,
  y: 256,
})

/** A room of two: what one says both hear, in one order, as the server would have it. */
function room(...names: string[]) {
  let time = 0
  let timers: { at: number; deed: () => void }[] = []
  const said: { topic: string; from: string; data: unknown }[] = []
  const people = names.map((name, index) => {
    const seat = `seat-${index}`
    const person = {
      seat,
      name,
      view: undefined as ShareView | undefined,
      pointed: [] as string[],
      share: undefined as unknown as Share,
    }
    person.share = new Share(
      {
        say: (topic, data) => {
          said.push({ topic, from: seat, data })
          for (const one of people) one.share.hear(topic, seat, data)
        },
        point: (raw) => {
          for (const one of people) if (one !== person) one.share.heardPointer(seat, raw)
          return true
        },
        now: () => time,
        later: (deed, ms) => {
          const timer = { at: time + ms, deed }
          timers.push(timer)
          return () => {
            timers = timers.filter((one) => one !== timer)
          }
        },
      },
      (view) => {
        person.view = view
      },
    )
    return person
  })
  const seats = people.map(({ seat }) => seat)
  for (const { share, seat, name } of people) share.people(seat, name, seats)
  const pass = (ms: number) => {
    time += ms
    const due = timers.filter(({ at }) => at <= time)
    timers = timers.filter(({ at }) => at > time)
    for (const { deed } of due) deed()
  }
  return { people: people as [(typeof people)[number], (typeof people)[number]], said, pass, seats }
}

describe('looking at the same image', () => {
  it('shows everybody who presents, and followers what is presented', () => {
    const {
      people: [li, zhao],
    } = room('李明', '赵强')
    li.share.lead()
    expect(li.view).toMatchObject({ leading: true, following: false, leader: { name: '李明' } })
    expect(zhao.view).toMatchObject({ leading: false, following: true, leader: { name: '李明' } })
    li.share.moved(slice('1'))
    expect(zhao.view?.shown).toEqual(slice('1'))
    expect(li.view?.shown).toBeUndefined()
  })
  it('shows followers what stands beside, and how it is tied', () => {
    const {
      people: [li, zhao],
      pass,
    } = room('李明', '赵强')
    const tied = { scroll: true, window: false, way: { by: 'offset', mm: -3.5 } } as const
    const pair: Shown = { ...slice('1'), beside: { ...slice('7'), series: '1.9', voi: undefined, ...tied } }
    li.share.lead()
    li.share.moved(pair)
    expect(zhao.view?.shown).toEqual(pair)
    pass(100)
    li.share.moved(slice('2'))
    expect(zhao.view?.shown).toEqual(slice('2'))
  })
  it('sends at most 15 states a second and always the last one', () => {
    const {
      people: [li, zhao],
      said,
      pass,
    } = room('李明', '赵强')
    li.share.lead()
    for (let n = 1; n <= 100; n++) {
      li.share.moved(slice(String(n)))
      pass(10)
    }
    pass(100)
    expect(said.filter(({ topic }) => topic === stateTopic).length).toBeLessThanOrEqual(16)
    expect(zhao.view?.shown?.sop).toBe('100')
  })
  it('leaves following on the first own move and comes back on one press', () => {
    const {
      people: [li, zhao],
    } = room('李明', '赵强')
    li.share.lead()
    zhao.share.moved(slice('9'))
    expect(zhao.view?.following).toBe(false)
    li.share.moved(slice('2'))
    zhao.share.follow(true)
    expect(zhao.view).toMatchObject({ following: true, shown: { sop: '2' } })
  })
  it('lets the last who takes it present, on every side', () => {
    const {
      people: [li, zhao],
    } = room('李明', '赵强')
    li.share.lead()
    zhao.share.lead()
    expect([li.view?.leader?.name, zhao.view?.leader?.name]).toEqual(['赵强', '赵强'])
    expect([li.view?.leading, zhao.view?.leading]).toEqual([false, true])
  })
  it('ignores states of who does not present, and a release by another', () => {
    const {
      people: [li, zhao],
    } = room('李明', '赵强')
    li.share.lead()
    zhao.share.hear(stateTopic, 'seat-9', slice('8'))
    expect(zhao.view?.shown).toBeUndefined()
    zhao.share.hear(leadTopic, 'seat-9', null)
    expect(zhao.view?.leader?.name).toBe('李明')
  })
  it('ends a presentation when the presenter is gone', () => {
    const {
      people: [li, zhao],
    } = room('李明', '赵强')
    li.share.lead()
    zhao.share.people('seat-1', '赵强', ['seat-1'])
    expect(zhao.view).toMatchObject({ leader: undefined, following: false })
  })
  it('shows a pointer for two seconds, in image coordinates', () => {
    const {
      people: [li, zhao],
      pass,
    } = room('李明', '赵强')
    li.share.point({ sop: '1', frame: 1, x: 120.04, y: 88.5 })
    expect(zhao.view?.pointers).toMatchObject([{ seat: 'seat-0', sop: '1', x: 120, y: 88.5 }])
    pass(2100)
    expect(zhao.view?.pointers).toEqual([])
  })
  it('sends at most 20 pointers a second, and where the pointer rests', () => {
    const {
      people: [li, zhao],
      pass,
    } = room('李明', '赵强')
    const heard: string[] = []
    zhao.share.heardPointer = (_, raw) => void heard.push(raw)
    for (let n = 0; n < 99; n++) {
      li.share.point({ sop: '1', frame: 1, x: n, y: 0 })
      pass(10)
    }
    expect(heard.length).toBeLessThanOrEqual(20)
    pass(50)
    expect(heard.at(-1)).toContain('"x":98')
  })
  it.each([
    null,
    'x',
    3,
    [],
    {},
    { ...slice('1'), zoom: 0 },
    { ...slice('1'), voi: { center: 1, width: -1 } },
    { ...slice('1'), x: Number.NaN },
    { ...slice('1'), sop: 7 },
    { ...slice('1'), beside: 3 },
    { ...slice('1'), beside: slice('7') },
    { ...slice('1'), beside: { ...slice('7'), scroll: true, window: true, way: { by: 'guess' } } },
    { ...slice('1'), beside: { ...slice('7'), scroll: true, window: true, way: { by: 'offset', mm: '1' } } },
    { ...slice('1'), beside: { scroll: true, window: true, way: { by: 'none' } } },
  ])('does not follow %j', (value) => expect(readShown(value)).toBeUndefined())
  it('survives a pointer that is no pointer', () => {
    const {
      people: [, zhao],
    } = room('李明', '赵强')
    for (const raw of ['', '{', 'null', '[]', '{"sop":1}']) zhao.share.heardPointer('seat-0', raw)
    expect(zhao.view?.pointers).toEqual([])
  })
})
