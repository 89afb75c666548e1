import { explain } from "#fault/fault";
import { type Clock, ticks } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { Runtime, StoredImage } from "../runtime/runtime.ts";
import type { ImageDisk } from "./image-disk.ts";
import type { PullRecords } from "./pull-records.ts";

/** When images that no container uses are removed, by how full their disk is. */
export interface CollectionPolicy {
  /** In percent; 100 is never. */
  readonly high: number;
  /** What it is brought down to. */
  readonly low: number;
  /** An image that has just come may be about to be used. */
  readonly minAgeMs: number;
  /** Unused for longer than this they go however empty the disk is; 0 is never. */
  readonly maxAgeMs: number;
  readonly everyMs: number;
}

/** A kubelet's. */
export const DEFAULT_COLLECTION: CollectionPolicy = {
  ...{ high: 85, low: 80 },
  minAgeMs: 120_000,
  maxAgeMs: 0,
  everyMs: 300_000,
};

export interface CollectorOptions {
  readonly runtime: Pick<Runtime, "images" | "imagesInUse" | "removeImage">;
  /** Undefined where no images are kept. */
  readonly disk: () => Promise<ImageDisk | undefined>;
  readonly records: Pick<PullRecords, "keepOnly">;
  readonly policy?: CollectionPolicy | undefined;
  /** Tells a warning about the Node. */
  readonly warn: (reason: string, message: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Seen {
  readonly firstAt: number;
  readonly image: StoredImage;
  lastUsedAt: number;
}

/** Removes the images that were unused for longest when their disk is nearly full. Pinned ones stay, and those of containers that
 *  exist. @see images/image_gc_manager.go in kubernetes */
export class ImageCollector {
  readonly #options: CollectorOptions;
  readonly #policy: CollectionPolicy;
  readonly #startedAt: number;
  #seen: ReadonlyMap<string, Seen> = new Map();

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#policy = options.policy ?? DEFAULT_COLLECTION;
    this.#startedAt = options.clock.now();
  }

  /** Looks now and then until aborted. */
  async run({ signal }: { signal: AbortSignal }): Promise<void> {
    const { clock, log, warn } = this.#options;
    await this.#look().catch(() => []); // From now on it is known how old images are.
    let failures = 0;
    for await (const _ of ticks(clock, this.#policy.everyMs, { signal })) {
      try {
        await this.collect();
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        const message = explain(error);
        log.warn("images could not be collected", { error: message });
        if (++failures > 1) warn("ImageGCFailed", message); // The first may only have come too early.
      }
    }
  }

  /** One look, and what follows from it. @throws what the runtime refuses */
  async collect(): Promise<void> {
    const startedAt = this.#options.clock.now();
    const removable = await this.#removeOld(await this.#look(), startedAt);
    const disk = await this.#options.disk();
    if (!disk) return;
    const used = usedPercent(disk);
    if (used < this.#policy.high) return;
    const wanted = Math.floor((disk.capacityBytes * (100 - this.#policy.low)) / 100) - disk.availableBytes;
    const freed = await this.#free(removable, wanted, startedAt);
    this.#options.records.keepOnly(new Set(this.#seen.keys()), startedAt);
    if (freed >= wanted) return;
    this.#options.warn(
      "FreeDiskSpaceFailed",
      `Insufficient free disk space on the node's image filesystem (${used}% of ${sizeText(disk.capacityBytes)} used). ` +
        `Failed to free sufficient space by deleting unused images (freed ${freed} bytes). ` +
        "Investigate disk usage, as it could be used by active images, logs, volumes, or other data.",
    );
  }

  /** All that nobody uses, for a node that is short of disk. @throws what the runtime refuses */
  async removeUnused(): Promise<void> {
    const startedAt = this.#options.clock.now();
    await this.#free(await this.#look(), Number.POSITIVE_INFINITY, startedAt);
    this.#options.records.keepOnly(new Set(this.#seen.keys()), startedAt);
  }

  /** @returns what may go, the longest unused first */
  async #look(): Promise<readonly Seen[]> {
    const { runtime, clock } = this.#options;
    const [images, inUse] = await Promise.all([runtime.images(), runtime.imagesInUse()]);
    const now = clock.now();
    const isUsed = ({ id, names }: StoredImage) => inUse.has(id) || names.some((name) => inUse.has(name));
    this.#seen = new Map(
      images.map((image) => {
        const { firstAt = now, lastUsedAt = 0 } = this.#seen.get(image.id) ?? {};
        return [image.id, { image, firstAt, lastUsedAt: isUsed(image) ? now : lastUsedAt }];
      }),
    );
    return [...this.#seen.values()]
      .filter(({ image }) => !image.isPinned && !isUsed(image))
      .sort((a, b) => a.lastUsedAt - b.lastUsedAt || a.firstAt - b.firstAt);
  }

  async #removeOld(images: readonly Seen[], now: number): Promise<readonly Seen[]> {
    const { maxAgeMs } = this.#policy;
    if (maxAgeMs === 0 || now - this.#startedAt <= maxAgeMs) return images;
    const old = images.filter(({ lastUsedAt }) => now - lastUsedAt > maxAgeMs);
    for (const { image } of old) await this.#remove(image, "unused for too long");
    return images.filter((image) => !old.includes(image));
  }

  /** @returns how many bytes the images had that are gone */
  async #free(images: readonly Seen[], wanted: number, now: number): Promise<number> {
    let freed = 0;
    const refusals: unknown[] = [];
    for (const { image, firstAt } of images) {
      if (freed >= wanted) break;
      if (now - firstAt < this.#policy.minAgeMs) continue;
      try {
        await this.#remove(image, "its disk is nearly full");
        freed += image.sizeBytes;
      } catch (error) {
        refusals.push(error);
      }
    }
    if (refusals.length === 0) return freed;
    const why = refusals.map(explain).join(", ");
    throw new Error(
      `wanted to free ${wanted} bytes, but freed ${freed} bytes space with errors in image deletion: ${why}`,
    );
  }

  async #remove({ id, names, sizeBytes }: StoredImage, why: string): Promise<void> {
    await this.#options.runtime.removeImage(id);
    this.#seen = new Map([...this.#seen].filter(([other]) => other !== id));
    this.#options.log.info("removed an image", { image: names.at(-1) ?? id, sizeBytes, why });
  }
}

function usedPercent({ capacityBytes, availableBytes }: ImageDisk): number {
  if (capacityBytes === 0) throw new Error("invalid capacity 0 on image filesystem");
  return 100 - Math.floor((Math.min(availableBytes, capacityBytes) * 100) / capacityBytes);
}

function sizeText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const size = bytes / 1024 ** power;
  return `${power === 0 ? size : size.toFixed(1)} ${units[power]}`;
}
