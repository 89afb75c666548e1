import { FAMILIES, type Family } from "#addr/family";
import { explain, isFault } from "#fault/fault";
import type { Kernel } from "#kernel/kernel";
import type { Clock } from "#life/clock";
import { readGuardCounters } from "../guard-counters.ts";
import type { FabricConfig, NodeView } from "../model.ts";
import type { Standing } from "../own-ends.ts";
import type { Refusal } from "../peers.ts";
import type { PeerHealth } from "../probe/model.ts";
import { endpointText, tunnelName, wireguardSettings } from "../wireguard/tunnel.ts";
import { buildStatus, type StandingInput, sessionKey, type WireguardNews } from "./build.ts";
import type { DeviceStatus, FabricStatus, Finding } from "./model.ts";
import type { RoundTally } from "./rounds.ts";

export interface StatusSourceOptions {
  readonly kernel: Pick<Kernel, "nft" | "netlink" | "wireguard">;
  readonly nodeName: string;
  readonly config: Pick<FabricConfig, "backend" | "guard">;
  readonly clock: Pick<Clock, "now">;
  readonly rounds: RoundTally;
  /** What the cluster's Nodes say, and what of it is not believed. */
  readonly nodes: {
    readonly views: readonly NodeView[];
    readonly refusals: readonly Refusal[];
    /** Why this node has no lease; empty once it has. */
    readonly pendingWhy: string;
  };
  /** Nothing before the first round. */
  readonly standing: () => Standing | undefined;
  readonly mtuBytes: () => number | undefined;
  readonly health?: () => readonly PeerHealth[];
  readonly findings?: () => readonly Finding[];
}

/** All that is asked for in one breath, such as a page of metrics, is of one look at the kernel. */
const KEPT_MS = 50;

/** The status of now, put together when somebody asks. */
export class StatusSource {
  readonly #options: StatusSourceOptions;
  #last: { readonly at: number; readonly status: FabricStatus } | undefined;

  constructor(options: StatusSourceOptions) {
    this.#options = options;
  }

  status(): FabricStatus {
    const now = this.#options.clock.now();
    if (this.#last && now >= this.#last.at && now - this.#last.at < KEPT_MS) return this.#last.status;
    const status = this.#take(now);
    this.#last = { at: now, status };
    return status;
  }

  #take(nowMs: number): FabricStatus {
    const { nodeName, config, rounds, nodes, findings } = this.#options;
    const unread: Finding[] = [];
    const standing = this.#standing(unread);
    const pending = nodes.pendingWhy === "" ? [] : [nodes.pendingWhy];
    const early = standing ? [] : ["the first look at this machine"];
    return buildStatus({
      nowMs,
      node: nodeName,
      backend: config.backend.kind,
      isGuarded: config.guard,
      waitingFor: pending.length > 0 ? pending : early,
      findings: [...(findings?.() ?? []), ...unread],
      rounds: rounds.status(),
      standing,
    });
  }

  #standing(unread: Finding[]): StandingInput | undefined {
    const { kernel, nodes, health, mtuBytes } = this.#options;
    const standing = this.#options.standing();
    if (standing === undefined) return undefined;
    const { snapshot, state, choice } = standing;
    const wireguard = new Map<string, WireguardNews>();
    const devices = [
      ...vxlanDevices(standing),
      ...underlayDevices(standing),
      ...trying("WireGuard's devices", unread, () => this.#wireguardDevices(standing, wireguard), []),
    ];
    return {
      lease: snapshot.lease,
      mtuBytes: mtuBytes(),
      devices,
      program: state.program,
      ports: devices.flatMap(({ port }) => port ?? []).toSorted((a, b) => a - b),
      routes: state.routes,
      peers: snapshot.peers,
      paths: choice.paths,
      unreachable: choice.unreachable,
      refusals: nodes.refusals,
      nodes: nodes.views,
      counters: trying("the guard's counters", unread, () => readGuardCounters(kernel.nft), undefined),
      health: health?.() ?? [],
      wireguard,
    };
  }

  /** What stands; what each device knows of its peers now goes to `news`. */
  #wireguardDevices({ state }: Standing, news: Map<string, WireguardNews>): readonly DeviceStatus[] {
    const { kernel, config } = this.#options;
    const settings = wireguardSettings(config);
    return [...state.tunnels.values()].map(({ name, isUp, mtuBytes, listenPort }): DeviceStatus => {
      for (const peer of kernel.wireguard.read(name)?.peers ?? [])
        news.set(sessionKey(name, peer.publicKey), {
          endpoint: endpointText(peer.endpoint),
          handshakeMs: peer.lastHandshakeMs,
          received: peer.receivedBytes,
          sent: peer.sentBytes,
        });
      return {
        name,
        kind: "wireguard",
        families: FAMILIES.filter((family) => tunnelName(settings, family) === name),
        isUp,
        mtuBytes,
        port: listenPort,
        underlay: null,
        local: null,
        carrier: kernel.netlink.findLink(name)?.kind === "wireguard" ? "kernel" : "userspace",
      };
    });
  }
}

function vxlanDevices({ state, ground }: Standing): readonly DeviceStatus[] {
  return FAMILIES.flatMap((family): readonly DeviceStatus[] => {
    const vtep = state.vteps[family];
    if (vtep === undefined) return [];
    const { name, isUp, mtuBytes, port, local, underlay } = vtep;
    const over = FAMILIES.map((each) => ground.underlays[each]).find((link) => link?.index === underlay);
    return [
      {
        name,
        kind: "vxlan",
        families: [family],
        isUp,
        mtuBytes,
        port,
        underlay: over?.name ?? null,
        local,
        carrier: null,
      },
    ];
  });
}

/** Links that carry pods' packets as they are. */
function underlayDevices({ ground, choice }: Standing): readonly DeviceStatus[] {
  const plain = new Set(choice.paths.filter(({ kind }) => kind === "host-gw").map(({ family }) => family));
  const byName = new Map<string, DeviceStatus & { readonly families: readonly Family[] }>();
  for (const family of plain) {
    const link = ground.underlays[family];
    if (link === undefined) continue;
    const { name, mtuBytes, local } = link;
    const families = [...(byName.get(name)?.families ?? []), family];
    const common = { name, kind: "host-gw", isUp: true, mtuBytes, port: null, underlay: null } as const;
    byName.set(name, { ...common, families, local: families.length > 1 ? null : local, carrier: null });
  }
  return [...byName.values()];
}

/** What cannot be read now is said, and the rest is told all the same. */
function trying<T>(what: string, unread: Finding[], read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (!isFault(error)) throw error;
    unread.push({ summary: `${what} could not be read: ${explain(error)}`, fix: [] });
    return otherwise;
  }
}
