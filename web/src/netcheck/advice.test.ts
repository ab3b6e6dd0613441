import { describe, expect, it } from 'vitest'
import { advice, type PathName, type PathResult, pathNames } from './advice'

const path = (name: PathName, change: Partial<PathResult> = {}): PathResult => ({
  name,
  ok: true,
  connect: 200,
  rtt: 20,
  jitter: 2,
  loss: 0,
  frames: 30,
  ...change,
})
const all = (change: (name: PathName) => Partial<PathResult>) => ({
  paths: pathNames.map((name) => path(name, change(name))),
  down: 20_000,
  up: 20_000,
})
const only = (...open: PathName[]) => all((name) => ({ ok: open.includes(name) }))
const first = (report: Parameters<typeof advice>[0]) => advice(report)[0]?.zh ?? ''

describe('what to do about a network', () => {
  it('nothing, when all is open and quick', () => {
    expect(advice(all(() => ({})))).toEqual([{ zh: '网络合格，可以看病。', en: 'The network is fit for visits.' }])
  })
  it.each([
    [only(), '完全过不去'],
    [only('tcp', 'turn-tcp', 'turn-tls'), 'UDP 被挡'],
    [only('tcp', 'turn-udp', 'turn-tcp', 'turn-tls'), '要经过中继'],
    [only('udp', 'tcp', 'turn-udp', 'turn-tcp'), 'TURN/TLS 走不通'],
    [all(() => ({ loss: 0.08 })), '丢包 8%'],
    [all(() => ({ rtt: 410 })), '往返 410 毫秒'],
    [all(() => ({ jitter: 80 })), '抖动 80 毫秒'],
    [{ ...all(() => ({})), up: 400 }, '带宽约 400 kbit/s'],
  ])('%#: the most urgent first', (report, words) => {
    expect(first(report)).toContain(words)
  })
  it('is no pass where something was not measured', () => {
    expect(advice({ ...all(() => ({})), down: undefined }).some(({ zh }) => zh.includes('合格，可以'))).toBe(false)
  })
})
