import type { JsonObject } from '@millrace/wire'
import type {
  Admin,
  BrokerStatus,
  QueueInfo,
  QueueSpec,
  RedriveInfo,
  RedriveOptions,
  SubscriptionInfo,
  SubscriptionSpec,
  TopicInfo,
  TopicSpec,
} from './api.ts'
import type { Binding, ExchangeInfo, ExchangeSpec } from './exchanges.ts'
import type { GroupInfo, GroupPartition, GroupReset, GroupSummary } from './groups.ts'
import type { Link } from './link.ts'
import type { ProducerTransactionInfo, ProducerTransactionSummary } from './producer-transactions.ts'
import type { QuotaScope, QuotaSpec } from './quotas.ts'
import type { TopicPermission, UserInfo, UserSpec, VhostPermission } from './users.ts'

const PAGE = 10_000
/** How long the first call waits for the end of a redrive, and how often it is asked about from then on. */
const REDRIVE_WAIT_MS = 1000

/** The control operations, as calls. All but deletions may be repeated when a connection is lost under them. */
export class AdminCalls implements Admin {
  readonly #link: () => Link

  constructor(link: () => Link) {
    this.#link = link
  }

  createUser(spec: UserSpec): Promise<UserInfo> {
    return this.#once('user.create', spec)
  }

  updateUser(name: string, change: Omit<UserSpec, 'name'>): Promise<UserInfo> {
    return this.#call('user.update', { name, change })
  }

  async deleteUser(name: string): Promise<void> {
    await this.#delete('user.delete', { name })
  }

  async permit(name: string, permission: VhostPermission): Promise<void> {
    await this.#call('user.permit', { name, permission })
  }

  async withdraw(name: string, vhost: string): Promise<void> {
    await this.#delete('user.withdraw', { name, vhost })
  }

  async permitTopic(name: string, permission: TopicPermission): Promise<void> {
    await this.#call('user.permitTopic', { name, permission })
  }

  async withdrawTopic(name: string, vhost: string, exchange?: string): Promise<void> {
    await this.#delete('user.withdrawTopic', { name, vhost, ...(exchange === undefined ? {} : { exchange }) })
  }

  user(name: string): Promise<UserInfo> {
    return this.#call('user.get', { name })
  }

  users(): Promise<readonly UserInfo[]> {
    return this.#list('user.list', {})
  }

  createToken(name: string, label?: string): Promise<{ readonly id: string; readonly token: string }> {
    return this.#once('user.token', { name, ...(label === undefined ? {} : { label }) })
  }

  async revokeToken(name: string, id: string): Promise<void> {
    await this.#delete('user.revoke', { name, id })
  }

  quotas(): Promise<readonly QuotaSpec[]> {
    return this.#list('quota.list', {})
  }

  async setQuota(spec: QuotaSpec): Promise<void> {
    await this.#call('quota.set', spec)
  }

  async removeQuota(scope: QuotaScope): Promise<void> {
    await this.#delete('quota.remove', scope)
  }

  async createTopic(spec: TopicSpec): Promise<void> {
    await this.#call('topic.create', spec)
  }

  async updateTopic(name: string, change: Omit<Partial<TopicSpec>, 'name'>): Promise<void> {
    await this.#call('topic.update', { name, change })
  }

  async deleteTopic(name: string): Promise<void> {
    await this.#delete('topic.delete', { name })
  }

  topic(name: string): Promise<TopicInfo> {
    return this.#call('topic.get', { name })
  }

  topics(): Promise<readonly TopicInfo[]> {
    return this.#list('topic.list', {})
  }

  async createQueue(spec: QueueSpec): Promise<void> {
    await this.#call('queue.create', spec)
  }

  async updateQueue(name: string, change: Omit<Partial<QueueSpec>, 'name'>): Promise<void> {
    await this.#call('queue.update', { name, change })
  }

  async deleteQueue(name: string): Promise<void> {
    await this.#delete('queue.delete', { name })
  }

  queue(name: string): Promise<QueueInfo> {
    return this.#call('queue.get', { name })
  }

  queues(): Promise<readonly QueueInfo[]> {
    return this.#list('queue.list', {})
  }

  async createSubscription(spec: SubscriptionSpec): Promise<void> {
    await this.#call('subscription.create', spec)
  }

