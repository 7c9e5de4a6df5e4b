import { errors } from '../errors.ts'
import { apiVersions } from '../messages/cluster.ts'
import { serve, type ServedApi } from '../served-api.ts'
import { features } from './features.ts'

/** What a client calls itself, by KIP-511. */
const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

/** @param apis all that are served, this one included once it is made */
export function apiVersionsApi(apis: () => Iterable<ServedApi>): ServedApi {
  return serve(apiVersions, ({ clientSoftwareName, clientSoftwareVersion }, version) => {
    if (version >= 3 && !(SOFTWARE.test(clientSoftwareName) && SOFTWARE.test(clientSoftwareVersion))) {
      return { errorCode: errors.INVALID_REQUEST, apiKeys: [] }
    }
    const apiKeys = [...apis()].map(({ codec }) => ({
      apiKey: codec.key,
      minVersion: codec.min,
      maxVersion: codec.max,
    }))
    return { errorCode: errors.NONE, apiKeys: apiKeys.toSorted((a, b) => a.apiKey - b.apiKey), ...features }
  })
}
