import { describe, expect, it } from 'vitest'
import type { VerifyKey } from '../api/types/prescribe'
import { checkCode, codeIn, fromBase64, openCode, readCbor } from './evidence'
import { verifySm2 } from './sm2'

// Made by the Go package prescribe/qr from the key seed 00 01 … 1f.
const code =
  'iW9RSDIwMjYxMTIyLTAwMDd15riF5rKz5biC56ys5LiA5Yy76ZmiaeW8oOW7uuWbvWPnjosZB6eCg2_msKjmsK_lnLDlubPniYdrNSBtZyDDlyAxL2QYHINv57ys5rKZ5Z2m6IO25ZuKbDgwIG1nIMOXIDEvZBgcGgE1KQIaATUpBFABkKGyw9R-X4qbDB0uP0pb8GnMoWqDxoVfvwZKMoQ6U4xaawiKETCbYln9Z3DeQSo0mmNozjXysXXpcKEVM_md2MgWMq0Qlzm2r25DxtsyAA'
const key: VerifyKey = {
  key_id: '0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b',
  alg: 'Ed25519',
  public_key: 'A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=',
  holder: '周药师',
  institution: '清河市第一医院',
  from: '2026-01-01T00:00:00+08:00',
  to: '2027-12-31T00:00:00+08:00',
}
// Made by the same package from the SM2 number 01 02 … 20.
const sm2Code =
  'im9RSDIwMjYxMTIyLTAwMDd15riF5rKz5biC56ys5LiA5Yy76ZmiaeW8oOW7uuWbvWPnjosZB6eCg2_lnLDlsJTnoavkk6zniYdsMzAgbWcgw5cgMy9kGByDb-e8rOaymeWdpuiDtuWbimw4MCBtZyDDlyAxL2QYHBoBNSkCGgE1KQRQAZChssPUfl-KmwwdLj9KXGNTTTJ2dGMTOnoL2NB9VfbPkmOydqy_yCZq5WAcz8gr7JygauTyV5hDGNQIPSbqFzVswyQ5ToqK0ZHKOV2nzY3xyUwX'
const sm2Key: VerifyKey = {
  ...key,
  key_id: '0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c',
  alg: 'SM2',
  public_key: 'BEbRCG9uXJOER/BSgNtwfCeae0WcOPGeTZowrS2t+fKK9F/B3Fs3dza1fpfn4FY8zKJMl/RA4dE35ZQdhNLrQ8k=',
}
const onTheDay = new Date('2026-11-22T20:00:00+08:00')

describe('evidence codes', () => {
  it('open to what the pharmacist signed', () => {
    expect(openCode(code)?.evidence).toEqual({
      number: 'QH20261122-0007',
      hospital: '清河市第一医院',
      doctor: '张建国',
      initial: '王',
      birthYear: 1959,
      lines: [
        { name: '氨氯地平片', use: '5 mg × 1/d', days: 28 },
        { name: '缬沙坦胶囊', use: '80 mg × 1/d', days: 28 },
      ],
      issued: '2026-11-22',
      until: '2026-11-24',
      keyId: key.key_id,
      alg: 'Ed25519',
    })
  })
  it('with SM2 are genuine, name their algorithm, and keep rare characters', async () => {
    const checked = await checkCode(sm2Code, [key, sm2Key], onTheDay)
    expect(checked).toMatchObject({ result: 'genuine', evidence: { alg: 'SM2', lines: [{ name: '地尔硫䓬片' }, {}] } })
    for (const at of [10, 60, 150, sm2Code.length - 60, sm2Code.length - 20]) {
      const altered = sm2Code.slice(0, at) + (sm2Code[at] === 'A' ? 'B' : 'A') + sm2Code.slice(at + 1)
      expect(['forged', 'unknown_key']).toContain((await checkCode(altered, [sm2Key], onTheDay)).result)
    }
    expect((await checkCode(sm2Code, [{ ...key, key_id: sm2Key.key_id }], onTheDay)).result).toBe('forged')
    const noPoint = { ...sm2Key, public_key: `BA${'A'.repeat(85)}=` }
    expect((await checkCode(sm2Code, [noPoint], onTheDay)).result).toBe('forged')
  })
  it('verify the example of GB/T 32918.5 annex A.2', () => {
    const bytes = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
    const point = bytes(
      '0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13',
    )
    const signature = bytes(
      'f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa',
    )
    expect(verifySm2(point, new TextEncoder().encode('message digest'), signature)).toBe(true)
    expect(verifySm2(point, new TextEncoder().encode('message digesT'), signature)).toBe(false)
  })
  it('are genuine without a line when the signature fits', async () => {
    expect((await checkCode(code, [key], onTheDay)).result).toBe('genuine')
  })
  it('last to the end of the day in China, not of the device', async () => {
    expect((await checkCode(code, [key], new Date('2026-11-24T15:59:00Z'))).result).toBe('genuine')
    expect((await checkCode(code, [key], new Date('2026-11-24T16:00:00Z'))).result).toBe('expired')
  })
  it('are not believed when one character differs', async () => {
    for (const at of [10, 60, 150, code.length - 20]) {
      const altered = code.slice(0, at) + (code[at] === 'A' ? 'B' : 'A') + code.slice(at + 1)
      expect(['forged', 'unknown_key']).toContain((await checkCode(altered, [key], onTheDay)).result)
    }
  })
  it('need a key that is on the list and was good on the day', async () => {
    expect((await checkCode(code, [], onTheDay)).result).toBe('unknown_key')
    expect((await checkCode(code, [{ ...key, to: '2026-11-20T00:00:00+08:00' }], onTheDay)).result).toBe('revoked')
    expect((await checkCode(code, [{ ...key, revoked_at: '2026-11-21T10:00:00+08:00' }], onTheDay)).result).toBe(
      'revoked',
    )
    expect((await checkCode(code, [{ ...key, alg: 'none' }], onTheDay)).result).toBe('unknown_key')
  })
  it.each(['', 'hello', '////', 'A'.repeat(2000), 'gICAgICAgICAgICAgICAgICA'])('are not found in %j', async (text) => {
    expect((await checkCode(text, [key], onTheDay)).result).toBe('forged')
  })
  it('are found in what a scanner gives', () => {
    expect(codeIn(`https://yz.example/verify#${code}`)).toBe(code)
    expect(codeIn(` ${code.slice(0, 40)}\n${code.slice(40)} `)).toBe(code)
  })
})

describe('CBOR', () => {
  const read = (hex: string) => readCbor(Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16)))
  it('reads the examples of RFC 8949 appendix A that codes use', () => {
    expect(read('00')).toBe(0)
    expect(read('1818')).toBe(24)
    expect(read('1a000f4240')).toBe(1_000_000)
    expect(read('62c3bc')).toBe('ü')
    expect(read('8301820203820405')).toEqual([1, [2, 3], [4, 5]])
    expect(read('4401020304')).toEqual(new Uint8Array([1, 2, 3, 4]))
  })
  it.each([
    ['a map', 'a0'],
    ['an indefinite array', '9f01ff'],
    ['a text that ends early', '6261'],
    ['an array longer than any code', '98ff'],
    ['arrays within arrays within arrays', '8181818181818100'],
    ['a second item', '0000'],
    ['bytes that are not UTF-8', '61ff'],
  ])('refuses %s', (_, hex) => {
    expect(() => read(hex)).toThrow()
  })
  it('reads both alphabets of base64', () => {
    expect(fromBase64('-_8')).toEqual(fromBase64('+/8='))
  })
})
