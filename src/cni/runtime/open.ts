import { join } from "node:path";
import type { IpPrefix } from "#addr/cidr";
import { explain } from "#fault/fault";
import { type Clock, ticks } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { PodAttachment, PodAttachRequest } from "../pod-attachment.ts";
import { Attachments } from "./attachments.ts";
import type { FoundNetwork } from "./conf-folder.ts";
import { ConfWatch } from "./conf-watch.ts";
import type { Attached } from "./invocation.ts";
import { Lanes } from "./lanes.ts";
import type { NetworkList } from "./network-list.ts";
import { PluginFault } from "./plugin-fault.ts";
import { PluginVersions } from "./plugin-versions.ts";
import { capabilityArgs, cniArgs } from "./pod-args.ts";
import { ResultCache } from "./result-cache.ts";
import { isAtLeast } from "./version.ts";

export interface CniRuntimeOptions {
  /** `/etc/cni/net.d`; made when missing. */
  readonly confDir: string;
  /** `/opt/cni/bin`: where plugins are looked for, in order. */
  readonly binDirs: readonly string[];
  /** `/var/lib/cni`: what is attached is written down in `results` in it. */
  readonly cacheDir: string;
  /** Of one plugin's work; default two minutes, as long as a kubelet waits for its runtime. */
  readonly timeoutMs?: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** A pod network made by other people's plugins. */
export interface CniRuntime {
  /** @throws {PluginFault} in the words of the plugin that refused */
  add(request: PodAttachRequest): Promise<{ readonly ips: readonly IpPrefix[] }>;
  /** Absent is success. @throws {PluginFault} */
  remove(key: PodAttachment): Promise<void>;
  /** @throws {PluginFault} in the words of the plugin that found something missing */
  check(key: PodAttachment): Promise<void>;
  /** Removes what is written down of pods not in `validIds`, and lets plugins look for more. What cannot be removed is
   *  tried again at the next call; a warning says so. */
  collect(validIds: ReadonlySet<string>): Promise<void>;
  /** Why no pod can be attached now; undefined when nothing stands in the way. */
  complaint(): string | undefined;
  /** Hears of each change of `complaint`. Returns the way to stop hearing. */
  subscribe(listener: () => void): () => void;
}

const TIMEOUT_MS = 120_000;
/** Each is a program with children of its own; more of them only wait for each other's locks. */
const AT_ONCE = 8;
/** How often plugins that can tell are asked whether they could serve. */
const STATUS_MS = 10_000;
/** What failed to be taken back after a failed attachment is tried again this often. */
const LEFTOVERS_MS = 10_000;
const REMEMBERED_REMOVALS = 2_000;

/** Runs the plugins of whatever network the folder configures, until aborted. What is attached then stays. */
export function openCniRuntime(options: CniRuntimeOptions): CniRuntime {
  return new OpenCniRuntime(options);
}

class OpenCniRuntime implements CniRuntime {
  readonly #options: CniRuntimeOptions;
  readonly #log: Logger;
  readonly #cache: ResultCache;
  readonly #attachments: Attachments;
  readonly #watch: ConfWatch;
  readonly #lanes = new Lanes(AT_ONCE);
  readonly #listeners = new Set<() => void>();
  /** Attachments that nobody else remembers. */
  readonly #leftovers = new Map<string, Attached>();
  readonly #removed = new Set<string>();
  /** What a plugin answered to STATUS. */
  #trouble: string | undefined;
  #told: string | undefined;

