import type { Random } from '../ports/platform.ts'

/** 128 random bits in hexadecimal. */
export function newRandomId(random: Random): string {
  let id = ''
  for (let n = 0; n < 4; n++) id += random.uint32().toString(16).padStart(8, '0')
  return id
}
