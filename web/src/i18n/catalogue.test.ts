import { describe, expect, it } from 'vitest'

type Speaker = { w?: { catalogue: Record<string, { zh: string; en: string }> } }
const modules = import.meta.glob<Speaker>('../**/*words.ts', { eager: true })
const sentences = Object.entries(modules).flatMap(([file, { w }]) =>
  Object.entries(w?.catalogue ?? {}).map(([key, phrase]) => ({ at: `${file} ${key}`, key, phrase })),
)
const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort()

describe('the words', () => {
  it('are found', () => {
    expect(Object.keys(modules).length).toBeGreaterThan(4)
    expect(sentences.length).toBeGreaterThan(150)
  })
  it('stand in both languages', () => {
    expect(
      sentences.filter(({ phrase }) => phrase.zh.trim() === '' || phrase.en.trim() === '').map(({ at }) => at),
    ).toEqual([])
  })
  it('have the same holes in both languages', () => {
    expect(
      sentences.filter(({ phrase }) => holes(phrase.zh).join() !== holes(phrase.en).join()).map(({ at }) => at),
    ).toEqual([])
  })
  it('do not shout, blame or hide behind the system', () => {
    const forbidden = /[!！]|系统错误|非法|操作失败/
    expect(
      sentences.filter(({ phrase }) => forbidden.test(phrase.zh) || /!/.test(phrase.en)).map(({ at }) => at),
    ).toEqual([])
  })
  it('use Chinese in the first language and none in the second', () => {
    const bilingual = new Set(['nav.lang', 'nav.lang.short'])
    expect(
      sentences.filter(({ key, phrase }) => !bilingual.has(key) && /[一-龥]/.test(phrase.en)).map(({ at }) => at),
    ).toEqual([])
  })
})