  constructor(options: CniRuntimeOptions) {
    const { binDirs, cacheDir, timeoutMs = TIMEOUT_MS } = options;
    this.#options = options;
    this.#log = options.log.child({ room: "cni" });
    this.#cache = new ResultCache(join(cacheDir, "results"));
    this.#attachments = new Attachments({
      binDirs,
      cache: this.#cache,
      versions: new PluginVersions({ timeoutMs }),
      timeoutMs,
      log: this.#log,
    });
    this.#watch = new ConfWatch({ ...options, log: this.#log, onChange: (found) => this.#changed(found) });
    this.#warnOfMissing(this.#watch.found);
    this.#told = this.complaint();
    void this.#keepAsking();
    void this.#keepCleaning();
  }

  async add(request: PodAttachRequest): Promise<{ readonly ips: readonly IpPrefix[] }> {
    checkKey(request);
    const { containerId } = request;
    return this.#lanes.inOrder(containerId, async () => {
      const list = this.#list;
      if (!list) throw new PluginFault("NotInitialized", this.complaint() ?? "cni plugin not initialized");
      const attached = attachedOf(request, capabilityArgs(request));
      this.#removed.delete(keyOf(attached));
      try {
        const { ips } = await this.#attachments.add(list, attached);
        if (ips.length > 0) return { ips };
        await this.#attachments.remove(list, attached);
      } catch (error) {
        if (this.#cache.read(list.name, attached)) this.#leftovers.set(keyOf(attached), attached);
        throw failedSetUp(containerId, error);
      }
      throw new PluginFault("PluginTalksRubbish", `network ${list.name} gave the pod no address`);
    });
  }

  remove(key: PodAttachment): Promise<void> {
    checkKey(key);
    const attached = attachedOf(key, {});
    return this.#lanes.inOrder(key.containerId, () => this.#remove(attached));
  }

  check(key: PodAttachment): Promise<void> {
    checkKey(key);
    const attached = attachedOf(key, {});
    return this.#lanes.inOrder(key.containerId, () => this.#attachments.check(this.#list, attached));
  }

  async collect(validIds: ReadonlySet<string>): Promise<void> {
    // Known now, so that what comes while we wait for our turn is not taken for something old.
    const stale = this.#cache.list().filter((one) => isPod(one) && !validIds.has(one.containerId));
    await this.#lanes.alone(async () => {
      let gone = 0;
      for (const attachment of stale) {
        try {
          await this.#attachments.remove(this.#list, attachment);
          gone++;
        } catch (error) {
          this.#log.warn("what a container that is gone had left could not be removed", {
            container: attachment.containerId,
            network: attachment.network,
            error: explain(error),
          });
        }
      }
      if (gone > 0) this.#log.info("removed what containers that are gone had left", { count: gone });
      await this.#letPluginsCollect(validIds);
    });
  }

  complaint(): string | undefined {
    const { found } = this.#watch;
    switch (found.kind) {
      case "none":
        return `cni plugin not initialized: ${found.message}`;
      case "broken":
        return `cni plugin not initialized: ${found.message}`;
      case "network":
        return this.#trouble;
      default:
        return found satisfies never;
    }
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  get #list(): NetworkList | undefined {
    const { found } = this.#watch;
    return found.kind === "network" ? found.list : undefined;
  }

  /** Twice is as good as once, and a program less. */
  async #remove(attached: Attached): Promise<void> {
    const key = keyOf(attached);
    if (this.#removed.has(key)) return;
    await this.#attachments.remove(this.#list, attached);
    this.#leftovers.delete(key);
    const [oldest] = this.#removed;
    if (this.#removed.size >= REMEMBERED_REMOVALS && oldest !== undefined) this.#removed.delete(oldest);
    this.#removed.add(key);
  }

  async #letPluginsCollect(validIds: ReadonlySet<string>): Promise<void> {
    const list = this.#list;
    if (!list) return;
    const kept = this.#cache.list().filter(({ network }) => network === list.name);
    const valid = new Map(
      [...kept, ...[...validIds].map((containerId) => ({ containerId, ifname: "eth0" }))].map(
        ({ containerId, ifname }) => [`${containerId} ${ifname}`, { containerID: containerId, ifname }],
      ),
    );
    for (const error of await this.#attachments.collect(list, [...valid.values()]))
      this.#log.warn("a plugin could not look for what is left over", { error: explain(error) });
  }

  #changed(found: FoundNetwork): void {
    this.#trouble = undefined;
    this.#warnOfMissing(found);
    this.#tell();
    void this.#ask();
  }

  #warnOfMissing(found: FoundNetwork): void {
    const missing = found.kind === "network" ? this.#attachments.missing(found.list) : [];
    if (missing.length > 0)
      this.#log.warn("plugins of the network are missing; pods will not start until they are there", {
        plugins: missing,
        binDirs: this.#options.binDirs,
      });
  }

  #tell(): void {
    const complaint = this.complaint();
    if (complaint === this.#told) return;
    this.#told = complaint;
    for (const listener of this.#listeners) listener();
  }

  async #keepAsking(): Promise<void> {
    const { clock, signal } = this.#options;
    await this.#ask();
    for await (const _ of ticks(clock, STATUS_MS, { signal })) await this.#ask();
  }

  /** Plugins of lists from 1.1.0 on can say that they could not serve an ADD. */
  async #ask(): Promise<void> {
    const list = this.#list;
    const newest = list?.versions[0];
    if (!list || newest === undefined || !isAtLeast(newest, "1.1.0")) return;
    let trouble: string | undefined;
    try {
      await this.#attachments.status(list);
    } catch (error) {
      trouble = explain(error);
    }
    if (this.#list !== list || trouble === this.#trouble) return;
    if (trouble !== undefined)
      this.#log.warn("the network's plugins cannot serve pods now", { error: trouble });
    this.#trouble = trouble;
    this.#tell();
  }

  async #keepCleaning(): Promise<void> {
    const { clock, signal } = this.#options;
    for await (const _ of ticks(clock, LEFTOVERS_MS, { signal })) {
      for (const [key, attached] of this.#leftovers) {
        await this.#lanes
          .inOrder(attached.containerId, () => this.#remove(attached))
          .catch((error: unknown) => {
            this.#log.warn("a failed attachment could not be taken back yet", {
              container: attached.containerId,
              error: explain(error),
            });
          });
        if (this.#removed.has(key)) this.#leftovers.delete(key);
      }
    }
  }
}

