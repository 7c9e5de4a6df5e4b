import { describe, expect, test } from 'vitest'
import { KafkaBroker, type KafkaOptions, type KafkaPeer } from '../../../../test/kafka/kafka-peer.ts'
import {
  type Dialect,
  ends,
  MIDDLE,
  NEW,
  OLD,
  transactionalBatch,
  TransactionalPeer,
} from '../../../../test/kafka/transactional-peer.ts'
import { MillraceError } from '../../../base/errors.ts'
import { errors } from '../errors.ts'
import { apiVersions, findCoordinator } from '../messages/cluster.ts'
import { offsetFetch } from '../messages/groups.ts'
import { listOffsets } from '../messages/records.ts'
import {
  addPartitionsToTxn,
  describeProducers,
  describeTransactions,
  endTxn,
  initProducerId,
  listTransactions,
  writeTxnMarkers,
} from '../messages/transactions.ts'

async function open(options: KafkaOptions = {}): Promise<{ broker: KafkaBroker; peer: KafkaPeer }> {
  const broker = await KafkaBroker.open(options)
  broker.core.broker.createTopic({ name: 't', partitions: 2 })
  await broker.core.settle()
  return { broker, peer: broker.connect() }
}

async function opened(dialect: Dialect): Promise<{ broker: KafkaBroker; peer: KafkaPeer; p: TransactionalPeer }> {
  const { broker, peer } = await open()
  const p = new TransactionalPeer(peer, dialect)
  expect(await p.init()).toBe(errors.NONE)
  return { broker, peer, p }
}

async function valuesOf({ core }: KafkaBroker, partition = 0): Promise<(string | null)[]> {
  const reader = core.read('topic:t', 'earliest', partition)
  await core.settle()
  reader.reader.close()
  return reader.values
}

async function committedOffset(peer: KafkaPeer, requireStable: boolean): Promise<readonly [code: number, offset: number]> {
  const topics = [{ name: 't', partitionIndexes: [0] }]
  const answer = await peer.ask(offsetFetch, 7, { groupId: 'g', topics, requireStable })
  const { errorCode, committedOffset: offset } = answer.topics[0]!.partitions[0]!
  return [errorCode, offset]
}

const begun = async (p: TransactionalPeer): Promise<void> => {
  if (p.dialect === NEW) return
  expect(await p.addPartitions([0, 1])).toEqual([0, 0])
  expect(await p.addGroup()).toBe(errors.NONE)
}

