/** For the command line, which publishes through the client. */
export { crc32c } from '../engines/disk/checksum.ts'