  async updateSubscription(
    topic: string,
    name: string,
    change: Omit<Partial<SubscriptionSpec>, 'topic' | 'name' | 'from'>,
  ): Promise<void> {
    await this.#call('subscription.update', { topic, name, change })
  }

  async deleteSubscription(topic: string, name: string): Promise<void> {
    await this.#delete('subscription.delete', { topic, name })
  }

  subscription(topic: string, name: string): Promise<SubscriptionInfo> {
    return this.#call('subscription.get', { topic, name })
  }

  subscriptions(topic?: string): Promise<readonly SubscriptionInfo[]> {
    return this.#list('subscription.list', topic === undefined ? {} : { topic })
  }

  async createExchange(spec: ExchangeSpec): Promise<void> {
    await this.#call('exchange.create', spec)
  }

  async deleteExchange(name: string, options: { readonly ifUnused?: boolean } = {}): Promise<void> {
    await this.#delete('exchange.delete', { name, ...options })
  }

  exchange(name: string): Promise<ExchangeInfo> {
    return this.#call('exchange.get', { name })
  }

  exchanges(): Promise<readonly ExchangeInfo[]> {
    return this.#list('exchange.list', {})
  }

  async bind(binding: Binding): Promise<void> {
    await this.#call('binding.create', binding)
  }

  async unbind(binding: Binding): Promise<void> {
    await this.#call('binding.delete', binding)
  }

  bindings(where: { readonly source?: string; readonly destination?: string } = {}): Promise<readonly Binding[]> {
    return this.#list('binding.list', where)
  }

  async purgeQueue(name: string): Promise<number> {
    const { messages } = (await this.#link().call('queue.purge', { name }, false)) as { messages: number }
    return messages
  }

  async redrive(queue: string, options: RedriveOptions = {}): Promise<RedriveInfo> {
    const { signal, onProgress, ...what } = options
    signal?.throwIfAborted()
    const params = { ...what, name: queue, waitMs: REDRIVE_WAIT_MS } as unknown as JsonObject
    let info = (await this.#link().call('queue.redrive', params, false)) as unknown as RedriveInfo
    while (info.state === 'running') {
      onProgress?.(info)
      if (signal?.aborted !== true) await this.#link().platform.sleep(REDRIVE_WAIT_MS)
      info = await this.#call<RedriveInfo>(signal?.aborted === true ? 'redrive.cancel' : 'redrive.get', { id: info.id })
    }
    return info
  }

  async redrives(): Promise<readonly RedriveInfo[]> {
    const { items }: { items: readonly RedriveInfo[] } = await this.#call('redrive.list', {})
    return items
  }

  groups(): Promise<readonly GroupSummary[]> {
    return this.#list('group.list', {})
  }

  group(name: string): Promise<GroupInfo> {
    return this.#call('group.get', { name })
  }

  async deleteGroup(name: string): Promise<void> {
    await this.#delete('group.delete', { name })
  }

  async resetGroup(name: string, reset: GroupReset): Promise<readonly GroupPartition[]> {
    const { partitions }: { partitions: readonly GroupPartition[] } = await this.#call('group.reset', { ...reset, name })
    return partitions
  }

  producerTransactions(): Promise<readonly ProducerTransactionSummary[]> {
    return this.#list('transaction.list', {})
  }

  producerTransaction(transactionalId: string): Promise<ProducerTransactionInfo> {
    return this.#call('transaction.get', { transactionalId })
  }

  async abortProducerTransaction(transactionalId: string): Promise<boolean> {
    const { aborted }: { aborted: boolean } = await this.#call('transaction.abort', { transactionalId })
    return aborted
  }

  status(): Promise<BrokerStatus> {
    return this.#call('status', {})
  }

  async #call<T>(method: string, params: object): Promise<T> {
    return (await this.#link().call(method, params as JsonObject)) as unknown as T
  }

  async #delete(method: string, params: object): Promise<void> {
    await this.#once(method, params)
  }

  /** For what must not be done twice. */
  async #once<T>(method: string, params: object): Promise<T> {
    return (await this.#link().call(method, params as JsonObject, false)) as T
  }

  async #list<T>(method: string, params: object): Promise<readonly T[]> {
    const all: T[] = []
    let after: string | undefined
    do {
      const page: { items: readonly T[]; next?: string } = await this.#call(method, {
        ...params,
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
      })
      all.push(...page.items)
      after = page.next
    } while (after !== undefined)
    return all
  }
}
