// Where a page's images come from: the archive by the session of who is signed in, or one study by a share link, whose
// token lives in this page's memory and nowhere else.
import { signal } from '@preact/signals'

let root = '/dicomweb'
let token = ''

/** The link has been revoked or is over: what it opened is shown no longer. */
export const linkOver = signal(false)

export function comeByLink(opened: string): void {
  root = '/shared/dicomweb'
  token = opened
  linkOver.value = false
}

/** The absolute address of a DICOMweb resource. */
export const archive = (path: string): string => `${location.origin}${root}${path}`

export const archiveHeaders = (): Record<string, string> => (token ? { Authorization: `Bearer ${token}` } : {})

/** Every answer of the archive passes here: a link that has ended says 401 to whatever is asked by it. */
export function heed(status: number): void {
  if (token && status === 401) {
    token = ''
    linkOver.value = true
  }
}

export async function ask(path: string, accept: string, signal?: AbortSignal): Promise<Response> {
  const init: RequestInit = { headers: { ...archiveHeaders(), Accept: accept } }
  if (signal) init.signal = signal
  const response = await fetch(path.startsWith('http') ? path : archive(path), init)
  heed(response.status)
  return response
}
