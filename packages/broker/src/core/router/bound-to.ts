import type { PublishTarget } from '../publish-target.ts'
import type { Exchange } from './exchange.ts'

/** What a binding leads to. */
export type BoundTo = PublishTarget | Exchange
