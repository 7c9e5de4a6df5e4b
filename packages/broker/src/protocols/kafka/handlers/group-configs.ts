import { topicAddress } from '@millrace/wire'
import { maySeeGroup, permit } from '../access.ts'
import { describeGroupConfigs, groupSettingsFrom } from '../configs/group-configs.ts'
import type { DescribedConfig, NamedValue } from '../configs/topic-configs.ts'
import { failure, success } from '../errors.ts'
import { mayUseGroup } from '../groups/group-errors.ts'
import type { Client } from '../served-api.ts'

/** As the protocol numbers it. */
const GROUP = 32

interface Changed {
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly resourceType: number
  readonly resourceName: string
}

/** @throws KafkaError GROUP_AUTHORIZATION_FAILED */
export function describeGroup(client: Client, group: string): readonly DescribedConfig[] {
  mayUseGroup(client, 'describe', group)
  return describeGroupConfigs(client.broker.subscriptionGroups.settings(group))
}

/**
 * Sets what is named, for the subscriptions that there are and those that come.
 * @param isAll what is not named gets its default
 */
export function changeGroup(
  client: Client,
  group: string,
  values: readonly NamedValue[] | (() => readonly NamedValue[]),
  validateOnly: boolean,
  isAll: boolean,
): Changed {
  const { broker } = client
  const about = { resourceType: GROUP, resourceName: group }
  try {
    permit(client, 'define', `group:${group}`)
    const groups = broker.subscriptionGroups
    const named = typeof values === 'function' ? values() : values
    const settings = groupSettingsFrom(isAll ? undefined : groups.settings(group), named)
    const { deadLetter } = settings.delivery ?? {}
    // Who has messages moved there publishes there.
    if (deadLetter !== undefined) permit(client, 'publish', deadLetter as `${'topic' | 'queue'}:${string}`)
    for (const topic of groups.topics(group)) permit(client, 'define', topicAddress(topic, group))
    if (!validateOnly) groups.configure(group, settings)
    return { ...success, ...about }
  } catch (error) {
    return { ...failure(error), ...about }
  }
}

/** Groups with a configuration that the client may know of. */
export function configuredGroups(client: Client): readonly string[] {
  return client.broker.subscriptionGroups.configured().filter((group) => maySeeGroup(client, group))
}
