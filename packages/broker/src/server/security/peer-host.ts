/** @param address of a `Peer`: `HOST:PORT` */
export function isLoopbackPeer(address: string): boolean {
  return /^(127\.|\[::1\]:|\[::ffff:127\.)/i.test(address)
}

/** The address without its port, of IPv4 without the form that it has on sockets for both, and without an interface. @param address of a `Peer` */
export function hostOf(address: string): string {
  const host = address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  return host.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
}