function attachedOf(key: PodAttachment, args: Attached["capabilityArgs"]): Attached {
  const { containerId, ifname, netns } = key;
  return { containerId, ifname, netns, args: cniArgs(key), capabilityArgs: args };
}

/** Others that use libcni, such as podman, keep their containers' files in the same folder. */
function isPod({ containerId, args }: Attached): boolean {
  return args.some(([key, value]) => key === "K8S_POD_INFRA_CONTAINER_ID" && value === containerId);
}

function keyOf({ containerId, ifname }: Pick<Attached, "containerId" | "ifname">): string {
  return `${containerId} ${ifname}`;
}

/** In containerd's words. */
function failedSetUp(containerId: string, error: unknown): unknown {
  if (!(error instanceof PluginFault)) return error;
  const { detail, pluginCode } = error;
  return new PluginFault(
    error.code,
    `failed to setup network for sandbox ${JSON.stringify(containerId)}: ${error.message}`,
    { detail, cause: error.cause, ...(pluginCode === undefined ? {} : { pluginCode }) },
  );
}

/** As the specification has them; both are part of a file's name. @throws {PluginFault} "BadRequest" */
function checkKey({ containerId, ifname }: PodAttachment): void {
  if (!/^[A-Za-z0-9][\w.-]{0,127}$/.test(containerId))
    throw new PluginFault("BadRequest", `Cannot use ${JSON.stringify(containerId)} as a container's id`);
  if (!/^[^/:\s]{1,15}$/.test(ifname) || ifname === "." || ifname === "..")
    throw new PluginFault("BadRequest", `Cannot use ${JSON.stringify(ifname)} as an interface's name`);
}
