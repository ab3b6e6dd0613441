import { afterEach, describe, expect, it, vi } from 'vitest'
import { asProblem, call, get, Problem, post, query } from './client'

const answers = (status: number, body: unknown, type = 'application/json') =>
  vi
    .spyOn(globalThis, 'fetch')
    .mockImplementation(
      async () =>
        new Response(status === 204 ? null : JSON.stringify(body), { status, headers: { 'Content-Type': type } }),
    )

afterEach(() => vi.restoreAllMocks())

describe('the client', () => {
  it('turns problem+json into words, remedy and number', async () => {
    answers(409, {
      type: 'about:blank',
      title: 'Conflict',
      status: 409,
      code: 'slot_taken',
      detail: { zh: '这个时间刚被约走。', en: 'Just taken.' },
      remedy: { zh: '请选别的时间。', en: 'Choose another.' },
      request_id: 'req-12345678',
      data: { nearest: [{ id: 's2' }] },
    })
    const problem = await post('/visits', {}).catch(asProblem)
    expect(problem).toBeInstanceOf(Problem)
    expect(problem).toMatchObject({
      status: 409,
      code: 'slot_taken',
      detail: { zh: '这个时间刚被约走。' },
      requestId: 'req-12345678',
    })
    expect((problem as Problem).given('nearest')).toEqual([{ id: 's2' }])
    expect((problem as Problem).given('decision')).toBeUndefined()
  })
  it('says that nothing was sent when there is no line', async () => {
    vi.spyOn(globalThis, 'fetch').mockRejectedValue(new TypeError('Failed to fetch'))
    const problem = await get('/me').catch(asProblem)
    expect(problem).toMatchObject({ status: 0, offline: true, detail: { zh: '现在没有网，还没有发出去。' } })
  })
  it('has words also for an answer that is no problem document', async () => {
    vi.spyOn(globalThis, 'fetch').mockResolvedValue(new Response('<html>bad gateway</html>', { status: 502 }))
    const problem = (await get('/me').catch(asProblem)) as Problem
    expect(problem.status).toBe(502)
    expect(problem.remedy.zh).not.toBe('')
  })
  it('gives every deed an idempotency key and keeps the one it is given', async () => {
    const sent = answers(200, {})
    await post('/visits', { a: 1 }, 'key-1')
    await post('/visits', { a: 1 })
    await get('/visits')
    const keys = sent.mock.calls.map(([, init]) => new Headers(init?.headers).get('Idempotency-Key'))
    expect(keys[0]).toBe('key-1')
    expect(keys[1]).toMatch(/^[0-9a-f-]{36}$/)
    expect(keys[2]).toBeNull()
  })
  it('reads no body from 204', async () => {
    answers(204, undefined)
    expect(await call('POST', '/auth/signout')).toBeUndefined()
  })
  it('builds a query of what is stated', () => {
    expect(query({ a: 'x y', b: undefined, c: 0, d: '' })).toBe('?a=x+y&c=0')
    expect(query({})).toBe('')
  })
})
