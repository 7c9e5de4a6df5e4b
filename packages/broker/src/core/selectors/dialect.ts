export type Dialect = 'jms' | 'rocketmq'

/** What differs between the dialects. */
export interface DialectRules {
  /** Upper case; they are reserved in any letter case. */
  readonly keywords: ReadonlySet<string>
  /** `+ - * / %` between two values. Signs are always there. */
  readonly arithmetic: boolean
  /** Hexadecimal and octal integers, and the suffixes F and D. */
  readonly javaNumbers: boolean
  /** A text is taken as a number or boolean, or the other way round, where the operator wants that. */
  readonly converts: boolean
  /** Nothing at all selects everything. */
  readonly emptySelectsAll: boolean
  /** BETWEEN with literals the wrong way round is refused instead of never true. */
  readonly ordersBetween: boolean
  readonly forbiddenNames: ReadonlySet<string>
}

const COMMON_KEYWORDS = ['AND', 'BETWEEN', 'FALSE', 'IN', 'IS', 'NOT', 'NULL', 'OR', 'TRUE']

export const dialects: Readonly<Record<Dialect, DialectRules>> = {
  jms: {
    keywords: new Set([...COMMON_KEYWORDS, 'ESCAPE', 'LIKE']),
    arithmetic: true,
    javaNumbers: true,
    converts: false,
    emptySelectsAll: true,
    ordersBetween: false,
    // Fields that exist but have no value when a message is selected, or change with each delivery (section 3.8.1.1).
    forbiddenNames: new Set(['JMSDeliveryTime', 'JMSDestination', 'JMSExpiration', 'JMSRedelivered', 'JMSReplyTo']),
  },
  rocketmq: {
    keywords: new Set([...COMMON_KEYWORDS, 'CONTAINS', 'ENDSWITH', 'STARTSWITH']),
    arithmetic: false,
    javaNumbers: false,
    converts: true,
    emptySelectsAll: false,
    ordersBetween: true,
    forbiddenNames: new Set(),
  },
}
