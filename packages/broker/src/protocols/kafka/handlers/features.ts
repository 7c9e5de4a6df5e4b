/** What of the protocol is in use besides versions of messages. It is what this version of the broker has, and is not changed while it runs. */
import { permit } from '../access.ts'
import type { Encodable } from '../codec/notation.ts'
import { errors, failure, KafkaError, success } from '../errors.ts'
import type { apiVersions } from '../messages/cluster.ts'
import { updateFeatures } from '../messages/replicas.ts'
import { type Client, serve, type ServedApi } from '../served-api.ts'

/** Levels of 0 are not named: old clients cannot read them. */
const levels = [
  // The broker assigns partitions to members of a group.
  { name: 'group.version', level: 1 },
  // Share groups, and their dead letters.
  { name: 'share.version', level: 2 },
  // The first record of a transaction begins it, and each one has an epoch of its own.
  { name: 'transaction.version', level: 2 },
]

/** As clients are told of them with the versions of messages. */
export const features: Pick<
  Encodable<typeof apiVersions.response>,
  'supportedFeatures' | 'finalizedFeaturesEpoch' | 'finalizedFeatures'
> = {
  supportedFeatures: levels.map(({ name, level }) => ({ name, minVersion: 1, maxVersion: level })),
  finalizedFeaturesEpoch: 0,
  finalizedFeatures: levels.map(({ name, level }) => ({ name, minVersionLevel: level, maxVersionLevel: level })),
}

/** Whoever wants what there is gets it. From version 2 on the first that is refused is all that is told. */
export const updateFeaturesApi: ServedApi = serve(updateFeatures, ({ featureUpdates }, version, client) => {
  const results = featureUpdates.map(({ feature, maxVersionLevel }) => {
    try {
      checkUpdate(client, feature, maxVersionLevel)
      return { feature, ...success }
    } catch (error) {
      return { feature, ...failure(error) }
    }
  })
  const refused = results.find(({ errorCode }) => errorCode !== errors.NONE)
  // Who may not do it is told so as a whole, by all versions.
  const isWhole = version >= 2 || refused?.errorCode === errors.CLUSTER_AUTHORIZATION_FAILED
  const { errorCode, errorMessage } = isWhole && refused !== undefined ? refused : success
  return { errorCode, errorMessage, results }
})

/** @throws KafkaError */
function checkUpdate(client: Client, feature: string, wanted: number): void {
  permit(client, 'administer', 'broker')
  const known = levels.find(({ name }) => name === feature)
  if (known === undefined)
    throw new KafkaError(errors.INVALID_UPDATE_VERSION, `this broker has no feature ${JSON.stringify(feature)}`)
  if (wanted === known.level) return
  if (wanted > known.level)
    throw new KafkaError(
      errors.INVALID_UPDATE_VERSION,
      `${feature} goes up to ${known.level} in this version of the broker, not ${wanted}`,
    )
  throw new KafkaError(errors.FEATURE_UPDATE_FAILED, `${feature} is ${known.level}, which is not changed`)
}
