import { cidrFamily, containsCidr, prefixLength } from "#addr/cidr";
import { CLAIMS } from "../claims.ts";
import type { ChangeKind, ChangeScope, NetworkChanges } from "../kernel.ts";
import type { FakeNamespace } from "./namespace.ts";
import type { FakeNft } from "./nft.ts";

/** Who listens in a namespace. */
export interface FakeEars {
  /** What counts, as it stands, one text for each kind; of what `by` changes. */
  look(by: object): ReadonlyMap<ChangeKind, string>;
  tell(kinds: ReadonlySet<ChangeKind>): void;
}

export function fakeChanges(
  here: FakeNamespace,
  handle: object,
  scope: ChangeScope,
  listener: (kinds: ReadonlySet<ChangeKind>) => void,
): NetworkChanges {
  let current = scope;
  const ears: FakeEars = {
    look: (by) => {
      if (by !== handle) return lookAt(here, current);
      const own = current.ownAddresses ? [...lookAt(here, current)] : [];
      return new Map(own.filter(([kind]) => kind === "addresses"));
    },
    tell: (kinds) => void setImmediate(() => here.ears.has(ears) && listener(kinds)),
  };
  here.ears.add(ears);
  return {
    follow(next) {
      current = next;
    },
    [Symbol.dispose]: () => void here.ears.delete(ears),
  };
}

/** `api` of one handle, whose calls those hear who listen at other handles. */
export function overheard<T extends object>(api: T, here: FakeNamespace, handle: object): T {
  return new Proxy(api, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: readonly unknown[]): unknown => {
        const all = [...here.ears];
        const before = all.map((ears) => ears.look(handle));
        try {
          return Reflect.apply(value, target, args);
        } finally {
          for (const [i, ears] of all.entries()) tellOf(ears, handle, before[i] ?? new Map());
        }
      };
    },
  });
}

function tellOf(ears: FakeEars, by: object, before: ReadonlyMap<ChangeKind, string>): void {
  const now = ears.look(by);
  const kinds = new Set([...now.keys()].filter((kind) => now.get(kind) !== before.get(kind)));
  if (kinds.size > 0) ears.tell(kinds);
}

function lookAt(here: FakeNamespace, scope: ChangeScope): ReadonlyMap<ChangeKind, string> {
  const { links: names, everyAddress = false, neighborsOf = [], routesInto = [], nftables = false } = scope;
  const links = [...here.links.values()].filter(({ name }) => names.includes(name));
  const indexes = new Set(links.map(({ index }) => index));
  const talkative = new Set(links.filter(({ name }) => neighborsOf.includes(name)).map(({ index }) => index));
  const counts = ({ to, table }: FakeNamespace["routes"][number]) =>
    table === CLAIMS.routeTable &&
    routesInto.some((network) =>
      prefixLength(to) === 0 ? cidrFamily(network) === cidrFamily(to) : containsCidr(network, to),
    );
  return new Map<ChangeKind, string>([
    ["links", JSON.stringify(links.map(({ peer: _, ...link }) => link))],
    ["addresses", JSON.stringify(here.addresses.filter(({ link }) => everyAddress || indexes.has(link)))],
    ["routes", JSON.stringify(here.routes.filter(counts))],
    [
      "neighbors",
      JSON.stringify([here.neighbors, here.fdb].map((all) => all.filter(({ link }) => talkative.has(link)))),
    ],
    ["settings", JSON.stringify([...here.settings])],
    ["nftables", nftables ? String(here.nft.generation()) : ""],
  ]);
}

/** `nft` of one handle, which knows its own changes from others'. */
export function countingOwn(nft: FakeNft): FakeNft {
  let own = 0;
  return new Proxy(nft, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (name === "foreignGeneration") return () => target.generation() - own;
      if (typeof value !== "function") return value;
      return (...args: readonly unknown[]): unknown => {
        const before = target.generation();
        try {
          return Reflect.apply(value, target, args);
        } finally {
          own += target.generation() - before;
        }
      };
    },
  });
}
