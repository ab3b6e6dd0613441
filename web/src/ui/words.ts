import { phrases } from '../i18n/i18n'

export const w = phrases({
  hospital: { zh: '哪家医院', en: 'Hospital' },
  'app.name': { zh: '远诊', en: 'Yuanzhen' },
  'nav.back': { zh: '返回', en: 'Back' },
  'nav.skip': { zh: '跳到正文', en: 'Skip to content' },
  'nav.elder': { zh: '大字', en: 'Large' },
  'nav.lang': { zh: 'English', en: '中文' },
  'nav.lang.short': { zh: 'EN', en: '中文' },
  'nav.emergency': { zh: '120 急救', en: '120' },
  'nav.signout': { zh: '退出', en: 'Sign out' },
  'do.again': { zh: '再试一次', en: 'Try again' },
  'do.close': { zh: '关闭', en: 'Close' },
  'do.cancel': { zh: '取消', en: 'Cancel' },
  'do.next': { zh: '下一步', en: 'Continue' },
  'do.retry.text': { zh: '网慢，还在取。', en: 'Slow line, still loading.' },
  'state.loading': { zh: '正在取…', en: 'Loading…' },
  'state.offline': { zh: '没有网', en: 'No connection' },
  'state.seconds': { zh: '{n} 秒前', en: '{n} s ago' },
  'err.number': { zh: '报修时请说编号 {id}', en: 'When you ask for help, say {id}' },
  'err.summary': { zh: '有 {n} 处要改', en: '{n} to correct' },
  'form.optional': { zh: '可以不填', en: 'optional' },
})
