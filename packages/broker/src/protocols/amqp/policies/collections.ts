/** Collections of documents that belong to virtual hosts. */
export const POLICIES = 'amqp.policies'
export const OPERATOR_POLICIES = 'amqp.operator-policies'
export const VHOST_PARAMETERS = 'amqp.parameters'
/** The virtual hosts themselves, with their limits. */
export const VHOSTS = 'amqp.vhosts'
/** One that belongs to none. */
export const GLOBAL_PARAMETERS = 'amqp.global-parameters'
