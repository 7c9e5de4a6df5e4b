import type { Figure } from '../figure.ts'
import type { RawDisk } from '../raw-disk.ts'
import type { System } from '../system.ts'

export interface Scenario {
  readonly name: string
  readonly about: string
  measure(context: ScenarioContext): AsyncIterable<Figure>
}

export interface ScenarioContext {
  readonly system: System
  /** Limits of this machine, from the same run. */
  readonly disk: RawDisk
  /** Length of one load. */
  readonly seconds: number
}
