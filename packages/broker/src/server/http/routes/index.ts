import { openapiDocument } from '../openapi.ts'
import type { Route } from '../route.ts'
import type { HttpServices } from '../services.ts'
import { consumeRoutes } from './consume.ts'
import { deadLetterRoutes } from './dead-letters.ts'
import { definitionRoutes } from './definitions.ts'
import { exchangeRoutes } from './exchanges.ts'
import { groupRoutes } from './groups.ts'
import { messageRoutes } from './messages.ts'
import { observeRoutes } from './observe.ts'
import { producerTransactionRoutes } from './producer-transactions.ts'
import { quotaRoutes } from './quotas.ts'
import { transactionRoutes } from './transactions.ts'
import { replyRoutes } from './replies.ts'
import { requestRoutes } from './requests.ts'
import { scheduledRoutes } from './scheduled.ts'
import { userRoutes } from './users.ts'

/** All routes of the HTTP API. */
export function httpRoutes(services: HttpServices): readonly Route[] {
  const routes: readonly Route[] = [
    ...definitionRoutes(services),
    ...exchangeRoutes(services),
    ...messageRoutes(services),
    ...consumeRoutes(services),
    ...requestRoutes(services),
    ...replyRoutes(services),
    ...deadLetterRoutes(services),
    ...groupRoutes(services),
    ...scheduledRoutes(services),
    ...transactionRoutes(services),
    ...producerTransactionRoutes(services),
    ...userRoutes(services),
    ...quotaRoutes(services),
    ...observeRoutes(services, () => openapiDocument(routes)),
  ]
  return routes
}
