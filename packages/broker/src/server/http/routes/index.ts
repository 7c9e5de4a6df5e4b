import { openapiDocument } from '../openapi.ts'
import type { Route } from '../route.ts'
import type { HttpServices } from '../services.ts'
import { consumeRoutes } from './consume.ts'
import { definitionRoutes } from './definitions.ts'
import { messageRoutes } from './messages.ts'
import { observeRoutes } from './observe.ts'

/** All routes of the HTTP API. */
export function httpRoutes(services: HttpServices): readonly Route[] {
  const routes: readonly Route[] = [
    ...definitionRoutes(services),
    ...messageRoutes(services),
    ...consumeRoutes(services),
    ...observeRoutes(services, () => openapiDocument(routes)),
  ]
  return routes
}
