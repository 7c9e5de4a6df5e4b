import { KIB } from '../../base/units.ts'
import { BLOCK_BYTES } from './file-system.ts'

declare const WebAssembly: {
  readonly Memory: new (pages: { readonly initial: number; readonly maximum: number }) => { readonly buffer: ArrayBuffer }
}

const WASM_PAGE_BYTES: number = 64 * KIB

const allocated = new WeakSet<ArrayBufferLike>()

/** The memory of WebAssembly begins at a page of the machine, which transfers that bypass the page cache ask for. Zeros. */
export function allocateBlocks(bytes: number): Uint8Array {
  const pages = Math.ceil(bytes / WASM_PAGE_BYTES)
  const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages })
  allocated.add(buffer)
  return new Uint8Array(buffer, 0, bytes)
}

/** Whether the memory is whole blocks of `allocateBlocks`. */
export function isWholeBlocks({ buffer, byteOffset, length }: Uint8Array): boolean {
  return byteOffset % BLOCK_BYTES === 0 && length % BLOCK_BYTES === 0 && allocated.has(buffer)
}
