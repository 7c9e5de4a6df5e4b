import type { HeaderValue, RoutedMessage } from '../../src/core/broker.ts'

export function messageWith(
  key: string,
  headers: Readonly<Record<string, HeaderValue | null>> = {},
  moreKeys?: readonly string[],
): RoutedMessage {
  return {
    key,
    ...(moreKeys === undefined ? {} : { moreKeys }),
    header: (name) => (Object.hasOwn(headers, name) ? headers[name] : undefined),
  }
}
