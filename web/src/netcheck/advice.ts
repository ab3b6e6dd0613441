// What a network check found, and what to do about it in plain words. Pure; `yuanzhen netcheck` says the same.
import type { Phrase } from '../i18n/i18n'

export const pathNames = ['udp', 'tcp', 'turn-udp', 'turn-tcp', 'turn-tls'] as const
export type PathName = (typeof pathNames)[number]

export type PathResult = {
  name: PathName
  ok: boolean
  /** Milliseconds from the press to the first frame. */
  connect: number
  rtt: number
  jitter: number
  /** Part of 1. */
  loss: number
  /** Pictures decoded while it was measured. */
  frames: number
}

export type Report = { paths: PathResult[]; down: number | undefined; up: number | undefined }

export function advice({ paths, down, up }: Report): Phrase[] {
  const ok = new Map(paths.filter((path) => path.ok).map((path) => [path.name, path]))
  const list: Phrase[] = []
  const say = (zh: string, en: string) => list.push({ zh, en })
  if (ok.size === 0)
    say(
      '声音和画面完全过不去：请网管放行本站的 TCP 443（TURN/TLS）和音视频 UDP 端口。',
      'Neither sound nor picture gets through: have TCP 443 (TURN/TLS) and the media’s UDP port to this house opened.',
    )
  else if (!ok.has('udp') && !ok.has('turn-udp'))
    say(
      'UDP 被挡，只能走 TCP，网络差时会卡：请网管放行到本站音视频端口的 UDP。',
      'UDP is blocked, so calls go over TCP and stall on a bad line: have UDP to the media port of this house opened.',
    )
  else if (!ok.has('udp'))
    say(
      '直连的 UDP 被挡，要经过中继，多一段路：请网管放行到本站音视频端口的 UDP。',
      'Direct UDP is blocked and calls take the longer way over the relay: have UDP to the media port opened.',
    )
  if (ok.size > 0 && !ok.has('turn-tls'))
    say(
      'TURN/TLS 走不通：严格的防火墙后面会接不通。请检查 443 端口，以及中继的证书是否受信任。',
      'TURN over TLS does not work: behind strict firewalls there will be no call. Check port 443 and whether the relay’s certificate is trusted.',
    )
  const taken = pathNames.map((name) => ok.get(name)).find((path) => path !== undefined)
  if (taken && taken.loss > 0.03)
    say(
      `丢包 ${Math.round(taken.loss * 100)}%：换网线或另一条线路，关掉占带宽的下载。`,
      `${Math.round(taken.loss * 100)}% of the packets are lost: use a cable or another line, stop large downloads.`,
    )
  if (taken && taken.rtt > 300)
    say(
      `往返 ${Math.round(taken.rtt)} 毫秒，说话会抢：换一条线路，或避开绕行的代理。`,
      `A round trip of ${Math.round(taken.rtt)} ms makes people talk over each other: use another line, avoid a proxy far away.`,
    )
  if (taken && taken.jitter > 50)
    say(
      `抖动 ${Math.round(taken.jitter)} 毫秒：用网线代替无线，给音视频优先。`,
      `Jitter of ${Math.round(taken.jitter)} ms: use a cable instead of Wi-Fi, give media priority.`,
    )
  const slow = Math.min(down ?? Number.POSITIVE_INFINITY, up ?? Number.POSITIVE_INFINITY)
  if (slow < 1500)
    say(
      `带宽约 ${Math.round(slow)} kbit/s：画面会降低，声音先保住。要清晰画面，上下行都要 2 Mbit/s 以上。`,
      `About ${Math.round(slow)} kbit/s: the picture is reduced, sound comes first. A sharp picture needs 2 Mbit/s each way.`,
    )
  if (down === undefined || up === undefined)
    say('带宽没有测成，不能算合格。', 'Throughput could not be measured, so this is no pass.')
  if (list.length === 0) say('网络合格，可以看病。', 'The network is fit for visits.')
  return list
}
