import { keepWhole } from "#disk/whole-file";
import { explain, Fault } from "#fault/fault";
import type { KubeClient } from "#kube/client";
import { NODES } from "#kube/resources";
import { Backoff } from "#life/backoff";
import { Cell } from "#life/cell";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { Annotations } from "#wire/flannel-annotations";
import { type Announcement, announcement, missingAnnotations } from "./announce.ts";
import type { FabricConfig, FabricReady } from "./model.ts";
import type { Standing } from "./own-ends.ts";

export interface AnnouncerOptions {
  readonly client: KubeClient;
  readonly nodeName: string;
  readonly config: FabricConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onReady?: ((ready: FabricReady) => void) | undefined;
}

/** Tells the plugins, this process and the peers what stands: whenever it changes, and whenever the Node has lost it. */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #news = new Cell<true>();
  #standing: Standing | undefined;
  /** What was last written, and what our Node said then: until that has changed there is nothing to write again. */
  #written: { readonly text: string; readonly said: object } | undefined;
  #ready = "";

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  /** A round went through without a fault, and left this. Both come together, for what a newer Node says may not have
   *  reached the kernel yet: telling what was true before would undo it. */
  stands(standing: Standing): void {
    this.#standing = standing;
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

  /** Local things first: pods of this node need no API server to start. A full disk keeps neither them nor the peers waiting.
   *  @throws {Fault} what could not be written, when all the rest is done */
  async #announce(): Promise<void> {
    const { config } = this.#options;
    if (!this.#standing) return;
    const { snapshot } = this.#standing;
    const wanted = announcement(this.#standing, config);
    if (!wanted) return;
    const unwritten = writeSubnetFile(config.subnetFile, wanted.subnetFile);
    this.#tellReady(wanted.ready);
    await this.#tellPeers(snapshot.said, wanted);
    if (unwritten) throw unwritten;
  }

  async #tellPeers(said: Annotations | undefined, wanted: Announcement): Promise<void> {
    if (said === undefined) return;
    const missing = missingAnnotations(said, wanted.annotations);
    const text = JSON.stringify(missing);
    if (this.#written?.said === said && this.#written.text === text) return;
    await this.#patch(missing);
    this.#written = { text, said };
  }

  #tellReady(ready: FabricReady): void {
    const text = JSON.stringify(ready);
    if (text === this.#ready) return;
    this.#options.onReady?.(ready);
    // Not before: one that throws is told again.
    this.#ready = text;
    this.#options.log.info("pod network is up", { podCidrs: ready.podCidrs, mtuBytes: ready.mtuBytes });
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

/** @returns why not, with the file's name: a full disk's own message has none */
function writeSubnetFile(path: string, text: string): Fault | undefined {
  try {
    keepWhole(path, text, { mode: 0o644 });
    return undefined;
  } catch (error) {
    return new Fault("BadFile", `Cannot write ${path}`, { cause: error });
  }
}