describe.each([
  ['old', OLD],
  ['middle', MIDDLE],
  ['new', NEW],
])('a producer with %s versions', (_, dialect) => {
  test('publishes and commits offsets at once, or not at all', async () => {
    const { broker, peer, p } = await opened(dialect)
    await begun(p)
    expect(await p.produce('a')).toEqual([errors.NONE, -1])
    expect(await p.produce('b', 't', 1)).toEqual([errors.NONE, -1])
    expect(await p.commitOffset(7)).toBe(errors.NONE)
    expect(await committedOffset(peer, true)).toEqual([errors.UNSTABLE_OFFSET_COMMIT, -1])
    expect(await committedOffset(peer, false)).toEqual([errors.NONE, -1])
    expect(await p.end(true)).toBe(errors.NONE)
    expect([await valuesOf(broker), await valuesOf(broker, 1)]).toEqual([['a'], ['b']])
    expect(await committedOffset(peer, true)).toEqual([errors.NONE, 7])

    await begun(p)
    await p.produce('never')
    await p.commitOffset(8)
    expect(await p.end(false)).toBe(errors.NONE)
    await begun(p)
    await p.produce('c')
    expect(await p.end(true)).toBe(errors.NONE)
    expect(await valuesOf(broker)).toEqual(['a', 'c'])
    expect(await committedOffset(peer, true)).toEqual([errors.NONE, 7])
  })

  test('goes on after a restart of the broker, with what it had sent', async () => {
    const { broker, p } = await opened(dialect)
    await begun(p)
    await p.produce('a')
    const repeated = transactionalBatch('a', p.producerId, p.producerEpoch, 0)
    await broker.core.crash()
    const again = p.at(broker.connect())
    expect(await again.send(repeated, 't', 0)).toEqual([errors.NONE, -1])
    expect(await again.end(true)).toBe(errors.NONE)
    expect(await p.at(broker.connect()).end(true)).toBe(errors.NONE)
    expect(await valuesOf(broker)).toEqual(['a'])
  })

  test('is fenced by whoever opens the same transactional id', async () => {
    const { broker, p } = await opened(dialect)
    await begun(p)
    await p.produce('a')
    const next = new TransactionalPeer(broker.connect(), dialect)
    expect(await next.init()).toBe(errors.NONE)
    expect([next.producerId, next.producerEpoch]).toEqual([p.producerId, p.producerEpoch + 1])
    const fenced = dialect === OLD ? errors.INVALID_PRODUCER_EPOCH : errors.PRODUCER_FENCED
    expect(await p.produce('late')).toEqual([errors.INVALID_PRODUCER_EPOCH, -1])
    expect(await p.commitOffset(1)).toBe(errors.INVALID_PRODUCER_EPOCH)
    expect(await p.addPartitions([0])).toEqual([fenced])
    expect(await p.addGroup()).toBe(fenced)
    expect(await p.end(true)).toBe(fenced)
    if (dialect !== OLD) expect(await p.init(60_000, true)).toBe(fenced)
    await begun(next)
    await next.produce('b')
    expect(await next.end(true)).toBe(errors.NONE)
    expect(await valuesOf(broker)).toEqual(['b'])
  })

  test('is told when its transaction took too long; the newest aborts it and goes on', async () => {
    const { broker, p } = await opened(dialect)
    await begun(p)
    await p.produce('a')
    await broker.core.advance(61_000)
    expect((await valuesOf(broker)).length).toBe(0)
    const [added, ended] = {
      1: [errors.INVALID_PRODUCER_EPOCH, errors.INVALID_PRODUCER_EPOCH],
      4: [errors.INVALID_PRODUCER_EPOCH, errors.PRODUCER_FENCED],
      5: [errors.TRANSACTION_ABORTABLE, errors.TRANSACTION_ABORTABLE],
    }[dialect.end]!
    expect(await p.produce('b')).toEqual([added, -1])
    expect(await p.commitOffset(1)).toBe(added)
    expect(await p.end(true)).toBe(ended)
    if (dialect === NEW) expect(await p.end(false)).toBe(errors.NONE)
    else if (dialect === MIDDLE) expect(await p.init(60_000, true)).toBe(errors.NONE)
    else return
    await begun(p)
    expect(await p.produce('c')).toEqual([errors.NONE, -1])
    expect(await p.end(true)).toBe(errors.NONE)
    expect(await valuesOf(broker)).toEqual(['c'])
  })

  test('is refused without a transaction, and what it did not announce', async () => {
    const { p } = await opened(dialect)
    expect(await p.end(true)).toBe(errors.INVALID_TXN_STATE)
    if (dialect === NEW) {
      expect(await p.end(false)).toBe(errors.NONE)
      return
    }
    const notOpen = dialect === OLD ? errors.INVALID_TXN_STATE : errors.TRANSACTION_ABORTABLE
    expect(await p.produce('a')).toEqual([notOpen, -1])
    expect(await p.commitOffset(1)).toBe(notOpen)
    await p.addPartitions([0])
    expect(await p.produce('b', 't', 1)).toEqual([notOpen, -1])
    expect(await p.end(true)).toBe(errors.NONE)
    expect(await p.end(true)).toBe(errors.NONE)
    expect(await p.end(false)).toBe(errors.INVALID_TXN_STATE)
  })

  test('is not known without having been opened, and not by an id that somebody else has', async () => {
    const { peer } = await open()
    const p = new TransactionalPeer(peer, dialect)
    Object.assign(p, { producerId: 4711, producerEpoch: 0 })
    const expectUnknown = async (fenced: number): Promise<void> => {
      expect(await p.produce('a')).toEqual([fenced, -1])
      expect(await p.commitOffset(1)).toBe(errors.INVALID_PRODUCER_ID_MAPPING)
      expect(await p.addPartitions([0])).toEqual([errors.INVALID_PRODUCER_ID_MAPPING])
      expect(await p.addGroup()).toBe(errors.INVALID_PRODUCER_ID_MAPPING)
      expect(await p.end(true)).toBe(errors.INVALID_PRODUCER_ID_MAPPING)
    }
    await expectUnknown(errors.INVALID_PRODUCER_ID_MAPPING)
    await new TransactionalPeer(peer, dialect).init()
    await expectUnknown(errors.INVALID_PRODUCER_EPOCH)
  })

  test('is refused what its partitions and groups do not take, and goes on', async () => {
    const { broker, p } = await opened(dialect)
    expect(await p.addPartitions([0, 9])).toEqual([errors.OPERATION_NOT_ATTEMPTED, errors.UNKNOWN_TOPIC_OR_PARTITION])
    expect(await p.addPartitions([0], 'none')).toEqual([errors.UNKNOWN_TOPIC_OR_PARTITION])
    await begun(p)
    expect(await p.produce('a', 't', 9)).toEqual([errors.UNKNOWN_TOPIC_OR_PARTITION, -1])
    expect(await p.commitOffset(1, { index: 9 })).toBe(errors.UNKNOWN_TOPIC_OR_PARTITION)
    expect(await p.commitOffset(1, { memberId: 'nobody' })).toBe(errors.UNKNOWN_MEMBER_ID)
    await p.produce('a')
    const gap = transactionalBatch('c', p.producerId, p.producerEpoch, 5)
    expect(await p.send(gap, 't', 0)).toEqual([errors.OUT_OF_ORDER_SEQUENCE_NUMBER, -1])
    expect(await p.end(true)).toBe(errors.NONE)
    expect(await valuesOf(broker)).toEqual(['a'])
  })
})

