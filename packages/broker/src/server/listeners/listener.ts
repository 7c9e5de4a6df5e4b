import type { Config } from '../config/config.ts'

/** An open listener, of whatever kind. */
export interface Listener {
  readonly door: string
  /** As in configuration: `kafka`, `kafka/external`. */
  readonly name: string
  /** As clients write it: `127.0.0.1:6455`. */
  readonly address: string
  /** Connections that are open now. */
  readonly connections: number
  /** Connections since the start. */
  readonly accepted: number
  /** Accepts no more, lets connections finish for at most `timeoutMs`, then cuts them. */
  close(timeoutMs: number): Promise<void>
}

export type ListenerLimits = Pick<Config['limits'], 'connectionsMax' | 'connectionsPerAddressMax' | 'outputBytesMax'>
