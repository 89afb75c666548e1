import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { asError, explain } from "#fault/fault";
import type { KubeClient } from "#kube/client";
import { NODES } from "#kube/resources";
import { Backoff } from "#life/backoff";
import { Cell } from "#life/cell";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { type Announcement, announcement, missingAnnotations } from "./announce.ts";
import type { FabricConfig, FabricReady, FabricState, Lease } from "./model.ts";
import type { NodeWatch } from "./node-watch.ts";

export interface AnnouncerOptions {
  readonly watch: NodeWatch;
  readonly client: KubeClient;
  readonly nodeName: string;
  readonly config: FabricConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onReady?: ((ready: FabricReady) => void) | undefined;
}

/** Tells the plugins, this process and the peers what stands: whenever it changes, and whenever the Node lost it. */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #news = new Cell<true>();
  #standing: { readonly lease: Lease; readonly state: FabricState } | undefined;
  #ready = "";

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    options.watch.onOwnChange(() => this.#news.set(true));
  }

  /** A round went through without a fault, and left this. */
  stands(lease: Lease, state: FabricState): void {
    this.#standing = { lease, state };
    this.#news.set(true);
  }

  async run({ signal }: { signal: AbortSignal }): Promise<void> {
    const { log, clock } = this.#options;
    const backoff = new Backoff({ firstMs: 200, maxMs: 5_000 });
    for await (const _ of this.#news.values({ signal })) {
      try {
        await this.#announce();
        backoff.reset();
      } catch (error) {
        if (signal.aborted) return;
        const waitMs = backoff.nextMs();
        log.warn("this node could not be announced; will try again", { error: explain(error), waitMs });
        await clock.sleep(waitMs, { signal }).catch(() => {});
        this.#news.set(true);
      }
    }
  }

  /** Local things first: pods of this node need no API server to start. */
  async #announce(): Promise<void> {
    const { watch, config } = this.#options;
    if (!this.#standing) return;
    const { lease, state } = this.#standing;
    const said = watch.own?.annotations ?? {};
    const wanted = announcement(lease, state, config, said);
    if (!wanted) return;
    writeSubnetFile(config.subnetFile, wanted.subnetFile);
    this.#tellReady(wanted.ready);
    if (watch.own) await this.#patch(missingAnnotations(said, wanted.annotations));
  }

  #tellReady(ready: FabricReady): void {
    const text = JSON.stringify(ready);
    if (text === this.#ready) return;
    this.#ready = text;
    this.#options.log.info("pod network is up", { podCidrs: ready.podCidrs, mtuBytes: ready.mtuBytes });
    this.#options.onReady?.(ready);
  }

  /** On the status subresource, which is all that flannel's role allows. */
  async #patch(annotations: Announcement["annotations"]): Promise<void> {
    if (Object.keys(annotations).length === 0) return;
    const { client, nodeName, log } = this.#options;
    await client.patch(
      NODES,
      { name: nodeName },
      { metadata: { annotations } },
      { type: "strategic", subresource: "status" },
    );
    log.info("announced this node's tunnel", { annotations });
  }
}

/** The file is whole or not there, and untouched when it is right. @throws {Error} of the file system */
function writeSubnetFile(path: string, text: string): void {
  if (readIfThere(path) === text) return;
  mkdirSync(dirname(path), { recursive: true });
  const fresh = `${path}.new`;
  writeFileSync(fresh, text, { mode: 0o644 });
  renameSync(fresh, path);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const cause = asError(error);
    if ("code" in cause && cause.code === "ENOENT") return undefined;
    throw cause;
  }
}
