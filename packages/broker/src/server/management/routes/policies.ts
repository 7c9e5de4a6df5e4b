import { orUndefined } from '../../../base/errors.ts'
import type { PolicyKind } from '../../../protocols/amqp/policies/policies.ts'
import { type ApplyTo, applyTos } from '../../../protocols/amqp/policies/policy.ts'
import { policyEntry } from '../../../protocols/amqp/transfer/export-definitions.ts'
import { numberField, requiredText, tableField, textField } from '../body-fields.ts'
import { badRequest } from '../failures.ts'
import {
  get,
  type Json,
  type ManagementCall,
  type ManagementRoute,
  noContent,
  put,
  remove,
  written,
} from '../management-route.ts'
import { vhostOf } from './vhosts.ts'

/** Policies, and those of operators. */
export const policyRoutes: readonly ManagementRoute[] = [
  ...routesOf('/api/policies', 'policy'),
  ...routesOf('/api/operator-policies', 'operator-policy'),
]

function routesOf(path: string, kind: PolicyKind): readonly ManagementRoute[] {
  return [
    get(path, ({ access }, { administration: { policies } }) => {
      const isVisible = access.visible()
      return policies
        .list(kind)
        .filter(({ vhost }) => isVisible(vhost))
        .map(policyEntry)
    }),
    get(`${path}/{vhost}`, (call, services) =>
      services.administration.policies.list(kind, vhostOf(call, services)).map(policyEntry),
    ),
    get(`${path}/{vhost}/{name}`, (call, services) =>
      policyEntry(services.administration.policies.get(kind, vhostOf(call, services), call.param('name'))),
    ),
    put(`${path}/{vhost}/{name}`, async (call, { administration }) => {
      const { policies, policyApplication, broker, vhosts } = administration
      checkMayChange(call, kind)
      const { name: vhost } = vhosts.get(call.param('vhost'))
      const policy = { vhost, name: call.param('name'), ...specOf(await call.body()) }
      const isNew = orUndefined(() => policies.get(kind, vhost, policy.name)) === undefined
      await broker.whenCommitted(policyApplication.changing(() => void policies.put(kind, policy)))
      return written(isNew)
    }),
    remove(`${path}/{vhost}/{name}`, async (call, { administration }) => {
      const { policies, policyApplication, broker } = administration
      checkMayChange(call, kind)
      const change = (): void => void policies.remove(kind, call.param('vhost'), call.param('name'))
      await broker.whenCommitted(policyApplication.changing(change))
      return noContent()
    }),
  ]
}

/** @throws MillraceError `forbidden` */
function checkMayChange({ access, param }: ManagementCall, kind: PolicyKind): void {
  if (kind === 'policy') access.check('define', `vhost:${param('vhost')}`)
  else access.check('administer', 'broker')
}

/** @throws MillraceError `bad_request` */
function specOf(body: Json) {
  const applyTo = textField(body, 'apply-to') ?? 'all'
  if (!isApplyTo(applyTo)) throw badRequest(`apply-to is one of ${applyTos.join(', ')}`)
  return {
    pattern: requiredText(body, 'pattern'),
    applyTo,
    priority: numberField(body, 'priority') ?? 0,
    definition: tableField(body, 'definition'),
  }
}

function isApplyTo(text: string): text is ApplyTo {
  return (applyTos as readonly string[]).includes(text)
}
