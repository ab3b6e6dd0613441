// Resident identity numbers as GB 11643-1999 builds them: 6 digits of region, 8 of birth, 3 of order, 1 check character.

export type IdCheck =
  | { ok: true; birth: string; sex: 'M' | 'F'; region: string }
  | { ok: false; why: 'length' | 'characters' | 'birth' | 'check' }

const weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
const checks = '10X98765432'

export function checkId(raw: string, today: Date = new Date()): IdCheck {
  const id = raw.replace(/\s/g, '').toUpperCase()
  if (id.length !== 18) return { ok: false, why: 'length' }
  if (!/^\d{17}[\dX]$/.test(id)) return { ok: false, why: 'characters' }
  const birth = `${id.slice(6, 10)}-${id.slice(10, 12)}-${id.slice(12, 14)}`
  const date = new Date(`${birth}T00:00:00Z`)
  const real = !Number.isNaN(date.getTime()) && date.toISOString().slice(0, 10) === birth
  if (!real || date > today || birth < '1850-01-01') return { ok: false, why: 'birth' }
  const sum = weights.reduce((total, weight, at) => total + weight * Number(id[at]), 0)
  if (checks[sum % 11] !== id[17]) return { ok: false, why: 'check' }
  return { ok: true, birth, sex: Number(id[16]) % 2 === 1 ? 'M' : 'F', region: id.slice(0, 6) }
}

/** Groups of 6, 8 and 4, the way people read the number aloud. */
export function spellId(id: string): string {
  const plain = id.replace(/\s/g, '').toUpperCase()
  return [plain.slice(0, 6), plain.slice(6, 14), plain.slice(14, 18)].filter(Boolean).join(' ')
}
