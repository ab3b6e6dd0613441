// Text in two languages. Each folder keeps its sentences in words.ts beside the screens that say them,
// so a page loads only the words it can speak.
import { effect, signal } from '@preact/signals'

export type Lang = 'zh' | 'en'
export type Phrase = { zh: string; en: string }

type Holes<S extends string> = S extends `${string}{${infer Hole}}${infer Rest}` ? Hole | Holes<Rest> : never
type Fill<P extends Phrase> = Record<Holes<P['zh']>, string | number>

const stored = <T extends string>(key: string, allowed: readonly T[], otherwise: T): T => {
  const value = globalThis.localStorage?.getItem(key)
  return allowed.find((one) => one === value) ?? otherwise
}

export const lang = signal<Lang>(stored('yz.lang', ['zh', 'en'], 'zh'))
export const elder = signal<boolean>(stored('yz.elder', ['on', 'off'], 'off') === 'on')

/** Keeps language and type size on <html> and across reloads. Called once by each entry. */
export function rememberReading(): void {
  effect(() => {
    document.documentElement.lang = lang.value === 'zh' ? 'zh-CN' : 'en'
    localStorage.setItem('yz.lang', lang.value)
  })
  effect(() => {
    document.documentElement.classList.toggle('elder', elder.value)
    localStorage.setItem('yz.elder', elder.value ? 'on' : 'off')
  })
}

/** The text in the language of the reader. */
export function pick(text: Phrase): string {
  return text[lang.value] || text.zh
}

/** A speaking function over a set of sentences; `{holes}` are filled and checked by the compiler. */
export function phrases<const C extends Record<string, Phrase>>(catalogue: C) {
  return Object.assign(
    <K extends keyof C & string>(key: K, ...fill: Holes<C[K]['zh']> extends never ? [] : [Fill<C[K]>]): string => {
      const sentence = pick(catalogue[key] as Phrase)
      const values: Record<string, string | number> = fill[0] ?? {}
      return sentence.replace(/\{(\w+)\}/g, (hole, name: string) => String(values[name] ?? hole))
    },
    { catalogue },
  )
}
