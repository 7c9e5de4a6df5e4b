import { totalmem } from 'node:os'
import { constants, PerformanceObserver } from 'node:perf_hooks'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { ListenerSet } from '../base/listener-set.ts'
import type { MemoryGauge } from '../ports/memory.ts'
import type { Platform, Timer } from '../ports/platform.ts'

/** Of what the process may use when nobody said how much. */
const DEFAULT_SHARE = 0.6
/** V8 ends the process when its heap is full, so publishers stop before that. */
const HEAP_SHARE = 0.85
/** What was short is enough again below so much of the mark. */
const LOW_SHARE = 0.9
const LOOK_AGAIN_MS = 1000
/** With publishers held back little happens, and V8 collects nothing for a long time. */
const LOOKS_PER_COLLECTION = 5

export interface MemoryUse {
  readonly heapBytes: number
  readonly heapBytesMax: number
  /** Heap and buffers. */
  readonly bytes: number
}

/** What can be asked of V8. */
export interface MemoryControl {
  use(): MemoryUse
  /** Collects all garbage now. */
  collect(): void
  /** Calls the listener each time all garbage was collected. @returns what ends that */
  onCollected(listener: () => void): () => void
}

/**
 * Looks at memory when V8 has collected all garbage, which is when it can tell what is in use. Publishers are held back above a mark,
 * until use is well below it.
 */
export class MemoryWatch implements MemoryGauge {
  isShort = false
  readonly #bytesHigh: number
  readonly #platform: Platform
  readonly #control: MemoryControl
  readonly #onShort: (isShort: boolean) => void
  readonly #listeners = new ListenerSet<[]>()
  readonly #stop: () => void
  #timer: Timer | undefined

  /**
   * @param bytesHigh null: a share of the memory of the machine, or of the container
   * @param onShort told of the beginning and of the end
   * @param control of this process, by default
   */
  constructor(
    bytesHigh: number | null,
    platform: Platform,
    onShort: (isShort: boolean) => void = () => {},
    control: MemoryControl = thisProcess,
  ) {
    this.#bytesHigh = bytesHigh ?? Math.floor(availableBytes() * DEFAULT_SHARE)
    this.#platform = platform
    this.#onShort = onShort
    this.#control = control
    this.#stop = control.onCollected(() => this.#collected())
  }

  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener)
  }

  close(): void {
    this.#stop()
    this.#timer?.cancel()
  }

  #collected(): void {
    if (!this.isShort && this.#isAbove(1)) this.#turn(true)
  }

  #turn(isShort: boolean): void {
    this.isShort = isShort
    if (isShort) this.#lookAgain(1)
    this.#onShort(isShort)
    this.#listeners.call()
  }

  #lookAgain(look: number): void {
    this.#timer = this.#platform.scheduler.after(LOOK_AGAIN_MS, () => {
      if (look % LOOKS_PER_COLLECTION === 0) this.#control.collect()
      if (this.#isAbove(LOW_SHARE)) this.#lookAgain(look + 1)
      else this.#turn(false)
    })
  }

  #isAbove(share: number): boolean {
    const { heapBytes, heapBytesMax, bytes } = this.#control.use()
    return bytes > this.#bytesHigh * share || heapBytes > heapBytesMax * HEAP_SHARE * share
  }
}

const thisProcess: MemoryControl = {
  use() {
    const { used_heap_size: heapBytes, heap_size_limit: heapBytesMax, external_memory: external } = getHeapStatistics()
    return { heapBytes, heapBytesMax, bytes: heapBytes + external }
  },
  collect() {
    // The function is in contexts that are made while the flag is set, and asks for nothing at the start of the process.
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    setFlagsFromString('--no-expose-gc')
    collect()
  },
  onCollected(listener) {
    const observer = new PerformanceObserver((list) => {
      if (list.getEntries().some(isFullCollection)) listener()
    })
    observer.observe({ entryTypes: ['gc'] })
    return () => observer.disconnect()
  },
}

/** The observed entries, which Node types without what they tell. */
interface GarbageCollection {
  readonly detail: { readonly kind: number }
}

/** Without a limit of its own, a container says 0 or something vast. */
function availableBytes(): number {
  const machine = totalmem()
  const constrained = process.constrainedMemory()
  return constrained > 0 && constrained < machine ? constrained : machine
}

function isFullCollection(entry: object): boolean {
  return (entry as GarbageCollection).detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR
}