test('a producer is opened with a time that its transactions may take, and by who it says it is', async () => {
  const { peer } = await open()
  const p = new TransactionalPeer(peer, NEW)
  expect(await p.init(0)).toBe(errors.INVALID_TRANSACTION_TIMEOUT)
  expect(await p.init(16 * 60_000)).toBe(errors.INVALID_TRANSACTION_TIMEOUT)
  expect(await new TransactionalPeer(peer, NEW, '').init()).toBe(errors.INVALID_REQUEST)
  const ask = async (producerId: number, producerEpoch: number): Promise<number> => {
    const request = { transactionalId: 'p', transactionTimeoutMs: 1000, producerId, producerEpoch }
    return (await peer.ask(initProducerId, 5, request)).errorCode
  }
  expect(await ask(-1, 3)).toBe(errors.INVALID_REQUEST)
  expect(await p.init()).toBe(errors.NONE)
  expect(await ask(p.producerId, p.producerEpoch)).toBe(errors.NONE)
  expect(await ask(4711, 0)).toBe(errors.PRODUCER_FENCED)
  // @platformatic/kafka says so when it is nobody yet.
  expect(await ask(0, 0)).toBe(errors.NONE)
  // What is not known here ends the connection, as in Kafka: preparing a transaction for somebody else to end.
  peer.send({ ...initProducerId, versions: '0-6' }, 6, { transactionalId: 'p', transactionTimeoutMs: 1000 })
  expect(peer.closed).toBe(true)
})

