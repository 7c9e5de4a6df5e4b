import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesFromJson, bytesToJson } from './json-bytes.ts'

describe('bytes in JSON', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(fc.option(fc.uint8Array({ maxLength: 20_000 })), (bytes) => {
        expect(bytesFromJson(JSON.parse(JSON.stringify(bytesToJson(bytes))) as ReturnType<typeof bytesToJson>)).toEqual(bytes)
      }),
    )
  })

  it('are text where they can be', () => {
    expect(bytesToJson(new TextEncoder().encode('héllo'))).toBe('héllo')
    expect(bytesToJson(Uint8Array.of(0xef, 0xbb, 0xbf, 65))).toBe('\uFEFFA')
    expect(bytesToJson(Uint8Array.of(0xff, 0))).toEqual({ base64: '/wA=' })
    expect(bytesFromJson({ base64: 'not base64!' })).toBeUndefined()
  })
})
