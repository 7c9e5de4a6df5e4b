import { topicAddress } from '@millrace/wire'
import { may, permit } from '../access.ts'
import type { Decoded } from '../codec/notation.ts'
import { describeBrokerConfigs } from '../configs/broker-configs.ts'
import { changedList, describeTopicConfigs, type NamedValue, settingsFrom, type TopicSettings } from '../configs/topic-configs.ts'
import { errors, failure, KafkaError, success } from '../errors.ts'
import { NODE_ID } from '../limits.ts'
import { alterConfigs, describeConfigs, incrementalAlterConfigs, listConfigResources } from '../messages/topics.ts'
import { type Client, Durable, serve, type ServedApi } from '../served-api.ts'
import { changeGroup, configuredGroups, describeGroup } from './group-configs.ts'
import { durableTicket } from './topics.ts'
import { visibleTopics } from './topic-lookup.ts'

/** Kinds of resources that have a configuration. */
const TOPIC = 2
const BROKER = 4
const GROUP = 32

type Resource = Decoded<typeof describeConfigs.request>['resources'][number]

export const describeConfigsApi: ServedApi = serve(describeConfigs, (request, _, client) => ({
  results: request.resources.map((resource) => {
    const { resourceType, resourceName, configurationKeys } = resource
    try {
      const configs = configsOf(client, resource)
        .filter(({ name }) => configurationKeys === null || configurationKeys.length === 0 || configurationKeys.includes(name))
        .map((config) => ({
          ...config,
          synonyms: request.includeSynonyms ? config.synonyms : [],
          documentation: request.includeDocumentation ? config.documentation : null,
        }))
      return { ...success, resourceType, resourceName, configs }
    } catch (error) {
      return { ...failure(error), resourceType, resourceName, configs: [] }
    }
  }),
}))

function configsOf(client: Client, { resourceType, resourceName }: Resource): ReturnType<typeof describeTopicConfigs> {
  const { broker } = client
  if (resourceType === TOPIC) {
    permit(client, 'describe', topicAddress(resourceName))
    return describeTopicConfigs(broker.storedTopic(resourceName), broker.limits)
  }
  if (resourceType === GROUP) return describeGroup(client, resourceName)
  permit(client, 'describe', 'broker')
  checkBroker(resourceType, resourceName)
  return describeBrokerConfigs(broker.limits)
}

/** An empty name stands for all brokers. @throws KafkaError */
function checkBroker(resourceType: number, resourceName: string): void {
  if (resourceType !== BROKER)
    throw new KafkaError(errors.INVALID_REQUEST, `resources of the type ${resourceType} have no configuration here`)
  if (resourceName !== '' && resourceName !== String(NODE_ID)) {
    throw new KafkaError(errors.INVALID_REQUEST, `there is one broker, ${NODE_ID}, and no ${resourceName}`)
  }
}

/** Sets everything: what is not named gets its default. */
export const alterConfigsApi: ServedApi = serve(alterConfigs, ({ resources, validateOnly }, _, client) => {
  const responses = resources.map(({ resourceType, resourceName, configs }) =>
    resourceType === GROUP
      ? changeGroup(client, resourceName, configs, validateOnly, true)
      : changed(client, resourceType, resourceName, validateOnly, ({ retention }) => ({
          // How many records are kept is no setting of Kafka's, and stays.
          base: retention?.records === undefined ? {} : { retention: { records: retention.records } },
          values: configs,
        })),
  )
  return new Durable(validateOnly ? 0 : durableTicket(client, responses), { responses })
})

const SET = 0
const DELETE = 1
const APPEND = 2
const SUBTRACT = 3

export const incrementalAlterConfigsApi: ServedApi = serve(incrementalAlterConfigs, ({ resources, validateOnly }, _, client) => {
  const responses = resources.map(({ resourceType, resourceName, configs }) =>
    resourceType === GROUP
      ? changeGroup(client, resourceName, () => configs.map(plainValue), validateOnly, false)
      : changed(client, resourceType, resourceName, validateOnly, (now) => ({
          base: now,
          values: configs.map(({ name, configOperation, value }): NamedValue => {
            if (configOperation === SET) return { name, value: valueOf(name, value) }
            if (configOperation === DELETE) return { name, value: null }
            if (configOperation === APPEND || configOperation === SUBTRACT) {
              return { name, value: changedList(name, now, value, configOperation === APPEND) }
            }
            throw new KafkaError(errors.INVALID_REQUEST, `there is no operation ${configOperation}`)
          }),
        })),
  )
  return new Durable(validateOnly ? 0 : durableTicket(client, responses), { responses })
})

/** Of what has no lists. @throws KafkaError INVALID_REQUEST */
function plainValue({
  name,
  configOperation,
  value,
}: {
  name: string
  configOperation: number
  value: string | null
}): NamedValue {
  if (configOperation === SET) return { name, value: valueOf(name, value) }
  if (configOperation === DELETE) return { name, value: null }
  throw new KafkaError(errors.INVALID_REQUEST, `${name} is no list`)
}

function valueOf(name: string, value: string | null): string {
  if (value !== null) return value
  throw new KafkaError(errors.INVALID_REQUEST, `${name} is set, to nothing`)
}

interface ConfigChange {
  /** What is not named stays as it is here. */
  readonly base: TopicSettings
  readonly values: readonly NamedValue[]
}

function changed(
  client: Client,
  resourceType: number,
  resourceName: string,
  validateOnly: boolean,
  change: (now: TopicSettings) => ConfigChange,
): { errorCode: number; errorMessage: string | null; resourceType: number; resourceName: string } {
  const { broker } = client
  try {
    if (resourceType !== TOPIC) {
      permit(client, 'define', 'broker')
      checkBroker(resourceType, resourceName)
      throw new KafkaError(errors.INVALID_REQUEST, 'the broker is configured where it is started')
    }
    permit(client, 'define', topicAddress(resourceName))
    const { base, values } = change(broker.storedTopic(resourceName))
    const settings = settingsFrom(base, values, broker.limits)
    if (!validateOnly) broker.updateTopic(resourceName, settings)
    return { ...success, resourceType, resourceName }
  } catch (error) {
    return { ...failure(error), resourceType, resourceName }
  }
}

export const listConfigResourcesApi: ServedApi = serve(listConfigResources, ({ resourceTypes }, version, client) => {
  if (!may(client, 'describe', 'broker')) return { errorCode: errors.CLUSTER_AUTHORIZATION_FAILED, configResources: [] }
  // In the first version it is about metrics of clients, of which there are none.
  if (version === 0) return { errorCode: errors.NONE, configResources: [] }
  const isAsked = (type: number): boolean => resourceTypes.length === 0 || resourceTypes.includes(type)
  const topics = isAsked(TOPIC) ? visibleTopics(client).map(({ name }) => ({ resourceName: name, resourceType: TOPIC })) : []
  const brokers = isAsked(BROKER) ? [{ resourceName: String(NODE_ID), resourceType: BROKER }] : []
  const groups = isAsked(GROUP) ? configuredGroups(client).map((name) => ({ resourceName: name, resourceType: GROUP })) : []
  return { errorCode: errors.NONE, configResources: [...topics, ...brokers, ...groups] }
})
