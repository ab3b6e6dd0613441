// The receipt of a study: what the hospital holds of it, signed. The sender's own digests are looked up in it, and the
// signature is checked here, before anybody says that the originals may go.
import { get } from '../api/client'
import type { Held } from './upload'

export type Receipt = {
  institution_id: string
  study_uid: string
  issued_at: string
  instances: { sop_uid: string; sha256: string; size: number; stored_at: string }[]
}
export type Signature = { alg: string; key_id: string; sig: string }
export type Signed = { receipt: string; signature: Signature }
type Key = { alg: string; key_id: string; public_key: string }

export type Proof = 'good' | 'bad' | 'unchecked'
export type Checked = { text: Signed; receipt: Receipt; proof: Proof; lacking: Held[] }

const fromBase64 = (text: string) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0))

/** Ed25519 (RFC 8032) over the very bytes of the receipt. Older browsers cannot: that is said, never taken for good. */
export async function proofOf({ receipt, signature }: Signed, key: Key): Promise<Proof> {
  if (signature.alg !== 'Ed25519' || key.alg !== 'Ed25519') return 'unchecked'
  if (key.key_id !== signature.key_id) return 'bad'
  let publicKey: CryptoKey
  try {
    publicKey = await crypto.subtle.importKey('raw', fromBase64(key.public_key), 'Ed25519', false, ['verify'])
  } catch {
    return 'unchecked'
  }
  const bytes = new TextEncoder().encode(receipt)
  return (await crypto.subtle.verify('Ed25519', publicKey, fromBase64(signature.sig), bytes)) ? 'good' : 'bad'
}

/** What was sent and is not in the receipt with the same digest. */
export function lackingIn(receipt: Receipt, held: readonly Held[]): Held[] {
  const there = new Set(receipt.instances.map(({ sop_uid, sha256 }) => `${sop_uid} ${sha256}`))
  return held.filter(({ sop_uid, sha256 }) => !there.has(`${sop_uid} ${sha256}`))
}

export async function receiptOf(study: string, institution: string, held: readonly Held[]): Promise<Checked> {
  const [text, key] = await Promise.all([
    get<Signed>(`/imaging/studies/${study}/receipt?institution=${institution}`),
    get<Key>('/imaging/receipt-key'),
  ])
  const receipt = JSON.parse(text.receipt) as Receipt
  const proof = receipt.study_uid === study && receipt.institution_id === institution ? await proofOf(text, key) : 'bad'
  return {
    text,
    receipt,
    proof,
    lacking: lackingIn(
      receipt,
      held.filter((one) => one.study === study),
    ),
  }
}
