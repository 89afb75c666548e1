import { rmSync } from "node:fs";
import { join } from "node:path";
import { FAMILIES, FAMILY } from "#addr/family";
import { parseIp } from "#addr/ip";
import { errnoName, errnoText } from "#fault/errno";
import { Fault } from "#fault/fault";
import { SyscallFault } from "#fault/kernel-fault";
import { decodeUapiDevice, decodeUapiSet, encodeUapiSet, UAPI_GET } from "#wire/wireguard-uapi";
import { Fd } from "../fd.ts";
import { bind, SOCK_CLOEXEC, setsockopt, socket } from "../ffi/libc.ts";
import type { WireguardChange, WireguardDevice } from "../kernel.ts";
import { socketAddress } from "../socket-address.ts";
import type { WireguardFolders } from "./folders.ts";
import { spawnWireguardGo, trimLog } from "./spawn.ts";
import { UapiSocket } from "./uapi-socket.ts";

const SOCK_DGRAM = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const ON = Uint8Array.of(1, 0, 0, 0);

/** WireGuard devices that wireguard-go carries, each a process with a socket. */
export class UserspaceWireguard {
  readonly #folders: WireguardFolders;
  readonly #inside: <T>(f: () => T) => T;

  /** `inside` runs what it is given in the network namespace of the devices. */
  constructor(folders: WireguardFolders, inside: <T>(f: () => T) => T) {
    this.#folders = folders;
    this.#inside = inside;
  }

  /** @returns undefined where no program answers for the device */
  read(name: string): WireguardDevice | undefined {
    using connection = this.#connect(name);
    trimLog(name, this.#folders);
    return connection && decodeUapiDevice(connection.ask(UAPI_GET));
  }

  /** All of it or, when a line is refused, what stands before it. */
  configure(name: string, change: WireguardChange): void {
    using connection = this.#connect(name);
    if (!connection) throw refused(name, ENODEV);
    if (change.listenPort !== undefined) this.#checkPort(name, connection, change.listenPort);
    const errno = decodeUapiSet(connection.ask(encodeUapiSet(change)));
    if (errno !== 0) throw refused(name, errno);
  }

  start(name: string): void {
    this.#inside(() => spawnWireguardGo(name, this.#folders));
  }

  /** Runs `deleteLink` and returns when the program that had the link has ended, so that its port is free. */
  remove(name: string, deleteLink: () => void): void {
    using connection = this.#connect(name);
    deleteLink();
    try {
      connection?.awaitEnd();
    } finally {
      rmSync(this.#socketOf(name), { force: true }); // so that nobody asks a program that hangs again
    }
  }

  #socketOf(name: string): string {
    return join(this.#folders.sockets, `${name}.sock`);
  }

  #connect(name: string): UapiSocket | undefined {
    try {
      return new UapiSocket(this.#socketOf(name));
    } catch (error) {
      if (error instanceof SyscallFault && ["ENOENT", "ECONNREFUSED"].includes(error.code)) return undefined;
      throw error;
    }
  }

  /** wireguard-go takes a port that somebody else has without a word while its link is down, and is deaf from then on. */
  #checkPort(name: string, connection: UapiSocket, port: number): void {
    if (port === 0 || decodeUapiDevice(connection.ask(UAPI_GET)).listenPort === port) return;
    this.#inside(() => {
      for (const family of FAMILIES) checkPortIsFree(name, family, port);
    });
  }
}
const ENODEV = 19;

function checkPortIsFree(name: string, family: 4 | 6, port: number): void {
  const fd = openDatagramSocket(family);
  if (!fd) return;
  using _ = fd;
  try {
    if (family === 6) setsockopt(fd.number, IPPROTO_IPV6, IPV6_V6ONLY, ON);
    bind(fd.number, socketAddress(parseIp(FAMILY[family].any), port));
  } catch (error) {
    if (!(error instanceof SyscallFault && error.code === "EADDRINUSE")) throw error;
    throw new Fault(
      "EADDRINUSE",
      `Cannot let WireGuard device ${name} listen on UDP port ${port}: another program or WireGuard device has it`,
      { detail: { name, port }, cause: error },
    );
  }
}

/** Nothing on a machine without the family. */
function openDatagramSocket(family: 4 | 6): Fd | undefined {
  try {
    return new Fd(socket(FAMILY[family].af, SOCK_DGRAM | SOCK_CLOEXEC, 0), "a port that is tried");
  } catch (error) {
    if (error instanceof SyscallFault && error.code === "EAFNOSUPPORT") return undefined;
    throw error;
  }
}

function refused(name: string, errno: number): Fault {
  return new Fault(errnoName(errno), `Cannot configure WireGuard device ${name}: ${errnoText(errno)}`, {
    detail: { name, errno },
  });
}
