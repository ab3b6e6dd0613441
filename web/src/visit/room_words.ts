import { phrases } from '../i18n/i18n'

export const w = phrases({
  'role.host': { zh: '医生', en: 'Doctor' },
  'role.guest': { zh: '病人', en: 'Patient' },
  'role.family': { zh: '家属', en: 'Family' },
  'role.interpreter': { zh: '翻译', en: 'Interpreter' },
  'role.village_doctor': { zh: '村医', en: 'Village doctor' },
  'role.colleague': { zh: '请来的医生', en: 'Invited doctor' },
  'role.companion': { zh: '陪同', en: 'Companion' },
  'role.observer': { zh: '旁听', en: 'Observer' },
  named: { zh: '{name}（{role}）', en: '{name} ({role})' },
  'people.title': { zh: '诊室里的人', en: 'In the room' },
  'people.me': { zh: '{name}（您自己）', en: '{name} (you)' },
  'people.none': { zh: '现在只有您一个人。', en: 'Only you are here now.' },
  'people.knocks': { zh: '{name}（{role}）在门外等', en: '{name} ({role}) waits outside' },
  'people.admit': { zh: '请进来', en: 'Let in' },
  'people.refuse': { zh: '不让进', en: 'Turn away' },
  'people.remove': { zh: '请出去', en: 'Remove' },
  'people.were': { zh: '在场的人', en: 'Who was present' },
  'lock.on': { zh: '锁门', en: 'Lock the door' },
  'lock.off': { zh: '开门', en: 'Unlock the door' },
  'lock.is': { zh: '门锁着，别人进不来', en: 'Locked: nobody new can come in' },
  'chat.title': { zh: '文字', en: 'Messages' },
  'chat.new': { zh: '文字（{n} 条新）', en: 'Messages ({n} new)' },
  'chat.empty': { zh: '还没有消息。听不清时可以写在这里。', en: 'No messages yet. Write here when the sound is poor.' },
  'chat.none': { zh: '这次没有留下文字和文件。', en: 'Nothing was written or shown.' },
  'chat.field': { zh: '写给诊室里的人', en: 'Write to everybody in the room' },
  'chat.send': { zh: '发出去', en: 'Send' },
  'chat.file': { zh: '发照片或文件', en: 'Send a photo or paper' },
  'chat.file.hint': { zh: 'JPEG、PNG 或 PDF，10 MB 以内', en: 'JPEG, PNG or PDF, up to 10 MB' },
  'chat.open': { zh: '打开 {name}', en: 'Open {name}' },
  'chat.tab': { zh: '在新页看 {name}', en: 'Open {name} in a new page' },
  'chat.kept': { zh: '文字和文件会随就诊保存。', en: 'Messages and files are kept with the visit.' },
  more: { zh: '更多', en: 'More' },
  'line.title': { zh: '线路', en: 'The line' },
  'line.seat': {
    zh: '{who}：往返 {rtt} ms，丢包 {loss} %，听不清 {concealed} %，断线 {gaps} 次',
    en: '{who}: round trip {rtt} ms, loss {loss} %, words lost {concealed} %, gaps {gaps}',
  },
  'tape.on': { zh: '正在录音录像', en: 'Being recorded' },
  'tape.ask': { zh: '可以录音录像吗', en: 'May this be recorded' },
  'tape.yes': { zh: '同意', en: 'I agree' },
  'tape.no': { zh: '不同意', en: 'I refuse' },
  'tape.later': { zh: '等一下再答', en: 'Later' },
  'tape.required': {
    zh: '这家医院网上看病要录音录像。不同意的，请到医院看，费用全退。',
    en: 'This hospital records visits online. If you refuse, you are seen in person and all is paid back.',
  },
  'tape.version': { zh: '说明版本 {version}，保存到 {until}', en: 'Text {version}, kept until {until}' },
  'tape.stop': { zh: '停止录音录像', en: 'Stop the recording' },
  'tape.go': { zh: '录音录像', en: 'Record' },
  'tape.again': { zh: '再问一次', en: 'Ask again' },
  'tape.state.asked': { zh: '在等大家同意', en: 'Waiting for everybody to agree' },
  'tape.state.running': { zh: '正在录音录像', en: 'Being recorded' },
  'tape.state.refused': { zh: '有人不同意，没有录', en: 'Somebody refused: not recorded' },
  'tape.state.done': { zh: '录好了', en: 'Recorded' },
  'tape.state.damaged': { zh: '录音录像有损坏', en: 'The recording is damaged' },
  'tape.trouble': { zh: '录音录像断了，正在接着录', en: 'The recording broke off; trying again' },
  'tape.agreed': { zh: '{name}（{role}）同意', en: '{name} ({role}) agrees' },
  'tape.refused': { zh: '{name}（{role}）不同意', en: '{name} ({role}) refuses' },
  'tape.title': { zh: '录音录像', en: 'Recording' },
  'tape.until': { zh: '保存到 {until}。谁看过都有记录。', en: 'Kept until {until}. Every viewing is logged.' },
  'tape.together': { zh: '一起放', en: 'Play together' },
  'tape.take': { zh: '{who}，第 {from} 秒起，{length} 秒', en: '{who}, from second {from}, {length} s' },
  'invite.companion': { zh: '请家人或翻译进来', en: 'Bring family or an interpreter' },
  'invite.colleague': { zh: '请另一位医生', en: 'Invite another doctor' },
  'invite.device': { zh: '换到另一台设备', en: 'Move to another device' },
  'invite.how': {
    zh: '把链接发给对方，或让对方扫码。只能用一次。医生同意后才进得来。',
    en: 'Send this link, or let them scan it. It works once. The doctor lets them in.',
  },
  'invite.how.colleague': {
    zh: '把链接发给那位医生。要用医生账号登录，只能用一次。',
    en: 'Send this link to the doctor. It asks for a doctor’s account and works once.',
  },
  'invite.how.device': {
    zh: '3 分钟内用另一台设备扫码。那边接上，这边会断开。',
    en: 'Scan with the other device within 3 minutes. This one is disconnected when that one is in.',
  },
  'invite.copy': { zh: '复制链接', en: 'Copy the link' },
  'invite.copied': { zh: '复制好了', en: 'Copied' },
  'invite.qr': { zh: '链接的二维码', en: 'The link as a QR code' },
  'invite.link': { zh: '链接', en: 'Link' },
  'join.title': { zh: '进入诊室', en: 'Enter the room' },
  'join.lead': {
    zh: '有人请您陪同看病。诊室里的人会看到您写的名字和身份。',
    en: 'You are asked to join a visit. Everybody in the room will see your name and who you are.',
  },
  'join.name': { zh: '您的姓名', en: 'Your name' },
  'join.role': { zh: '您是', en: 'You are' },
  'join.relation': { zh: '和病人的关系', en: 'Relation to the patient' },
  'join.relation.hint': { zh: '例如：女儿', en: 'For example: daughter' },
  'join.go': { zh: '去门外等', en: 'Wait at the door' },
  'join.device': { zh: '在这台设备上继续看病。', en: 'Go on with the visit on this device.' },
  'join.device.go': { zh: '在这里继续', en: 'Go on here' },
  'join.colleague': { zh: '您被请来一起看这位病人。', en: 'You are invited to see this patient together.' },
  'join.colleague.go': { zh: '以医生身份进入', en: 'Enter as a doctor' },
  'join.colleague.sign': { zh: '先登录医生账号', en: 'Sign in as a doctor first' },
  'join.bad': { zh: '链接不完整', en: 'The link is not complete' },
  'join.bad.say': {
    zh: '请从收到的消息里重新打开，或再要一个。',
    en: 'Open it again from the message, or ask for a new one.',
  },
  'join.wait': { zh: '请稍等，医生会请您进来', en: 'Please wait. The doctor will let you in' },
  'join.wait.say': { zh: '这个页面不要关。轮到时会自动接通。', en: 'Keep this page open. It connects by itself.' },
  'join.early': { zh: '诊室还没有开，到时会自动接通。', en: 'The room is not open yet. It connects by itself.' },
  'join.over': { zh: '就诊结束了，谢谢您陪同。', en: 'The visit has ended. Thank you for being there.' },
  'join.out': { zh: '您已经出来了', en: 'You are out of the room' },
  'join.again': { zh: '再进去', en: 'Go back in' },
  'join.phone': { zh: '打电话：{phone}', en: 'Call {phone}' },
})

const roles = ['host', 'guest', 'family', 'interpreter', 'village_doctor', 'colleague', 'observer'] as const

/** The word for a role; one that the page does not know is shown as it came. */
export function roleWord(role: string): string {
  const known = roles.find((one) => one === role)
  return known ? w(`role.${known}`) : role
}

/** Who sits in a seat, by its name alone. */
export const roleWordOfSeat = (seat: string) =>
  seat === 'patient' ? w('role.guest') : seat === 'doctor' ? w('role.host') : w('role.companion')

export const withRole = ({ name, role }: { name: string; role: string }) => w('named', { name, role: roleWord(role) })
