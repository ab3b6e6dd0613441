// One formatter for dates, money and names. Hospitals keep the time of their place, so screens do too, wherever the device is. Messages
// say the same words (consult/schedule.Moment): both are held to consult/schedule/testdata/moments.json.
import { lang, type Phrase } from './i18n'

const china = 'Asia/Shanghai'
const locale = () => (lang.value === 'zh' ? 'zh-CN' : 'en-GB')

/** 09:20 */
export function clock(at: string | Date, zone = china): string {
  return new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit' }).format(new Date(at))
}

/** 11月22日 星期日; a weekday stands with every date. */
export function day(at: string | Date, zone = china): string {
  const parts = {
    timeZone: zone,
    month: lang.value === 'zh' ? 'long' : 'short',
    day: 'numeric',
    weekday: 'long',
  } as const
  return new Intl.DateTimeFormat(locale(), parts).format(new Date(at)).replace('日星期', '日 星期')
}

/** 2026-11-22, also the key that groups times by day. */
export function isoDay(at: string | Date, zone = china): string {
  return new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(
    new Date(at),
  )
}

/** 今天 11月22日 星期日 */
export function nearDay(at: string | Date, now: Date = new Date()): string {
  const days = Math.round((Date.parse(isoDay(at)) - Date.parse(isoDay(now))) / 86_400_000)
  const near: Record<number, Phrase> = { 0: { zh: '今天', en: 'Today' }, 1: { zh: '明天', en: 'Tomorrow' } }
  const word = near[days]?.[lang.value]
  return word ? `${word} ${day(at)}` : day(at)
}

/** 今天 11月22日 星期日 09:20 */
export function moment(at: string | Date, now: Date = new Date()): string {
  return `${nearDay(at, now)} ${clock(at)}`
}

/** Yuan from fen: 20 or 20.50. */
export function yuan(fen: number): string {
  return fen % 100 === 0 ? (fen / 100).toFixed(0) : (fen / 100).toFixed(2)
}

export function minutes(seconds: number): number {
  return Math.max(0, Math.round(seconds / 60))
}

/** 138****0021 */
export function maskPhone(phone: string): string {
  return phone.replace(/^(\d{3})\d{4}(\d{4})$/, '$1****$2')
}

/** 159 MB; in powers of ten, as files are counted. */
export function bytes(count: number): string {
  const steps: [number, string][] = [
    [1e9, 'GB'],
    [1e6, 'MB'],
    [1e3, 'kB'],
  ]
  const [size, unit] = steps.find(([size]) => count >= size) ?? [1, 'B']
  const value = count / size
  return `${value < 10 && unit !== 'B' ? value.toFixed(1) : Math.round(value)} ${unit}`
}
