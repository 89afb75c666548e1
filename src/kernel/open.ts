import { stat } from "node:fs";
import { openConntrack } from "./conntrack.ts";
import type { Kernel, NetKernel, Netns } from "./kernel.ts";
import { openLinkFeatures } from "./link-features.ts";
import { loadModule } from "./load-module.ts";
import { openNetlink } from "./netlink.ts";
import { cloneNetns, createNetns, deleteNetns, inNetns, openNetns, openOwnNetns } from "./netns.ts";
import { openNetworkChanges } from "./network-changes.ts";
import { openNft } from "./nft.ts";
import { OwnChanges } from "./own-changes.ts";
import { openPacketFilters } from "./packet-filters.ts";
import { openProbes } from "./probes.ts";
import { openSockets } from "./sockets.ts";
import { openSysctl } from "./sysctl.ts";
import { UnheardChanges } from "./unheard-changes.ts";
import { USUAL_FOLDERS, type WireguardFolders } from "./wireguard/folders.ts";
import { openWireguard } from "./wireguard/open.ts";

export interface KernelOptions {
  /** Of wireguard-go. Machines that share their files need others each. */
  readonly wireguard?: WireguardFolders;
}

/** The kernel, seen from the namespace this thread is in now. */
export function openKernel({ wireguard: folders = USUAL_FOLDERS }: KernelOptions = {}): Kernel {
  warmThreadPool();
  const net = netKernelOf(openOwnNetns(), folders);
  return withNet(net, {
    createNetns,
    openNetns,
    deleteNetns,
    inNetns,
    openIn: (ns: Netns) => netKernelOf(cloneNetns(ns), folders),
    loadModule,
  });
}

/** Owns `ns`. What lives in the namespace is opened when it is first used, so a handle that is not used costs a descriptor. */
function netKernelOf(ns: Netns, folders: WireguardFolders): NetKernel {
  const opened = new DisposableStack();
  opened.use(ns);
  const once = <T extends Disposable>(open: () => T) => {
    let handle: T | undefined;
    return () => {
      handle ??= opened.use(enter(ns, open));
      return handle;
    };
  };
  const own = new OwnChanges();
  const netlink = once(() => openNetlink(own));
  const nft = once(openNft);
  const conntrack = once(openConntrack);
  const sockets = once(openSockets);
  const wireguard = once(() => {
    return openWireguard({ netlink: netlink(), inside: (f) => enter(ns, f), folders });
  });
  const net: NetKernel = {
    get netlink() {
      return netlink();
    },
    get nft() {
      return nft();
    },
    get conntrack() {
      return conntrack();
    },
    get sockets() {
      return sockets();
    },
    get wireguard() {
      return wireguard();
    },
    sysctl: openSysctl((f) => enter(ns, f)),
    features: openLinkFeatures((f) => enter(ns, f)),
    openChanges: (scope, listener) =>
      enter(ns, () => openNetworkChanges({ scope, listener, own, unheard, netlink: net.netlink })),
    openProbes: (options) => openProbes(options, (f) => enter(ns, f)),
    openFilters: () => enter(ns, openPacketFilters),
    [Symbol.dispose]: () => opened.dispose(),
  };
  const unheard = opened.use(new UnheardChanges(net));
  return net;
}

/** `inNetns` for what is known not to be a promise. */
function enter<T>(ns: Netns, f: () => T): T {
  let result: { value: T } | undefined;
  inNetns(ns, () => {
    result = { value: f() };
  });
  if (!result) throw new Error("broken invariant: the guard did not run");
  return result.value;
}

/** Adds `more` without reading `net`'s getters, which would open everything. */
function withNet<T extends object>(net: NetKernel, more: T): NetKernel & T {
  return Object.defineProperties(more, Object.getOwnPropertyDescriptors(net)) as NetKernel & T;
}

/** libuv starts its threads at their first use, all at once, in the namespace of whoever asks: so ask here, before any
 *  guard. Otherwise every later file or name lookup of the process could run inside a pod. */
function warmThreadPool(): void {
  stat("/", () => {});
}
