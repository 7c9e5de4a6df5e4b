import { kafkaDoor } from '../protocols/kafka/kafka-door.ts'
import { type DoorContext, type OpenListener, overTcp } from './door-context.ts'

export function openKafka(context: DoorContext): OpenListener {
  return overTcp(kafkaDoor(context.config.kafka), context)
}
