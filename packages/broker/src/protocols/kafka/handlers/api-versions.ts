import { errors } from '../errors.ts'
import { apiVersions } from '../messages/cluster.ts'
import { serve, type ServedApi } from '../served-api.ts'

/** What a client calls itself, by KIP-511. */
const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

/** That the broker assigns partitions to members of a group. */
const GROUP_VERSION = 1
const features = {
  supportedFeatures: [{ name: 'group.version', minVersion: GROUP_VERSION, maxVersion: GROUP_VERSION }],
  finalizedFeaturesEpoch: 0,
  finalizedFeatures: [{ name: 'group.version', minVersionLevel: GROUP_VERSION, maxVersionLevel: GROUP_VERSION }],
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
