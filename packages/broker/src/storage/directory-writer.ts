import { ByteWriter } from './varints.ts'

/** A piece of a commit's directory under construction: encoded entries and how many they are. */
export class DirectoryWriter extends ByteWriter {
  entries = 0

  begin(kind: number): void {
    this.entries++
    this.varint(kind)
  }

  override reset(): void {
    super.reset()
    this.entries = 0
  }
}
