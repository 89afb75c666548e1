import type { WireSocket } from "#wire/sock-diag";

/** A socket that waits for whoever comes: one that takes connections, or datagrams of anybody. */
export interface WaitingSocket extends WireSocket {
  readonly protocol: "tcp" | "udp" | "sctp";
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
