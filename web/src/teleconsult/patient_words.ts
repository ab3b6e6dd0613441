import { phrases } from '../i18n/i18n'

export const w = phrases({
  'card.title': { zh: '专家会诊', en: 'Expert consult' },
  'card.invited': { zh: '请您一起参加', en: 'You are invited' },
  'card.agree': { zh: '请您看看同不同意', en: 'Do you agree?' },
  'card.open': { zh: '医院在安排', en: 'Under way' },
  'card.report': { zh: '有会诊报告', en: 'There is a report' },
  'card.over': { zh: '取消了', en: 'Cancelled' },
  list: { zh: '专家会诊', en: 'Expert consults' },
  title: { zh: '专家会诊', en: 'Expert consult' },
  'lead.apart': {
    zh: '您的医生请专家一起看您的病，不用您到场。',
    en: 'Your doctor asks an expert about your illness. You need not be there.',
  },
  agree: { zh: '您同意吗', en: 'Do you agree' },
  'agree.text': {
    zh: '您的医生想把您的病历和影像给{hospital}{department}的专家看，只为这次会诊。会诊结束专家就不能再看。要不要钱、多少钱，请先问您的医生。您可以不同意，也可以随时撤回。',
    en: 'Your doctor would like an expert of {department}, {hospital}, to see your record and images, for this consult alone. When it ends the expert can no longer see them. Please ask your doctor first whether it costs anything. You may refuse, and you may withdraw at any time.',
  },
  'agree.go': { zh: '我同意', en: 'I agree' },
  self: { zh: '本人', en: 'the patient' },
  kin: { zh: '家属', en: 'family' },
  lead: {
    zh: '您的医生和专家一起看您的病，请您也进来听。',
    en: 'Your doctor and an expert discuss your illness. Please join.',
  },
  with: { zh: '您的医生', en: 'Your doctor' },
  expert: { zh: '专家', en: 'Expert' },
  time: { zh: '时间', en: 'Time' },
  enter: { zh: '进会诊室', en: 'Come in' },
  alone: { zh: '医生和专家马上就来，请稍等。', en: 'The doctors are coming. Please wait.' },
  ended: { zh: '会诊结束了', en: 'The consult has ended' },
  'ended.say': { zh: '您的医生会告诉您结果和下一步。', en: 'Your doctor will tell you the result and what is next.' },
  report: { zh: '看会诊报告', en: 'See the report' },
  notyet: {
    zh: '医生还没请您进会诊室。请您时，这里会出现按钮。',
    en: 'When the doctor invites you, a button appears here.',
  },
  withdraw: { zh: '我不同意会诊了', en: 'I no longer agree' },
  'withdraw.text': {
    zh: '会诊马上取消，专家不能再看您的影像。已经做了的不受影响，医生会另外安排。',
    en: 'The consult ends at once, and the expert can no longer see your images. What was done stays; your doctor will arrange something else.',
  },
  'withdraw.why': { zh: '为什么（告诉医生）', en: 'Why, for your doctor' },
  'withdraw.go': { zh: '撤回同意', en: 'Withdraw my consent' },
  withdrawn: { zh: '会诊取消了', en: 'The consult was cancelled' },
  left: { zh: '您已退出，会诊没有结束，还能再进来。', en: 'You left. The consult goes on; you can come back.' },
})
