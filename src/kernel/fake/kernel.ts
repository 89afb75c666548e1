import { constants } from "node:os";
import type { Ip } from "#addr/ip";
import { SyscallFault } from "#fault/kernel-fault";
import type {
  Conntrack,
  Kernel,
  KernelModule,
  LinkFeatures,
  NetKernel,
  Netlink,
  Netns,
  Nft,
} from "../kernel.ts";
import type { Sockets } from "../waiting-socket.ts";
import { fakeAddresses } from "./addresses.ts";
import { countingOwn, fakeChanges, overheard } from "./changes.ts";
import type { FakeConntrack } from "./conntrack.ts";
import { type ErrnoName, Faults, faulty } from "./faults.ts";
import { fakeFeatures } from "./features.ts";
import { fakeLinks } from "./links.ts";
import { FakeNamespace } from "./namespace.ts";
import { fakeNeighbors } from "./neighbors.ts";
import type { FakeNft } from "./nft.ts";
import { fakePacketFilters } from "./packet-filters.ts";
import { type FakePath, fakeProbes } from "./probes.ts";
import { renderNamespace } from "./render.ts";
import { fakeRoutes } from "./routes.ts";
import type { FakeSockets } from "./sockets.ts";
import { fakeSysctl } from "./sysctl.ts";
import type { FakeWireguard } from "./wireguard.ts";

export type FaultyCall =
  | (keyof Netlink & string)
  | (keyof Nft & string)
  | (keyof Conntrack & string)
  | (keyof Sockets & string)
  | (keyof FakeWireguard & string)
  | keyof LinkFeatures
  | "openProbes"
  | "read"
  | "write"
  | "createNetns"
  | "openNetns"
  | "loadModule";

/** A kernel in memory, with switches for tests. */
export interface FakeKernel extends Kernel {
  readonly nft: FakeNft;
  readonly conntrack: FakeConntrack;
  readonly sockets: FakeSockets;
  readonly wireguard: FakeWireguard;
  /** The next `times` calls of `call`, in any namespace, are refused with `errno` and change nothing. */
  fail(call: FaultyCall, errno: ErrnoName, times?: number): void;
  /** How often calls were made, refused ones included: `calls.get("replaceRoute")`. */
  readonly calls: ReadonlyMap<string, number>;
  /** What answers probes besides the own addresses; a test fills it in. */
  readonly paths: Map<Ip, FakePath>;
  /** The home namespace in somebody else's hands: what is done there is news to those who listen. */
  readonly foreign: NetKernel;
  /** A namespace as sorted lines; the home one when none is named. */
  render(ns?: Netns): string;
}

/** One home namespace with lo, and whatever is made of it. Of the modules all are loaded but those of `without`. */
export function openFakeKernel({ without = [] }: { without?: readonly KernelModule[] } = {}): FakeKernel {
  const faults = new Faults();
  const calls = new Map<string, number>();
  const count = (call: string) => void calls.set(call, (calls.get(call) ?? 0) + 1);
  const guard = <T extends object>(api: T) => faulty(api, faults, count);
  const namespaces = new FakeNamespaces();
  const home = new FakeNamespace("home");
  const missing = new Set(without);
  const open = (here: FakeNamespace) => netKernelOf(here, (ns) => namespaces.of(ns), missing, guard);
  return {
    ...open(home),
    ...guard({
      createNetns: (path: string) => namespaces.create(path),
      openNetns: (path: string) => namespaces.open(path),
      deleteNetns: (path: string) => namespaces.delete(path),
      loadModule: (name: KernelModule) => void missing.delete(name),
    }),
    inNetns(ns, f) {
      namespaces.of(ns);
      return f();
    },
    openIn: (ns) => open(namespaces.of(ns)),
    fail: (call, errno, times = 1) => faults.fail(call, errno, times),
    calls,
    paths: home.paths,
    foreign: open(home),
    render: (ns) => renderNamespace(ns ? namespaces.of(ns) : home),
  };
}

function netKernelOf(
  here: FakeNamespace,
  namespaceOf: (ns: Netns) => FakeNamespace,
  missing: ReadonlySet<KernelModule>,
  guarded: <T extends object>(api: T) => T,
): NetKernel & { nft: FakeNft; conntrack: FakeConntrack; sockets: FakeSockets; wireguard: FakeWireguard } {
  const handle = {};
  const guard = <T extends object>(api: T) => overheard(guarded(api), here, handle);
  return {
    netlink: guard({
      ...fakeLinks(here, namespaceOf),
      ...fakeAddresses(here),
      ...fakeRoutes(here),
      ...fakeNeighbors(here),
      [Symbol.dispose]() {},
    }),
    nft: countingOwn(guard(here.nft)),
    conntrack: guard(here.conntrack),
    sockets: guard(here.sockets),
    wireguard: guard(here.wireguard),
    sysctl: guard(fakeSysctl(here, missing)),
    features: guard(fakeFeatures(here)),
    openChanges: (scope, listener) => fakeChanges(here, handle, scope, listener),
    openFilters: () => fakePacketFilters(here),
    ...guard({ openProbes: fakeProbes(here, fakeRoutes(here)) }),
    [Symbol.dispose]() {},
  };
}

/** Mounted namespaces by path, and open handles by descriptor. */
class FakeNamespaces {
  readonly #mounted = new Map<string, FakeNamespace>();
  readonly #handles = new Map<number, FakeNamespace>();
  #nextFd = 1000;

  create(path: string): Netns {
    if (this.#mounted.has(path))
      throw new SyscallFault("create network namespace", path, constants.errno.EEXIST);
    this.#mounted.set(path, new FakeNamespace(path));
    return this.open(path);
  }

  open(path: string): Netns {
    const namespace = this.#mounted.get(path);
    if (!namespace) throw new SyscallFault("open", path, constants.errno.ENOENT);
    const fd = this.#nextFd++;
    this.#handles.set(fd, namespace);
    return { fd, path, [Symbol.dispose]: () => void this.#handles.delete(fd) };
  }

  delete(path: string): void {
    this.#mounted.delete(path);
  }

  of({ fd }: Netns): FakeNamespace {
    const namespace = this.#handles.get(fd);
    if (!namespace) throw new Error("broken invariant: the namespace's handle is closed");
    return namespace;
  }
}
