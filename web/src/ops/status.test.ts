import { describe, expect, it } from 'vitest'
import { rows } from './status'

describe('/readyz as rows', () => {
  it('shows each engine with its kind, and nothing else', () => {
    const body = {
      bus: { kind: 'NATS (embedded)', ms: 0, ok: true },
      database: { kind: 'embedded PostgreSQL 15.18', ms: 4, ok: false, error: 'connection refused' },
      draining: false,
      media: { Rooms: 0, Media: { Peers: 0 } },
      ready: false,
      version: 'dev',
    }
    expect(rows(body)).toEqual([
      { name: 'bus', ok: true, detail: 'NATS (embedded)' },
      { name: 'database', ok: false, detail: 'embedded PostgreSQL 15.18' },
    ])
  })
  it.each([null, 'ok', [], 3])('finds nothing in %j', (body) => expect(rows(body)).toEqual([]))
})
