/** In place of a body: a message without one. In a compacted topic it takes its key away. For `Transaction.publish`. */
export const tombstone: unique symbol = Symbol('tombstone')
