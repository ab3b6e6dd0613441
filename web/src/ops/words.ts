import { phrases } from '../i18n/i18n'

export const w = phrases({
  'nav.main': { zh: '工作', en: 'Work' },
  'nav.visits': { zh: '门诊', en: 'Visits' },
  'nav.cases': { zh: '会诊', en: 'Consults' },
  'nav.review': { zh: '审方', en: 'Review' },
  'nav.evidence': { zh: '核对资料', en: 'Evidence' },
  'nav.board': { zh: '会诊协调', en: 'Board' },
  'nav.status': { zh: '运行状态', en: 'Status' },
  'live.on': { zh: '实时', en: 'Live' },
  'live.off': { zh: '断开，正在接回', en: 'Reconnecting' },
  'live.late': { zh: '{n} 秒前', en: '{n} s ago' },
  'st.title': { zh: '运行状态', en: 'Status' },
  'st.ok': { zh: '都正常', en: 'All well' },
  'st.bad': { zh: '有 {n} 处要处理', en: '{n} to act on' },
  'st.good': { zh: '正常', en: 'Well' },
  'st.wrong': { zh: '不正常', en: 'Not well' },
  'st.checked': { zh: '{at} 查过', en: 'Checked {at}' },
  'st.again': { zh: '再查一次', en: 'Check again' },
  'st.database': { zh: '数据库', en: 'Database' },
  'st.store': { zh: '对象存储', en: 'Object store' },
  'st.bus': { zh: '消息总线', en: 'Message bus' },
  'none.title': { zh: '这里没有您能做的事', en: 'Nothing here for you' },
  'none.say': {
    zh: '您的账号没有工作台的权限。请找医院管理员。',
    en: 'Your account has no role here. Ask the administrator.',
  },
})
