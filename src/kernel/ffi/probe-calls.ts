/** Sockets that send to an address and know their own, when a packet came, and what a device is asked by its name; numbers as in
 *  `libc.ts`. */
import koffi from "koffi";
import { SyscallFault } from "#fault/kernel-fault";

const libc = koffi.load("libc.so.6");
const NAME_BYTES = 16;
const ADDRESS_BYTES = 28;
/** struct ifreq: a device's name, and where the question is. @see netdevice(7) */
const DeviceRequest = koffi.struct({
  name: koffi.array("uint8", NAME_BYTES),
  data: "void *",
  rest: koffi.array("uint64", 2),
});
const raw = {
  connect: libc.func("int connect(int fd, void *address, unsigned int length)"),
  sendto: libc.func(
    "long sendto(int fd, void *data, size_t length, int flags, void *address, unsigned int addressLength)",
  ),
  getsockname: libc.func("int getsockname(int fd, void *address, void *length)"),
  ioctl: libc.func("ioctl", "int", ["int", "ulong", "void *"]),
  deviceIoctl: libc.func("ioctl", "int", ["int", "ulong", koffi.pointer(DeviceRequest)]),
  clockGettime: libc.func("int clock_gettime(int clock, void *time)"),
};
const CLOCK_REALTIME = 0;
const SIOCETHTOOL = 0x8946;
const SIOCGSTAMPNS = 0x8907;

/** Fixes the other end of a datagram socket, and with it the socket's own address. Nothing is sent. */
export function connect(fd: number, address: Uint8Array): void {
  checked(raw.connect(fd, address, address.length), "connect", fd);
}

export function sendTo(fd: number, data: Uint8Array, address: Uint8Array): void {
  checked(Number(raw.sendto(fd, data, data.length, 0, address, address.length)), "send on", fd);
}

/** The socket's own address, a struct sockaddr. */
export function socketName(fd: number): Uint8Array {
  const address = new Uint8Array(ADDRESS_BYTES);
  const length = new Uint32Array([ADDRESS_BYTES]);
  checked(raw.getsockname(fd, address, length), "read the address of", fd);
  return address.subarray(0, length[0]);
}

/** Nanoseconds since the epoch, by the clock that stamps packets. */
export function stampingClock(): bigint {
  const time = new BigInt64Array(2);
  checked(raw.clockGettime(CLOCK_REALTIME, time), "read the clock", CLOCK_REALTIME);
  return nanoseconds(time);
}

/** When the packet that was read last came to this machine, in nanoseconds as `stampingClock` counts them. The first call
 *  for a socket makes the kernel stamp what comes from then on. @throws {SyscallFault} ENOENT when nothing has been read
 *  @see socket(7) SIOCGSTAMP */
export function stampOfLast(fd: number): bigint {
  const time = new BigInt64Array(2);
  checked(raw.ioctl(fd, SIOCGSTAMPNS, time), "read the time of the last packet of", fd);
  return nanoseconds(time);
}

/** Asks the device `name` what ethtool(8) asks; `question` is overwritten with the answer.
 *  @throws {SyscallFault} ENODEV, EOPNOTSUPP @see linux/ethtool.h */
export function askDevice(fd: number, name: string, question: Uint32Array): void {
  const request = { name: nameBytes(name), data: question, rest: [0n, 0n] };
  if (raw.deviceIoctl(fd, SIOCETHTOOL, request) >= 0) return;
  throw new SyscallFault("ask the device", name, koffi.errno());
}

function nameBytes(name: string): Uint8Array {
  const out = new Uint8Array(NAME_BYTES);
  new TextEncoder().encodeInto(name, out.subarray(0, NAME_BYTES - 1));
  return out;
}

function nanoseconds(time: BigInt64Array): bigint {
  return (time[0] ?? 0n) * 1_000_000_000n + (time[1] ?? 0n);
}

function checked(result: number, call: string, fd: number): void {
  if (result < 0) throw new SyscallFault(call, `descriptor ${fd}`, koffi.errno());
}