describe('what is read', () => {
  test('is the same for those who ask for what is committed and for those who do not', async () => {
    const { peer, p } = await opened(NEW)
    await p.produce('a')
    const end = async (isolationLevel: number): Promise<number> => {
      const topics = [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: -1 }] }]
      return (await peer.ask(listOffsets, 5, { replicaId: -1, isolationLevel, topics })).topics[0]!.partitions[0]!.offset
    }
    const nothing = { highWatermark: 0, lastStableOffset: 0, isEmpty: true }
    expect(await ends(peer, 0)).toEqual({ ...nothing, abortedTransactions: null })
    expect(await ends(peer, 1)).toEqual({ ...nothing, abortedTransactions: [] })
    expect([await end(0), await end(1)]).toEqual([0, 0])
    await p.end(true)
    await p.produce('never')
    await p.end(false)
    const one = { highWatermark: 1, lastStableOffset: 1, isEmpty: false }
    expect(await ends(peer, 0)).toEqual({ ...one, abortedTransactions: null })
    expect(await ends(peer, 1)).toEqual({ ...one, abortedTransactions: [] })
    expect([await end(0), await end(1)]).toEqual([1, 1])
  })

  test('a transaction larger than a commit is all there when its end is answered', async () => {
    const { broker, p } = await (async () => {
      const opening = await open({ storage: { commitBytesMax: 60_000 } })
      const producer = new TransactionalPeer(opening.peer, NEW)
      await producer.init()
      return { ...opening, p: producer }
    })()
    const values = Array.from({ length: 20 }, (_, n) => `${n} ${'x'.repeat(10_000)}`)
    for (const value of values) await p.produce(value)
    expect(await p.end(true)).toBe(errors.NONE)
    expect(broker.core.broker.topic('t').partitionInfo[0]!.end).toBe(20)
    expect(await p.produce('next')).toEqual([errors.NONE, -1])
    expect(await valuesOf(broker)).toEqual(values)
  })

  test('a broker that stops answers with the decision', async () => {
    const { broker, peer } = await open({ storage: { commitBytesMax: 60_000 } })
    const p = new TransactionalPeer(peer, NEW)
    await p.init()
    for (let n = 0; n < 20; n++) await p.produce('x'.repeat(10_000))
    const { producerId, producerEpoch } = p
    peer.send(endTxn, 5, { transactionalId: 'p', producerId, producerEpoch, committed: true })
    peer.session.drain()
    expect(broker.core.broker.producerTransactions.describe('p')!.state).toBe('committing')
    await broker.core.settle()
    expect(peer.take(endTxn, 5)).toMatchObject({ errorCode: errors.NONE, producerEpoch: producerEpoch + 1 })
    expect(peer.closed).toBe(true)
    await broker.core.restart()
    expect(await valuesOf(broker)).toHaveLength(20)
  })

  test('while it is published, who does not wait for the end is told to try again', async () => {
    const { broker, peer } = await open({ storage: { commitBytesMax: 60_000 } })
    const p = new TransactionalPeer(peer, NEW)
    await p.init()
    for (let n = 0; n < 20; n++) await p.produce('x'.repeat(10_000))
    const by = { transactionalId: 'p', producerId: p.producerId, epoch: p.producerEpoch }
    expect(broker.core.broker.producerTransactions.end(by, 'commit', false).isPublished).toBe(false)
    const others = [OLD, MIDDLE, NEW].map((dialect) => p.at(broker.connect(), dialect))
    for (const other of others) other.post(transactionalBatch('y', p.producerId, p.producerEpoch, 20), 't', 0)
    expect(broker.core.broker.producerTransactions.describe('p')!.state).toBe('committing')
    await broker.core.settle()
    expect(others.map((other) => other.posted()[0])).toEqual([
      errors.NOT_ENOUGH_REPLICAS,
      errors.NOT_ENOUGH_REPLICAS,
      errors.CONCURRENT_TRANSACTIONS,
    ])
  })
})

describe('operators', () => {
  test('list and describe transactions, and the producers of a partition', async () => {
    const { broker, peer, p } = await opened(NEW)
    await p.produce('a', 't', 1)
    await new TransactionalPeer(broker.connect(), NEW, 'other').init()
    const startedMs = broker.core.platform.clock.nowMs()
    await broker.core.advance(2000)
    const list = async (filter: object = {}): Promise<readonly string[]> => {
      const request = { stateFilters: [], producerIdFilters: [], durationFilter: -1, ...filter }
      const { transactionStates, unknownStateFilters } = await peer.ask(listTransactions, 1, request)
      return [...transactionStates.map((each) => `${each.transactionalId} ${each.transactionState}`), ...unknownStateFilters]
    }
    expect(await list()).toEqual(['other Empty', 'p Ongoing'])
    expect(await list({ stateFilters: ['Ongoing', 'Dead', 'Odd'] })).toEqual(['p Ongoing', 'Odd'])
    expect(await list({ producerIdFilters: [p.producerId] })).toEqual(['p Ongoing'])
    expect(await list({ durationFilter: 1000 })).toEqual(['p Ongoing'])
    expect(await list({ durationFilter: 60_000 })).toEqual([])

    const { transactionStates } = await peer.ask(describeTransactions, 0, { transactionalIds: ['p', 'other', 'none', ''] })
    const identity = { producerId: p.producerId, producerEpoch: p.producerEpoch }
    expect(transactionStates[0]).toEqual({
      errorCode: 0,
      transactionalId: 'p',
      transactionState: 'Ongoing',
      transactionTimeoutMs: 60_000,
      transactionStartTimeMs: startedMs,
      ...identity,
      topics: [{ topic: 't', partitions: [1] }],
    })
    expect(transactionStates[1]).toMatchObject({ transactionState: 'Empty', transactionStartTimeMs: -1, topics: [] })
    expect(transactionStates.slice(2).map(({ errorCode }) => errorCode)).toEqual([
      errors.TRANSACTIONAL_ID_NOT_FOUND,
      errors.INVALID_REQUEST,
    ])

    const { topics } = await peer.ask(describeProducers, 0, { topics: [{ name: 't', partitionIndexes: [2, 0, 1, 1] }] })
    const [wrong, none, one, again] = topics[0]!.partitions
    expect(none!.activeProducers).toEqual([])
    expect(one!.activeProducers).toMatchObject([{ ...identity, lastSequence: 0, currentTxnStartOffset: -1 }])
    expect([wrong!.errorCode, again!.errorCode]).toEqual([errors.UNKNOWN_TOPIC_OR_PARTITION, errors.INVALID_REQUEST])
  })

  test('find the coordinator, and that transactions have epochs of their own', async () => {
    const { peer } = await open()
    const find = async (keyType: number): Promise<number> =>
      (await peer.ask(findCoordinator, 4, { keyType, coordinatorKeys: ['p'] })).coordinators[0]!.errorCode
    expect([await find(0), await find(1), await find(2)]).toEqual([0, 0, errors.INVALID_REQUEST])
    expect((await peer.ask(findCoordinator, 1, { key: 'p', keyType: 1 })).port).toBeGreaterThan(0)
    const versions = await peer.ask(apiVersions, 3, { clientSoftwareName: 'a', clientSoftwareVersion: '1' })
    expect(versions.finalizedFeatures).toContainEqual({ name: 'transaction.version', minVersionLevel: 2, maxVersionLevel: 2 })
  })
})

