import { splitScopedName } from '../../../base/scoped-names.ts'
import type { Broker, ExchangeInfo, QueueInfo, TopicInfo } from '../../../core/broker.ts'
import type { Ticket } from '../../commit-waiters.ts'
import { Arguments, type ArgumentsJson } from '../definitions/arguments.ts'
import { declaredArguments, declaredQueue } from '../definitions/labels.ts'
import { queueSettings, streamSettings } from '../definitions/queue-arguments.ts'
import { VhostNames } from '../vhost-names.ts'
import { GLOBAL_PARAMETERS, OPERATOR_POLICIES, POLICIES, VHOST_PARAMETERS, VHOSTS } from './collections.ts'
import type { Policies } from './policies.ts'
import type { PolicyTarget } from './policy.ts'
import type { PolicySet } from './policy-set.ts'
import { SavedDocuments } from './saved-documents.ts'

/** What is put back when one of them, or what follows from it, cannot be. */
const together: readonly string[] = [POLICIES, OPERATOR_POLICIES, VHOST_PARAMETERS, GLOBAL_PARAMETERS, VHOSTS]

interface Update {
  apply(): void
  /** Makes it what it was, whether or not it was applied. */
  undo(): void
}

/** Runs changes of policies, and of parameters and limits with them, and then changes the queues and exchanges for which something else counts now. What other doors created has no policies. */
export class PolicyApplication {
  readonly #broker: Broker
  readonly #policies: Policies

  constructor(broker: Broker, policies: Policies) {
    this.#broker = broker
    this.#policies = policies
  }

  /**
   * All of it, or nothing.
   * @returns the ticket with which all of it is durable
   * @throws what `change` throws, AmqpError for settings that cannot be, and what the core says to those that it refuses
   */
  changing(change: () => void): Ticket {
    const saved = new SavedDocuments(this.#broker.documents, together)
    const before = this.#policies.current
    const made: Update[] = []
    try {
      change()
      for (const update of this.#updates(before, this.#policies.current)) {
        made.push(update)
        update.apply()
      }
    } catch (error) {
      for (const update of made.toReversed()) update.undo()
      saved.restore()
      throw error
    }
    return this.#broker.ticket()
  }

  /** All of it is worked out before anything is changed. */
  #updates(before: PolicySet, after: PolicySet): readonly Update[] {
    return [
      ...this.#broker.queues().map((queue) => this.#queueUpdate(queue, before, after)),
      ...this.#broker.topics().map((topic) => this.#streamUpdate(topic, before, after)),
      ...this.#broker.router.exchanges().map((exchange) => this.#exchangeUpdate(exchange, before, after)),
    ].filter((update) => update !== undefined)
  }

  #queueUpdate(queue: QueueInfo, before: PolicySet, after: PolicySet): Update | undefined {
    const { name } = queue
    const declared = declaredQueue(queue)
    const changed = declared && effectIfChanged(name, declared.type, declared.arguments, before, after)
    if (declared === undefined || changed === undefined) return undefined
    const { names, args } = changed
    const { delivery, limits = {}, expireMs = 0 } = queueSettings(args, declared.type, names)
    return {
      apply: () => void this.#broker.updateQueue(name, { ...(delivery === undefined ? {} : { delivery }), limits, expireMs }),
      undo: () =>
        void this.#broker.updateQueue(name, {
          delivery: queue.delivery,
          limits: queue.limits ?? {},
          expireMs: queue.expireMs ?? 0,
        }),
    }
  }

  #streamUpdate(topic: TopicInfo, before: PolicySet, after: PolicySet): Update | undefined {
    const { name, retention: was } = topic
    const declared = declaredQueue(topic)
    const changed = declared && effectIfChanged(name, 'stream', declared.arguments, before, after)
    if (changed === undefined) return undefined
    const { retention = {} } = streamSettings(changed.args)
    return {
      apply: () => void this.#broker.updateTopic(name, { retention }),
      undo: () => void this.#broker.updateTopic(name, { retention: was }),
    }
  }

  #exchangeUpdate(exchange: ExchangeInfo, before: PolicySet, after: PolicySet): Update | undefined {
    const { name, alternate: was } = exchange
    const changed = effectIfChanged(name, 'exchange', declaredArguments(exchange), before, after)
    if (changed === undefined) return undefined
    const alternate = changed.args.text('alternate-exchange')
    const core = alternate === undefined ? undefined : changed.names.core(alternate)
    return {
      apply: () => void this.#broker.router.updateExchange(name, { alternate: core }),
      undo: () => void this.#broker.router.updateExchange(name, { alternate: was }),
    }
  }
}

interface Effect {
  readonly names: VhostNames
  readonly args: Arguments
}

/** Undefined where the same counts as before. */
function effectIfChanged(
  core: string,
  target: PolicyTarget,
  declared: ArgumentsJson,
  before: PolicySet,
  after: PolicySet,
): Effect | undefined {
  const { vhost, name } = splitScopedName(core)
  const now = after.effective(vhost, target, name, declared)
  if (JSON.stringify(before.effective(vhost, target, name, declared)) === JSON.stringify(now)) return undefined
  const names = new VhostNames(vhost)
  return { names, args: new Arguments(now, names.told(target === 'exchange' ? 'exchange' : 'queue', name)) }
}
