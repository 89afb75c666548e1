import type { ResourceQuota } from "#kube/generated/types";
import type { KubeObject } from "#kube/object";
import { type Amounts, addTo, amountsOf } from "#kube/pod-amounts";
import { formatQuantity, type Quantity } from "#kube/quantity";
import { RESOURCE_QUOTAS } from "#kube/resources";
import type { Clock } from "#life/clock";
import type { CacheEvent } from "../../cache/history.ts";
import type { ResourceCache } from "../../cache/resource-cache.ts";
import type { World } from "../../cache/world.ts";
import { qualified, type ResourceName } from "../../status.ts";
import { hasScopes, isInScope } from "./scopes.ts";
import { isPodName, sourceOf, usageOf } from "./usage.ts";

/** One quota and what is used of it. */
export interface Account {
  readonly quota: ResourceQuota;
  readonly hard: Amounts;
  /** By the objects that are stored. */
  readonly used: Map<string, Quantity>;
  /** By writes that were let in and are not stored yet. */
  readonly pending: Map<string, Quantity>;
  /** What each stored object was counted with, by resource and key. */
  readonly counted: Map<string, Amounts>;
}

/** A write that was let in: its share of each quota is kept for it until it is stored or given up. */
interface Claim {
  readonly resource: ResourceName;
  readonly object: KubeObject;
  readonly shares: Map<Account, Amounts>;
}

const NOTHING: Amounts = new Map();

/** What every quota's namespace uses, always equal to what is stored plus what is being stored. It lives in memory, beside the objects that it
 *  counts: it cannot lag behind them, and no two writes can be let in on the same room. */
export class QuotaLedger {
  readonly #world: World;
  readonly #clock: Clock;
  readonly #accounts = new Map<string, Map<string, Account>>();
  readonly #followed = new Map<string, ResourceCache>();
  /** Creations on their way in, by uid. */
  readonly #claims = new Map<string, Claim>();
  readonly #hear: (namespace: string, name: string) => void;

