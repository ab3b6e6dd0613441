import { phrases } from '../i18n/i18n'

export const w = phrases({
  'ev.title': { zh: '核对诊断资料', en: 'Check evidence' },
  'ev.empty': { zh: '没有等核对的资料。', en: 'Nothing to check.' },
  'ev.empty.say': { zh: '病人交了会出现在这里，不用刷新。', en: 'Records appear here by themselves.' },
  'ev.waited': { zh: '等 {n} 分', en: '{n} min' },
  'ev.claim': { zh: '病人说', en: 'The patient says' },
  'ev.paper': { zh: '资料原件', en: 'The paper' },
  'ev.icd10': { zh: '资料上的诊断（ICD-10）', en: 'Diagnosis on the paper (ICD-10)' },
  'ev.find': { zh: '改诊断：编码或病名', en: 'Other diagnosis' },
  'ev.date': { zh: '资料上的日期', en: 'Date on the paper' },
  'ev.note': { zh: '说明（不通过要写，病人看得到）', en: 'Note (required to reject; the patient sees it)' },
  'ev.verify': { zh: '核对无误', en: 'Verified' },
  'ev.reject': { zh: '不通过', en: 'Reject' },
  'ev.same': {
    zh: '名字、医院、日期、诊断都要和资料一样。',
    en: 'Name, hospital, date and diagnosis must match the paper.',
  },
  'ev.pick': { zh: '选一份资料来核对。', en: 'Choose a record.' },
  'ev.open': { zh: '在新窗口打开', en: 'Open in a new window' },
  person: { zh: '{name} {sex} {age} 岁', en: '{name}, {sex}, {age}' },
})
