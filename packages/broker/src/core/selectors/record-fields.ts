/** Where a record has what other messaging systems keep in fields of their own. Doors write and read these. */
export const MESSAGE_HEADERS = {
  messageId: 'message-id',
  correlationId: 'correlation-id',
  type: 'type',
  /** 0 to 255 in decimal digits; JMS knows 0 to 9. */
  priority: 'priority',
  /** `PERSISTENT` or `NON_PERSISTENT`. */
  deliveryMode: 'delivery-mode',
} as const

/** What a name in a selector stands for. Every other name is that of a header. */
export type RecordField =
  | { readonly from: 'header'; readonly header: string; readonly numeric: boolean; readonly absent: string | number | undefined }
  | { readonly from: 'key' | 'timestamp' | 'deliveryCount' }

/** JMS's fields and properties, and two names of Millrace's own. The key of a record is what keeps a group in order. */
export const RECORD_FIELDS: ReadonlyMap<string, RecordField> = new Map<string, RecordField>([
  ['JMSMessageID', header(MESSAGE_HEADERS.messageId)],
  ['JMSCorrelationID', header(MESSAGE_HEADERS.correlationId)],
  ['JMSType', header(MESSAGE_HEADERS.type)],
  ['JMSPriority', { from: 'header', header: MESSAGE_HEADERS.priority, numeric: true, absent: 4 }],
  ['JMSDeliveryMode', header(MESSAGE_HEADERS.deliveryMode, 'PERSISTENT')],
  ['JMSTimestamp', { from: 'timestamp' }],
  ['JMSXGroupID', { from: 'key' }],
  ['JMSXDeliveryCount', { from: 'deliveryCount' }],
  ['millrace.key', { from: 'key' }],
  ['millrace.timestamp', { from: 'timestamp' }],
])

function header(name: string, absent?: string): RecordField {
  return { from: 'header', header: name, numeric: false, absent }
}