  /** `hear` is told of each quota whose usage or limits may have changed. */
  constructor(world: World, clock: Clock, hear: (namespace: string, name: string) => void) {
    this.#world = world;
    this.#clock = clock;
    this.#hear = hear;
    const quotas = world.cacheOf(RESOURCE_QUOTAS.group, RESOURCE_QUOTAS.plural);
    quotas?.subscribe({ deliver: (event) => this.#quotaChanged(event) });
    for (const quota of world.list(RESOURCE_QUOTAS)) this.#open(quota);
  }

  accountsOf(namespace: string): Iterable<Account> {
    return this.#accounts.get(namespace)?.values() ?? [];
  }

  accountOf(namespace: string, name: string): Account | undefined {
    return this.#accounts.get(namespace)?.get(name);
  }

  /** Makes sure that objects of the resource are counted: a resource may have come after the quota that names it. */
  follow(resource: ResourceName): void {
    const cache = this.#world.cacheOf(resource.group, resource.plural);
    const name = qualified(resource);
    if (cache === undefined || this.#followed.get(name) === cache) return;
    this.#followed.set(name, cache);
    cache.subscribe({ deliver: (event) => this.#objectChanged(resource, event) });
    for (const accounts of this.#accounts.values())
      for (const account of accounts.values()) if (concerns(account, resource)) this.#open(account.quota);
  }

  /** What the object uses of a quota, of the amounts the quota limits. */
  measure(account: Account, resource: ResourceName, object: KubeObject): Amounts {
    const { hard } = account;
    if (!appliesTo(account, resource, object)) return NOTHING;
    const usage = usageOf(resource, object, this.#clock.now());
    return new Map([...usage].filter(([name]) => hard.has(name)));
  }

  countedFor(account: Account, resource: ResourceName, key: string): Amounts {
    return account.counted.get(countKey(resource, key)) ?? NOTHING;
  }

  /** Keeps those shares until the object is stored, or until the claim is disposed of. */
  claim(resource: ResourceName, object: KubeObject, shares: Map<Account, Amounts>): Disposable {
    const claim = { resource, object, shares };
    const uid = object.metadata.uid ?? "";
    for (const [account, share] of shares) addTo(account.pending, share);
    this.#claims.set(uid, claim);
    return { [Symbol.dispose]: () => this.#settle(uid, claim) };
  }

  /** Counts again what time alone changes: pods that have been deleted for long enough. */
  recount(): void {
    for (const [namespace, accounts] of this.#accounts)
      for (const account of accounts.values()) {
        const before = formatAmounts(account.used);
        const again = this.#open(account.quota);
        if (formatAmounts(again.used) !== before) this.#hear(namespace, account.quota.metadata.name);
      }
  }

  #settle(uid: string, claim: Claim): void {
    if (this.#claims.get(uid) !== claim) return;
    this.#claims.delete(uid);
    for (const [account, share] of claim.shares) subtract(account.pending, share);
  }

  #quotaChanged({ key, after }: CacheEvent): void {
    const slash = key.indexOf("/");
    const [namespace, name] = [key.slice(0, slash), key.slice(slash + 1)];
    const quota: ResourceQuota | undefined = after?.object;
    if (quota === undefined) {
      const accounts = this.#accounts.get(namespace);
      accounts?.delete(name);
      if (accounts?.size === 0) this.#accounts.delete(namespace);
    } else {
      const known = this.accountOf(namespace, name);
      if (known !== undefined && sameSpec(known.quota, quota)) return;
      this.#open(quota);
      this.#hear(namespace, name);
    }
  }

  #objectChanged(resource: ResourceName, { key, before, after }: CacheEvent): void {
    const namespace = key.slice(0, Math.max(0, key.indexOf("/")));
    const accounts = this.#accounts.get(namespace);
    if (accounts === undefined) return;
    const uid = before === undefined ? after?.object.metadata.uid : undefined;
    const claim = uid === undefined ? undefined : this.#claims.get(uid);
    if (uid !== undefined && claim !== undefined) this.#settle(uid, claim);
    for (const account of accounts.values()) {
      if (!concerns(account, resource)) continue;
      const had = this.countedFor(account, resource, key);
      const has = after === undefined ? NOTHING : this.measure(account, resource, after.object);
      if (had.size === 0 && has.size === 0) continue;
      count(account, countKey(resource, key), has);
      this.#hear(namespace, account.quota.metadata.name);
    }
  }

  /** A fresh account for the quota, with everything stored counted. */
  #open(quota: ResourceQuota): Account {
    const { namespace = "", name } = quota.metadata;
    const hard = amountsOf(quota.spec?.hard);
    const account: Account = { quota, hard, used: new Map(), pending: new Map(), counted: new Map() };
    for (const resource of sourcesOf(account)) {
      const cache = this.#world.cacheOf(resource.group, resource.plural);
      for (const { key, object } of cache?.list(`${namespace}/`) ?? [])
        count(account, countKey(resource, key), this.measure(account, resource, object));
    }
    const accounts = this.#accounts.get(namespace) ?? new Map<string, Account>();
    const old = accounts.get(name);
    accounts.set(name, account);
    this.#accounts.set(namespace, accounts);
    for (const claim of this.#claims.values()) this.#moveShare(claim, old, account);
    for (const resource of sourcesOf(account)) this.follow(resource);
    return this.accountOf(namespace, name) ?? account;
  }

  /** What is on its way in counts for a quota that was made or changed meanwhile, too. */
  #moveShare(claim: Claim, old: Account | undefined, account: Account): void {
    if (old !== undefined) claim.shares.delete(old);
    if (claim.object.metadata.namespace !== account.quota.metadata.namespace) return;
    const share = this.measure(account, claim.resource, claim.object);
    if (share.size === 0) return;
    claim.shares.set(account, share);
    addTo(account.pending, share);
  }
}

/** `cpu=500m,pods=2`: how refusals show amounts. */
export function formatAmounts(amounts: Amounts): string {
  return [...amounts]
    .map(([name, amount]) => `${name}=${formatQuantity(amount)}`)
    .sort()
    .join(",");
}

/** Whether the quota limits anything that objects of the resource use up. */
export function concerns({ hard, quota }: Account, resource: ResourceName): boolean {
  if (hasScopes(quota) && !isPods(resource) && !isClaims(resource)) return false;
  for (const name of hard.keys()) if (isSource(resource, name)) return true;
  return false;
}

/** Whether the object is one of those the quota is about. */
export function appliesTo(account: Account, resource: ResourceName, object: KubeObject): boolean {
  return (
    concerns(account, resource) && (!hasScopes(account.quota) || isInScope(account.quota, resource, object))
  );
}

function sourcesOf(account: Account): readonly ResourceName[] {
  const sources = new Map(
    [...account.hard.keys()].map((name) => [qualified(sourceOf(name)), sourceOf(name)]),
  );
  return [...sources.values()].filter((resource) => concerns(account, resource));
}

function isSource(resource: ResourceName, name: string): boolean {
  if (isPods(resource)) return isPodName(name);
  const source = sourceOf(name);
  return source.group === resource.group && source.plural === resource.plural;
}

function isPods({ group, plural }: ResourceName): boolean {
  return group === "" && plural === "pods";
}

function isClaims({ group, plural }: ResourceName): boolean {
  return group === "" && plural === "persistentvolumeclaims";
}

function countKey(resource: ResourceName, key: string): string {
  return `${qualified(resource)} ${key}`;
}

function count(account: Account, key: string, usage: Amounts): void {
  subtract(account.used, account.counted.get(key) ?? NOTHING);
  addTo(account.used, usage);
  if (usage.size === 0) account.counted.delete(key);
  else account.counted.set(key, usage);
}

function subtract(total: Map<string, Quantity>, less: Amounts): void {
  for (const [name, { nanos, format }] of less) {
    const before = total.get(name);
    total.set(name, { format: before?.format ?? format, nanos: (before?.nanos ?? 0n) - nanos });
  }
}

function sameSpec(a: ResourceQuota, b: ResourceQuota): boolean {
  return a.metadata.uid === b.metadata.uid && JSON.stringify(a.spec) === JSON.stringify(b.spec);
}
