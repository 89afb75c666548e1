import type { Family } from "#addr/family";
import type { Ip } from "#addr/ip";

/** A socket that waits for whoever comes: one that takes connections, or datagrams of anybody. */
export interface WaitingSocket {
  readonly protocol: "tcp" | "udp" | "sctp";
  /** Of its address. */
  readonly family: Family;
  /** Unspecified: every address of its family. */
  readonly ip: Ip;
  readonly port: number;
  /** An IPv6 one at every address that takes IPv4 too. */
  readonly isDual: boolean;
  /** Index of the only link it hears; 0 is any. */
  readonly interface: number;
  /** The kernel's name for it, which no other socket of the machine has. */
  readonly inode: number;
}

export interface SocketHolder {
  readonly pid: number;
  /** As ps(1) shows it. */
  readonly name: string;
}

/** Sockets of one network namespace. */
export interface Sockets extends Disposable {
  listWaiting(): readonly WaitingSocket[];
  /** Whose they are, as far as this process may look; one search through all processes, so for the few that matter. */
  findHolders(inodes: ReadonlySet<number>): Promise<ReadonlyMap<number, SocketHolder>>;
}
