/** Certificates for tests: X.509 version 3 (RFC 5280) in DER, signed with ECDSA over P-256. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

export interface TestCertificate {
  /** PEM. */
  readonly cert: string
  readonly key: string
  readonly name: string
  readonly privateKey: KeyObject
}

/** @param name its common name @param issuer who signs it; by default itself, as a certificate authority. It is for localhost and 127.0.0.1. */
export function testCertificate(name: string, issuer?: TestCertificate): TestCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signature = sequence(ECDSA_WITH_SHA256)
  const body = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    signature,
    distinguishedName(issuer?.name ?? name),
    sequence(time('200101000000Z'), time('491231235959Z')),
    distinguishedName(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(basicConstraints(issuer === undefined), alternativeNames())),
  )
  const signed = sign('sha256', body, issuer?.privateKey ?? privateKey)
  const der = sequence(body, signature, tagged(0x03, Buffer.concat([Buffer.from([0]), signed])))
  const lines = der
    .toString('base64')
    .match(/.{1,64}/g)!
    .join('\n')
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    name,
    privateKey,
  }
}

const ECDSA_WITH_SHA256 = tagged(0x06, Buffer.from('2a8648ce3d040302', 'hex'))

function basicConstraints(isAuthority: boolean): Buffer {
  return extension('551d13', sequence(...(isAuthority ? [tagged(0x01, Buffer.from([0xff]))] : [])))
}

function alternativeNames(): Buffer {
  return extension('551d11', sequence(tagged(0x82, Buffer.from('localhost')), tagged(0x87, Buffer.from([127, 0, 0, 1]))))
}

function extension(oid: string, value: Buffer): Buffer {
  return sequence(tagged(0x06, Buffer.from(oid, 'hex')), tagged(0x04, value))
}

function distinguishedName(name: string): Buffer {
  return sequence(tagged(0x31, sequence(tagged(0x06, Buffer.from('550403', 'hex')), tagged(0x0c, Buffer.from(name)))))
}

function time(text: string): Buffer {
  return tagged(0x17, Buffer.from(text))
}

function integer(bytes: Buffer): Buffer {
  return tagged(0x02, bytes)
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts))
}

function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}
