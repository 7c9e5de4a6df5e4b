import type { Broker } from '../../core/broker.ts'
import type { Security } from '../security.ts'
import { Declarations } from './declarations.ts'
import { AmqpDirectory } from './directory.ts'
import { Parameters } from './policies/parameters.ts'
import { Policies } from './policies/policies.ts'
import { PolicyApplication } from './policies/policy-application.ts'
import { AllQueueCounters } from './queue-counters.ts'
import { AmqpUserLimits } from './vhosts/user-limits.ts'
import { VirtualHosts } from './vhosts/virtual-hosts.ts'

/** What there is beside messages, for the door and for the management API of one broker. */
export interface AmqpAdministration {
  readonly broker: Broker
  readonly security: Security
  readonly directory: AmqpDirectory
  readonly vhosts: VirtualHosts
  readonly userLimits: AmqpUserLimits
  readonly policies: Policies
  readonly policyApplication: PolicyApplication
  readonly parameters: Parameters
  readonly declarations: Declarations
  readonly queueCounters: AllQueueCounters
}

/** Makes the exchanges that every virtual host has, where they are missing. */
export function openAdministration(broker: Broker, security: Security): AmqpAdministration {
  const directory = new AmqpDirectory()
  const vhosts = new VirtualHosts(broker, security.users, directory)
  const policies = new Policies(broker.documents)
  vhosts.prepare()
  return {
    broker,
    security,
    directory,
    vhosts,
    userLimits: new AmqpUserLimits(security, directory),
    policies,
    policyApplication: new PolicyApplication(broker, policies),
    parameters: new Parameters(broker.documents),
    declarations: new Declarations({ broker, vhosts, policies }),
    queueCounters: new AllQueueCounters(broker),
  }
}