test('who may not use a transactional id, a topic or a group is told which', async () => {
  const forbidden = new Set<string>()
  const { peer } = await open({
    authorize: (_, action, resource) => {
      if (forbidden.has(`${action} ${resource}`)) throw new MillraceError('forbidden', 'no')
    },
  })
  const p = new TransactionalPeer(peer, MIDDLE)
  const refused = errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
  forbidden.add('publish transaction:p').add('describe transaction:p')
  expect(await p.init()).toBe(refused)
  forbidden.clear()
  expect(await p.init()).toBe(errors.NONE)
  await begun(p)
  forbidden.add('publish topic:t').add('consume group:g')
  expect(await p.produce('a')).toEqual([errors.TOPIC_AUTHORIZATION_FAILED, -1])
  expect(await p.addPartitions([0, 1])).toEqual([errors.TOPIC_AUTHORIZATION_FAILED, errors.TOPIC_AUTHORIZATION_FAILED])
  expect([await p.addGroup(), await p.commitOffset(1)]).toEqual([
    errors.GROUP_AUTHORIZATION_FAILED,
    errors.GROUP_AUTHORIZATION_FAILED,
  ])
  forbidden.clear()
  forbidden.add('publish transaction:p').add('describe transaction:p').add('read topic:t')
  expect(await p.produce('a')).toEqual([refused, -1])
  expect(await p.addPartitions([0])).toEqual([refused])
  expect([await p.addGroup(), await p.commitOffset(1), await p.end(true)]).toEqual([refused, refused, refused])
  const { transactionStates } = await peer.ask(listTransactions, 1, { stateFilters: [], producerIdFilters: [] })
  expect(transactionStates).toEqual([])
  const described = await peer.ask(describeTransactions, 0, { transactionalIds: ['p'] })
  expect(described.transactionStates[0]!.errorCode).toBe(refused)
  const producers = await peer.ask(describeProducers, 0, { topics: [{ name: 't', partitionIndexes: [0] }] })
  expect(producers.topics[0]!.partitions[0]!.errorCode).toBe(errors.TOPIC_AUTHORIZATION_FAILED)
})

const topicsNamed = (...partitions: number[]): { name: string; partitions: number[] }[] => [{ name: 't', partitions }]

async function addToMany(
  peer: KafkaPeer,
  version: number,
  ...asked: { by: TransactionalPeer; partitions: number[]; verifyOnly?: boolean; epoch?: number }[]
): Promise<number[][]> {
  const transactions = asked.map(({ by, partitions, verifyOnly = false, epoch = by.producerEpoch }) => ({
    transactionalId: by.transactionalId,
    producerId: by.producerId,
    producerEpoch: epoch,
    verifyOnly,
    topics: topicsNamed(...partitions),
  }))
  const answer = await peer.ask(addPartitionsToTxn, version, { transactions })
  expect(answer.errorCode).toBe(errors.NONE)
  return answer.resultsByTransaction.map(({ topicResults }) =>
    topicResults[0]!.resultsByPartition.map(({ partitionErrorCode }) => partitionErrorCode),
  )
}

