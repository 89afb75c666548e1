/** What a containerd that was killed can leave behind and never finds again: shims it had started but not written down, and network
 *  namespaces it had made for sandboxes that it has forgotten. */
import { readdirSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { explain } from "#fault/fault";
import { unmountAll } from "#kernel/mount";
import { type Clock, ticks } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { childrenOf, listPids, namespaceOf, wordsOf } from "../processes.ts";
import { startTicksOf } from "../runtime/process/identity.ts";

export interface StraysOptions {
  /** containerd's own. */
  readonly socket: string;
  /** Where containerd keeps the namespaces of its sandboxes. */
  readonly netnsDir: string;
  /** Ids of all containers that containerd knows, sandboxes included. */
  readonly known: () => Promise<ReadonlySet<string>>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const PERIOD_MS = 60_000;
/** Between its start and that of its first process, and for a list that was read a moment before. */
const SHIM_MS = 60_000;
/** A sandbox has no process while its network is made, for which a plugin may take as long as a runtime waits: four minutes. */
const NETNS_MS = 600_000;
/** As go-cni names them. */
const NETNS_NAME = /^cni-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Takes away, looking once a minute until aborted, what containerd does not know any more. */
export async function removeStrays(options: StraysOptions): Promise<void> {
  const strays = new Strays(options);
  for await (const _ of ticks(options.clock, PERIOD_MS, options))
    await strays.look().catch((error: unknown) => {
      if (!options.signal.aborted)
        options.log.debug("stray shims could not be looked for", { error: explain(error) });
    });
}

/** Remembers since when each thing has looked forgotten: what does so for long enough goes. */
export class Strays {
  readonly #options: StraysOptions;
  #since: ReadonlyMap<string, number> = new Map();

  constructor(options: StraysOptions) {
    this.#options = options;
  }

  async look(): Promise<void> {
    const { socket, netnsDir, clock, log } = this.#options;
    const known = await this.#options.known();
    const since = new Map<string, number>();
    const isOld = (what: string, forMs: number) => {
      const first = this.#since.get(what) ?? clock.now();
      since.set(what, first);
      return clock.now() - first >= forMs;
    };
    for (const shim of emptyShims(socket))
      if (!known.has(shim.id) && isOld(shim.name, SHIM_MS)) {
        log.info("ended a shim that containerd has lost", { pid: shim.pid, id: shim.id });
        process.kill(shim.pid, "SIGKILL");
      }
    for (const path of emptyNamespaces(netnsDir))
      if (isOld(path, NETNS_MS)) {
        log.info("removed a network namespace that containerd has lost", { name: basename(path) });
        unmountAll(path);
        rmSync(path, { force: true });
      }
    this.#since = since;
  }
}

interface Shim {
  readonly pid: number;
  readonly id: string;
  /** Of this process, and of no other for good. */
  readonly name: string;
}

/** Shims of that containerd that keep no process. Nodes of a lab have equal paths, so the mount namespace has to be ours. */
function emptyShims(socket: string): readonly Shim[] {
  const ours = namespaceOf("self", "mnt");
  return listPids().flatMap((pid) => {
    const [program = "", ...words] = wordsOf(pid);
    const id = wordAfter(words, "-id");
    const isOurs =
      /(?:^|\/)containerd-shim-[^/]*$/.test(program) &&
      wordAfter(words, "-namespace") === "k8s.io" &&
      wordAfter(words, "-address") === socket &&
      namespaceOf(pid, "mnt") === ours;
    const ticks = startTicksOf(pid);
    if (!isOurs || id === undefined || ticks === undefined || childrenOf(pid).length > 0) return [];
    return [{ pid, id, name: `${pid} ${ticks}` }];
  });
}

/** Kept network namespaces that no process is in. */
function emptyNamespaces(dir: string): readonly string[] {
  const names = namesIn(dir).filter((name) => NETNS_NAME.test(name));
  if (names.length === 0) return [];
  const inUse = new Set(listPids().map((pid) => namespaceOf(pid, "net")));
  return names
    .map((name) => join(dir, name))
    .filter((path) => {
      const found = statSync(path, { throwIfNoEntry: false });
      return found !== undefined && !inUse.has(`net:[${found.ino}]`);
    });
}

function wordAfter(words: readonly string[], flag: string): string | undefined {
  const at = words.indexOf(flag);
  return at < 0 ? undefined : words[at + 1];
}

function namesIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
