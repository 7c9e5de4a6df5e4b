import { KIB } from '../../base/units.ts'

declare const WebAssembly: {
  readonly Memory: new (pages: { readonly initial: number; readonly maximum: number }) => { readonly buffer: ArrayBuffer }
}

const WASM_PAGE_BYTES: number = 64 * KIB

/** The memory of WebAssembly begins at a page of the machine, which transfers that bypass the page cache ask for. Zeros. */
export function allocateBlocks(bytes: number): Uint8Array {
  const pages = Math.ceil(bytes / WASM_PAGE_BYTES)
  return new Uint8Array(new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer, 0, bytes)
}
