import { beforeEach, expect, test } from 'vitest'
import { KafkaBroker, type KafkaPeer } from '../../../../test/kafka/kafka-peer.ts'
import { errors } from '../errors.ts'
import { apiVersions, describeLogDirs } from '../messages/cluster.ts'
import { alterReplicaLogDirs, updateFeatures } from '../messages/replicas.ts'

let peer: KafkaPeer

beforeEach(async () => {
  const broker = await KafkaBroker.open()
  broker.core.broker.createTopic({ name: 't', partitions: 2 })
  await broker.core.settle()
  peer = broker.connect()
})

test('partitions are moved to the directory in which they are, and to no other', async () => {
  const { results: described } = await peer.ask(describeLogDirs, 4, { topics: null })
  const move = async (version: number, path: string, partitions: number[]): Promise<number[]> => {
    const { results } = await peer.ask(alterReplicaLogDirs, version, { dirs: [{ path, topics: [{ name: 't', partitions }] }] })
    return results[0]!.partitions.map(({ errorCode }) => errorCode)
  }
  for (const version of [1, 2]) {
    expect(await move(version, described[0]!.logDir, [0, 1, 2])).toEqual([0, 0, errors.UNKNOWN_TOPIC_OR_PARTITION])
    expect(await move(version, '/elsewhere', [0])).toEqual([errors.LOG_DIR_NOT_FOUND])
  }
})

test('features are what they are', async () => {
  const { finalizedFeatures } = await peer.ask(apiVersions, 3, { clientSoftwareName: 'a', clientSoftwareVersion: '1' })
  const update = async (
    version: number,
    ...levels: (readonly [string, number])[]
  ): Promise<{ errorCode: number; codes: number[] }> => {
    const featureUpdates = levels.map(([feature, maxVersionLevel]) => ({ feature, maxVersionLevel }))
    const { errorCode, results } = await peer.ask(updateFeatures, version, { featureUpdates, validateOnly: false })
    return { errorCode, codes: results.map((each) => each.errorCode) }
  }
  const current = finalizedFeatures.map(({ name, maxVersionLevel }) => [name, maxVersionLevel] as const)
  expect(await update(1, ...current)).toEqual({ errorCode: 0, codes: current.map(() => 0) })
  expect(await update(1, ['share.version', 3], ['share.version', 1], ['metadata.version', 1])).toEqual({
    errorCode: 0,
    codes: [errors.INVALID_UPDATE_VERSION, errors.FEATURE_UPDATE_FAILED, errors.INVALID_UPDATE_VERSION],
  })
  expect(await update(2, ['share.version', 1])).toEqual({ errorCode: errors.FEATURE_UPDATE_FAILED, codes: [] })
})

test('Produce is named from its first version on, and answered from the one that Kafka answers', async () => {
  const { apiKeys } = await peer.ask(apiVersions, 3, { clientSoftwareName: 'a', clientSoftwareVersion: '1' })
  expect(apiKeys.find(({ apiKey }) => apiKey === 0)).toEqual({ apiKey: 0, minVersion: 0, maxVersion: 13 })
  const old = Buffer.from('0000000e00000002000000010000ffff00000000', 'hex')
  old.writeInt32BE(old.length - 4)
  peer.raw(new Uint8Array(old))
  await peer.settle()
  expect(peer.closed).toBe(true)
})
