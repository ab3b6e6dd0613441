import { phrases } from '../i18n/i18n'

export const w = phrases({
  'held.until': { zh: '这个时间为您保留到 {at}', en: 'This time is kept for you until {at}' },
  'wait.go': { zh: '没有合适的？候补，有人退号就通知我', en: 'Nothing fits? Wait for a cancelled time' },
  'wait.note': { zh: '空出来会发短信，为您保留 30 分钟', en: 'You get a message and 30 minutes to answer' },
  'wait.joined': { zh: '已经在候补了', en: 'You are on the waiting list' },
  'wait.ahead': { zh: '前面还有 {n} 位', en: '{n} ahead of you' },
  'wait.with': { zh: '{doctor} · {department}', en: '{doctor} · {department}' },
  'wait.any': { zh: '任何医师', en: 'Any doctor' },
  'wait.until': { zh: '候补到 {day}', en: 'Until {day}' },
  'wait.offer': { zh: '空出来了：{at}', en: 'A time is free: {at}' },
  'wait.offer.until': { zh: '为您保留到 {at}，过了会问下一位', en: 'Kept for you until {at}, then the next is asked' },
  'wait.take': { zh: '就要这个时间', en: 'Take this time' },
  'wait.leave': { zh: '不候补了', en: 'Leave the list' },
  'wait.title': { zh: '候补', en: 'Waiting list' },
  'news.token': { zh: '您是 {n} 号', en: 'Your number is {n}' },
  'news.called': { zh: '叫到您了，请不要离开页面', en: 'Your number is called; please stay on this page' },
  'news.late': {
    zh: '医师晚到约 {n} 分钟，您的号保留',
    en: 'The doctor is about {n} minutes late; your place is kept',
  },
  'news.moved': { zh: '时间改过：原来是 {at}', en: 'The time was changed: it was {at}' },
  'news.moved.ill': {
    zh: '医师临时不能出诊，换了一位医师。不方便可以免费取消。',
    en: 'The doctor fell ill and another one sees you. You may cancel free of charge.',
  },
  'news.hospital': { zh: '由医院取消，不是您的原因', en: 'Cancelled by the hospital, not because of you' },
  'news.refund': { zh: '费用会原路退回', en: 'Your fee is returned' },
  'news.again': { zh: '另选时间', en: 'Choose another time' },
  'move.go': { zh: '改时间', en: 'Change the time' },
  'move.title': { zh: '改到什么时候？', en: 'Change to when?' },
  'move.none': { zh: '这位医师近 14 天没有别的空号。', en: 'No other free time within 14 days.' },
})
