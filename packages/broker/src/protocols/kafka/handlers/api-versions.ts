import { errors } from '../errors.ts'
import { apiVersions } from '../messages/cluster.ts'
import { serve, type ServedApi } from '../served-api.ts'

/** What a client calls itself, by KIP-511. */
const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

/** What of the protocol is in use besides versions of messages. Levels of 0 are not named: old clients cannot read them. */
const levels = [
  // The broker assigns partitions to members of a group.
  { name: 'group.version', level: 1 },
  // Share groups, and their dead letters.
  { name: 'share.version', level: 2 },
  // The first record of a transaction begins it, and each one has an epoch of its own.
  { name: 'transaction.version', level: 2 },
]
const features = {
  supportedFeatures: levels.map(({ name, level }) => ({ name, minVersion: 1, maxVersion: level })),
  finalizedFeaturesEpoch: 0,
  finalizedFeatures: levels.map(({ name, level }) => ({ name, minVersionLevel: level, maxVersionLevel: level })),
}

/** @param apis all that are served, this one included once it is made */
export function apiVersionsApi(apis: () => Iterable<ServedApi>): ServedApi {
  return serve(apiVersions, ({ clientSoftwareName, clientSoftwareVersion }, version) => {
    if (version >= 3 && !(SOFTWARE.test(clientSoftwareName) && SOFTWARE.test(clientSoftwareVersion))) {
      return { errorCode: errors.INVALID_REQUEST, apiKeys: [] }
    }
    const apiKeys = [...apis()].map(({ codec }) => ({ apiKey: codec.key, minVersion: codec.min, maxVersion: codec.max }))
    return { errorCode: errors.NONE, apiKeys: apiKeys.toSorted((a, b) => a.apiKey - b.apiKey), ...features }
  })
}
