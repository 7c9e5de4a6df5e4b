/** Operations on exchanges and bindings. */
import { exchangeAddress } from '@millrace/wire'
import type { Binding } from '../../core/broker.ts'
import type { Principal, SessionContext } from '../session.ts'
import * as schemas from './exchange-schemas.ts'
import { define, type Operation } from './operation.ts'
import { page } from './page.ts'
import { listParams, named, nothing } from './schemas.ts'

export type ExchangeOperation = `exchange.${'create' | 'delete' | 'get' | 'list'}` | `binding.${'create' | 'delete' | 'list'}`

export const exchangeOperations: Readonly<Record<ExchangeOperation, Operation>> = {
  'exchange.create': define({
    summary: 'Create an exchange, or do nothing if it exists with the same settings',
    action: 'create',
    params: schemas.exchangeSpec,
    result: schemas.exchangeInfo,
    resource: ({ name }) => `exchange:${name}`,
    publishesTo: ({ alternate }) => (alternate === undefined ? undefined : exchangeAddress(alternate)),
    async run({ broker }, spec) {
      await broker.whenCommitted(broker.router.createExchange(spec))
      return broker.router.exchange(spec.name)
    },
  }),
  'exchange.delete': define({
    summary: 'Delete an exchange with the bindings from and to it',
    action: 'delete',
    params: schemas.exchangeDeleteParams,
    result: nothing,
    resource: ({ name }) => `exchange:${name}`,
    async run({ broker }, { name, ifUnused = false }) {
      await broker.whenCommitted(broker.router.deleteExchange(name, { ifUnused }))
      return {}
    },
  }),
  'exchange.get': define({
    summary: 'Describe an exchange',
    action: 'describe',
    params: named,
    result: schemas.exchangeInfo,
    resource: ({ name }) => `exchange:${name}`,
    run: ({ broker }, { name }) => broker.router.exchange(name),
  }),
  'exchange.list': define({
    summary: 'List exchanges',
    action: 'describe',
    params: listParams,
    result: schemas.exchangeList,
    resource: () => 'broker',
    run: ({ broker }, params) => page(broker.router.exchanges(), ({ name }) => name, params),
  }),
  'binding.create': define({
    summary: 'Bind a queue, topic or exchange to an exchange, or do nothing if it is bound so',
    action: 'read',
    params: schemas.binding,
    result: schemas.binding,
    resource: ({ source }) => `exchange:${source}`,
    publishesTo: ({ destination }) => destination,
    async run(context, given, _signal, principal) {
      const { broker } = context
      const binding = bindingOf(context, given, principal)
      await broker.whenCommitted(broker.router.bind(binding))
      return binding
    },
  }),
  'binding.delete': define({
    summary: 'Take a binding away, or do nothing if there is none',
    action: 'read',
    params: schemas.binding,
    result: nothing,
    resource: ({ source }) => `exchange:${source}`,
    publishesTo: ({ destination }) => destination,
    async run(context, given, _signal, principal) {
      const { broker } = context
      await broker.whenCommitted(broker.router.unbind(bindingOf(context, given, principal)))
      return {}
    },
  }),
  'binding.list': define({
    summary: 'List bindings: from an exchange, to a destination, or all',
    action: 'describe',
    params: schemas.bindingListParams,
    result: schemas.bindingList,
    resource: ({ source }) => (source === undefined ? 'broker' : `exchange:${source}`),
    run({ broker }, { source, destination, ...params }) {
      const where = { ...(source === undefined ? {} : { source }), ...(destination === undefined ? {} : { destination }) }
      return page(broker.router.bindings(where), (binding) => orderOf(binding), params)
    },
  }),
}

/** The binding that is asked for, whose key may be read. @throws MillraceError `forbidden`, `not_found` */
function bindingOf({ broker, security }: SessionContext, given: schemas.GivenBinding, principal: Principal): Binding {
  const { source, key = '' } = given
  if (broker.router.exchange(source).type === 'topic') security.authorizeTopic(principal, source, key, 'read')
  return { ...given, key }
}

/** Different for bindings that are different. */
function orderOf({ source, destination, key, match, labels }: schemas.GivenBinding): string {
  return JSON.stringify([source, destination, key, match ?? null, labels ?? null])
}
