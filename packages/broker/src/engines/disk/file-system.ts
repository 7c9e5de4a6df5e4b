/**
 * The calls that the disk engine makes: real in node-file-system.ts, with faults in fault-file-system.ts.
 * Failures are Node's system errors: `code` is 'EIO', 'ENOSPC', 'EACCES' and so on.
 */
export interface FileSystem {
  /**
   * Makes the directory if needed and takes it for this process until `release`, or until the process ends in any way.
   * @throws MillraceError `data_in_use`, `data_unusable`
   */
  lock(directory: string): Promise<DirectoryLock>
  /** Names in the directory, in any order. */
  list(directory: string): Promise<string[]>
  /** Opens for reading and writing. Without `create` the file must exist, with it it must not. */
  open(path: string, create: boolean): Promise<File>
  /** Opens an existing file to fill it. A descriptor of its own: a failure is reported once per descriptor. */
  openForAppend(path: string, durability: Durability): Promise<AppendFile>
  /** Memory for `AppendFile.append` and `File.readOnce`, zeros. */
  allocateBlocks(bytes: number): Uint8Array
  /** Replaces `to` if it exists. Durable after `syncDirectory`. */
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  syncDirectory(directory: string): Promise<void>
  /** Bytes that this process may still allocate on the file system of `directory`. */
  availableBytes(directory: string): Promise<number>
}

export interface DirectoryLock {
  release(): Promise<void>
}

export interface File {
  /** Writes at `position`. @returns bytes written; fewer than asked means that there is no room */
  write(bytes: Uint8Array, position: number): Promise<number>
  /** @returns bytes read; fewer than asked at the end of the file */
  read(into: Uint8Array, position: number): Promise<number>
  /**
   * As `read`, of what nobody reads again soon: past the page cache where that can be done and costs less, which is where whole blocks are
   * read into memory of `allocateBlocks`.
   */
  readOnce(into: Uint8Array, position: number): Promise<number>
  /** Makes what was written durable, with the size of the file (fdatasync). */
  sync(): Promise<void>
  sizes(): Promise<FileSizes>
  /** Cuts, or extends with a hole. */
  truncate(bytes: number): Promise<void>
  close(): Promise<void>
}

/** A file that is filled block by block. */
export interface AppendFile {
  /**
   * Writes whole blocks at a block boundary, from memory of `allocateBlocks`. With durability `fsync` they are durable when it
   * returns, provided that the size of the file was before.
   * @returns bytes written; fewer than asked means that there is no room
   */
  append(blocks: Uint8Array, position: number): Promise<number>
  close(): Promise<void>
}

/** `fsync`: survives a power loss. `os`: survives the end of the process. */
export type Durability = 'fsync' | 'os'

/** No disk that matters has larger sectors, and no file system smaller pages. */
export const BLOCK_BYTES = 4096

export interface FileSizes {
  readonly bytes: number
  /** Bytes for which space is allocated; less than `bytes` where the file has holes. */
  readonly allocatedBytes: number
}

/** A sync that finds no room has perhaps lost what was written: that is no lack of room which can be waited out. */
export async function syncOrFail(sync: Promise<void>): Promise<void> {
  try {
    await sync
  } catch (error) {
    if (!isNoSpace(error)) throw error
    throw new Error(`what was written is perhaps lost: ${(error as Error).message}`, { cause: error })
  }
}

/** Whether a call failed because there is no room, and would succeed later without anything being lost. */
export function isNoSpace(error: unknown): boolean {
  return hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT')
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
