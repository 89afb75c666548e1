import { explain, isFault } from "#fault/fault";
import { CLAIMS } from "#kernel/claims";
import type { Kernel } from "#kernel/kernel";
import { type Clock, ticks } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { dumpFilters } from "./dump.ts";
import { type FirewallHints, findFirewalls } from "./find.ts";
import type { FirewallFinding } from "./finding.ts";
import { readHints } from "./hints.ts";
import { type FirewallNode, firewallNeeds } from "./needs.ts";

const LOOK_MS = 5_000;
/** The old tables have no number that changes with them, and neither do links' names: so there is a look now and then anyway. */
const ANYWAY_MS = 30_000;
/** A look may take this part of the time until the next. */
const SHARE = 1 / 100;

const OWN_TABLES: ReadonlySet<string> = new Set(Object.values(CLAIMS.tables));

export interface FirewallWatchOptions {
  readonly kernel: Pick<Kernel, "nft" | "netlink" | "openFilters">;
  /** What the node is now. */
  readonly node: () => FirewallNode;
  readonly clock: Clock;
  readonly log: Logger;
  readonly hints?: () => FirewallHints;
}

/** Knows which of the machine's own filters drop what the cluster needs. Says so once, and again when it is no more. */
export class FirewallWatch {
  readonly #options: FirewallWatchOptions;
  #findings: readonly FirewallFinding[] = [];
  #seen: { readonly generation: number; readonly node: string; readonly atMs: number } | undefined;
  #restUntilMs = 0;
  #refusal: string | undefined;

  constructor(options: FirewallWatchOptions) {
    this.#options = options;
  }

  /** As of the last look. */
  get findings(): readonly FirewallFinding[] {
    return this.#findings;
  }

  /** Looks every few seconds where something changed, until aborted. */
  async keep({ signal }: { signal: AbortSignal }): Promise<void> {
    this.look();
    for await (const _ of ticks(this.#options.clock, LOOK_MS, { signal })) this.look();
  }

  /** Looks unless nothing can have changed. What cannot be read is said once, and tried again. */
  look(): void {
    const { clock, log } = this.#options;
    const startedMs = clock.now();
    if (startedMs < this.#restUntilMs) return;
    try {
      this.#look(startedMs);
      this.#refusal = undefined;
    } catch (error) {
      if (!isFault(error)) throw error;
      const refusal = explain(error);
      if (refusal !== this.#refusal)
        log.warn("this machine's packet filters could not be looked at", { error: refusal });
      this.#refusal = refusal;
    }
    this.#restUntilMs = startedMs + (clock.now() - startedMs) / SHARE;
  }

  #look(nowMs: number): void {
    const { kernel } = this.#options;
    const node = this.#options.node();
    const now = { generation: kernel.nft.foreignGeneration(), node: JSON.stringify(node), atMs: nowMs };
    const seen = this.#seen;
    const isSame = seen && seen.generation === now.generation && seen.node === now.node;
    if (isSame && nowMs < seen.atMs + ANYWAY_MS) return;
    const hints = (this.#options.hints ?? readHints)();
    using filters = kernel.openFilters();
    const dump = dumpFilters(filters, { isOwn: (table) => OWN_TABLES.has(table) });
    this.#tell(findFirewalls(dump, firewallNeeds(kernel.netlink, node), hints));
    this.#seen = now;
  }

  #tell(findings: readonly FirewallFinding[]): void {
    const { log } = this.#options;
    const before = new Set(this.#findings.map(({ key }) => key));
    const now = new Set(findings.map(({ key }) => key));
    for (const { key, summary, fix } of findings)
      if (!before.has(key)) log.warn("a firewall of this machine is in the way", { firewall: summary, fix });
    for (const { key, summary } of this.#findings)
      if (!now.has(key)) log.info("a firewall of this machine is in the way no more", { firewall: summary });
    this.#findings = findings;
  }
}
