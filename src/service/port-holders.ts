/** Processes of this node that listen where a service answers: what arrives there goes to the service, and they wonder why. */
import { formatEndpoint, isIp, parseIp } from "#addr/ip";
import { explain, isFault } from "#fault/fault";
import type { NetKernel } from "#kernel/kernel";
import type { SocketHolder, WaitingSocket } from "#kernel/waiting-socket";
import type { EndpointSlice, Node, Service } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import { Cell } from "#life/cell";
import { type Clock, ticks } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { ServiceConfig } from "./model.ts";
import { type OwnPort, OwnPortIndex, ownPorts, sharedAddress } from "./own-ports.ts";
import type { ServiceProblem } from "./problems.ts";
import { SERVICE_NAME } from "./slice-index.ts";
import { Surroundings } from "./surroundings.ts";

/** Processes come and go unheard. */
const CHECK_MS = 30_000;
/** A service that comes seldom comes alone. */
const PAUSE_MS = 500;
const MOST_PROBLEMS = 100;

export interface PortHoldersOptions {
  readonly kernel: Pick<NetKernel, "sockets" | "netlink">;
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  readonly nodes: Informer<Node>;
  readonly nodeName: string;
  readonly config: ServiceConfig;
  /** Hears of all there are now, after each look. */
  readonly onProblems: (problems: readonly ServiceProblem[]) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Looks when services come or change, and now and then, until aborted. A look costs what the sockets that wait cost, however many
 *  services there are. */
export async function watchPortHolders(options: PortHoldersOptions): Promise<void> {
  const { services, clock, signal } = options;
  const cell = new Cell<void>();
  const ports = new OwnPortIndex();
  using around = new Surroundings({ ...options, netlink: options.kernel.netlink }, () => cell.set());
  const look = new Look(options, ports, around);
  const stop = services.subscribe(({ key, ...change }) => {
    const now = "object" in change ? ownPorts(change.object) : [];
    if (ports.put(key, now)) cell.set();
  });
  const ticking = (async () => {
    for await (const _ of ticks(clock, CHECK_MS, { signal })) cell.set();
  })();
  try {
    for await (const _ of cell.values({ signal })) {
      await look.run();
      await clock.sleep(PAUSE_MS, { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    stop();
  }
  await ticking;
}

interface Shared {
  readonly port: OwnPort;
  readonly socket: WaitingSocket;
}

class Look {
  readonly #options: PortHoldersOptions;
  readonly #ports: OwnPortIndex;
  readonly #around: Surroundings;
  /** Of the sockets that were in the way last time, whose they are; a search is long. */
  #holders: ReadonlyMap<number, SocketHolder | undefined> = new Map();
  #isTold = false;

  constructor(options: PortHoldersOptions, ports: OwnPortIndex, around: Surroundings) {
    this.#options = options;
    this.#ports = ports;
    this.#around = around;
  }

  async run(): Promise<void> {
    const { kernel, log, onProblems } = this.#options;
    try {
      this.#around.lookAtAddresses();
      const shared = this.#shared(kernel.sockets.listWaiting());
      await this.#findHolders(new Set(shared.map(({ socket }) => socket.inode)));
      onProblems(shared.map((each) => this.#problem(each)));
    } catch (error) {
      if (!isFault(error)) throw error;
      if (!this.#isTold) log.debug("the sockets of this node cannot be listed", { error: explain(error) });
      this.#isTold = true;
    }
  }

  #shared(sockets: readonly WaitingSocket[]): readonly Shared[] {
    const { place } = this.#around;
    const { reservedPorts = [] } = this.#options.config;
    // Several sockets of one server may share a port.
    const found = new Map<string, Shared>();
    for (const socket of sockets) {
      // Those no service gets: a problem of another kind.
      if (reservedPorts.some(({ protocol, port }) => protocol === socket.protocol && port === socket.port))
        continue;
      for (const port of this.#ports.at(socket.protocol, socket.port)) {
        const key = `${port.service} ${port.protocol} ${port.port} ${socket.ip}`;
        if (found.has(key) || sharedAddress(port, socket, place) === undefined) continue;
        if (!this.#isItsEndpoint(port, socket)) found.set(key, { port, socket });
        if (found.size >= MOST_PROBLEMS) return [...found.values()];
      }
    }
    return [...found.values()];
  }

  /** A pod on the node's own network that serves the very port under which its service is known: it gets its share. */
  #isItsEndpoint({ service }: OwnPort, { port }: WaitingSocket): boolean {
    const { localIps, nodeIps } = this.#around.place;
    return this.#options.endpointSlices.list().some((slice) => {
      const name = `${slice.metadata.namespace}/${slice.metadata.labels?.[SERVICE_NAME]}`;
      if (name !== service || !(slice.ports ?? []).some((each) => each.port === port)) return false;
      const isOwn = (text: string) => isIp(text) && [...localIps, ...nodeIps].includes(parseIp(text));
      return (slice.endpoints ?? []).some(({ addresses }) => addresses.some(isOwn));
    });
  }

  async #findHolders(inodes: ReadonlySet<number>): Promise<void> {
    const unknown = new Set([...inodes].filter((inode) => !this.#holders.has(inode)));
    const found = unknown.size > 0 ? await this.#options.kernel.sockets.findHolders(unknown) : new Map();
    this.#holders = new Map(
      [...inodes].map((inode) => [inode, found.get(inode) ?? this.#holders.get(inode)]),
    );
  }

  #problem({ port: { service, port, protocol }, socket }: Shared): ServiceProblem {
    const holder = this.#holders.get(socket.inode);
    const who = holder ? `process ${holder.name} (pid ${holder.pid})` : "a process";
    const where = `${formatEndpoint(socket.ip, port)} of node ${this.#options.nodeName}`;
    const message = `${who} listens at ${where} (${protocol}): what arrives there goes to the service, not to it`;
    return { service, reason: "PortInUse", message };
  }
}