describe('AddPartitionsToTxn about many transactions', () => {
  test('adds to each, or says what was added', async () => {
    const { broker, peer, p } = await opened(MIDDLE)
    const q = new TransactionalPeer(broker.connect(), MIDDLE, 'q')
    await q.init()
    expect(await addToMany(peer, 5, { by: p, partitions: [0] }, { by: q, partitions: [0, 7] })).toEqual([
      [errors.NONE],
      [errors.OPERATION_NOT_ATTEMPTED, errors.UNKNOWN_TOPIC_OR_PARTITION],
    ])
    const both = [p, q].map((by) => ({ by, partitions: [0, 1], verifyOnly: true }))
    expect(await addToMany(peer, 5, ...both)).toEqual([
      [errors.NONE, errors.TRANSACTION_ABORTABLE],
      [errors.TRANSACTION_ABORTABLE, errors.TRANSACTION_ABORTABLE],
    ])
    expect(await addToMany(peer, 4, both[1]!)).toEqual([[errors.INVALID_TXN_STATE, errors.INVALID_TXN_STATE]])
    expect(await addToMany(peer, 4, { ...both[0]!, epoch: 99 })).toEqual([[errors.PRODUCER_FENCED, errors.PRODUCER_FENCED]])
    expect(await p.produce('a')).toEqual([errors.NONE, -1])
    expect(await p.end(true)).toBe(errors.NONE)
    expect(await valuesOf(broker)).toEqual(['a'])
  })
})

const writeMarkers = async (
  peer: KafkaPeer,
  by: TransactionalPeer,
  more: object = {},
  partitionIndexes = [0],
): Promise<number[]> => {
  const marker = { producerId: by.producerId, producerEpoch: by.producerEpoch, transactionResult: false, coordinatorEpoch: 0 }
  const markers = [{ ...marker, topics: [{ name: 't', partitionIndexes }], ...more }]
  const answer = await peer.ask(writeTxnMarkers, 1, { markers })
  expect(answer.markers[0]!.producerId).toBe(by.producerId)
  return answer.markers[0]!.topics[0]!.partitions.map(({ errorCode }) => errorCode)
}

describe('WriteTxnMarkers', () => {
  test('aborts the transaction that has the partition, as an operator does', async () => {
    const { broker, peer, p } = await opened(MIDDLE)
    await p.addPartitions([0])
    await p.produce('never')
    expect(await writeMarkers(peer, p, {}, [1])).toEqual([errors.NONE])
    expect(broker.core.broker.producerTransactions.describe('p')).toMatchObject({ state: 'open' })
    expect(await writeMarkers(peer, p, {}, [0, 9])).toEqual([errors.NONE, errors.UNKNOWN_TOPIC_OR_PARTITION])
    expect(broker.core.broker.producerTransactions.describe('p')).toMatchObject({ state: 'aborted' })
    expect(await writeMarkers(peer, p)).toEqual([errors.NONE])
    expect(await valuesOf(broker)).toEqual([])
    expect(await p.end(true)).toBe(errors.PRODUCER_FENCED)
  })

  test('does not commit, and not for a producer that was replaced', async () => {
    const { broker, peer, p } = await opened(MIDDLE)
    await p.addPartitions([0])
    expect(await writeMarkers(peer, p, { transactionResult: true })).toEqual([errors.INVALID_REQUEST])
    const next = new TransactionalPeer(broker.connect(), MIDDLE)
    await next.init()
    await next.addPartitions([0])
    expect(await writeMarkers(peer, p)).toEqual([errors.INVALID_PRODUCER_EPOCH])
    expect(broker.core.broker.producerTransactions.describe('p')).toMatchObject({ state: 'open' })
  })
})

test('transactions are listed by a pattern of their ids', async () => {
  const { broker, peer } = await open()
  for (const id of ['shop-1', 'shop-2', 'my-shop-1']) await new TransactionalPeer(broker.connect(), MIDDLE, id).init()
  const ids = async (transactionalIdPattern: string | null): Promise<unknown> => {
    peer.send(listTransactions, 2, { stateFilters: [], producerIdFilters: [], transactionalIdPattern })
    // The first pattern loads what reads patterns.
    await import('re2js')
    await peer.settle()
    const answer = peer.take(listTransactions, 2)
    return answer.errorCode || answer.transactionStates.map(({ transactionalId }) => transactionalId)
  }
  expect(await ids('shop-.*')).toEqual(['shop-1', 'shop-2'])
  expect(await ids('.*-1')).toEqual(['my-shop-1', 'shop-1'])
  expect(await ids(null)).toHaveLength(3)
  expect(await ids('')).toHaveLength(3)
  expect(await ids('shop-(')).toBe(errors.INVALID_REGULAR_EXPRESSION)
})
