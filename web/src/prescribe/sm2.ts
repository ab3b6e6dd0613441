// SM2 with SM3 (GB/T 32918), which browsers do not have. Loaded only for a code that is signed with it.
import { sm2 } from 'sm-crypto-v2'

/** The default user id of GM/T 0009, as the house signs with. */
const userId = '1234567812345678'

const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')

/** Does a signature r‖s of 64 bytes fit? `key` is the uncompressed point of 65 bytes. */
export function verifySm2(key: Uint8Array, document: Uint8Array, signature: Uint8Array): boolean {
  if (key.length !== 65 || signature.length !== 64) return false
  try {
    return sm2.doVerifySignature(document, hex(signature), hex(key), { hash: true, userId })
  } catch {
    return false // no point of the curve
  }
}
