/** @param address of a `Peer`: `HOST:PORT` */
export function isLoopbackPeer(address: string): boolean {
  return /^(127\.|\[::1\]:|\[::ffff:127\.)/i.test(address)
}
