import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { silentLog } from "#telemetry/log";
import type { StoredImage } from "../runtime/runtime.ts";
import { DEFAULT_COLLECTION, ImageCollector } from "./image-collector.ts";

const MINUTE = 60_000;

/** A disk of a thousand bytes with images on it. */
class Disk {
  now = MINUTE;
  other: number;
  stored: StoredImage[] = [];
  used = new Set<string>();
  stuck = new Set<string>();
  readonly warnings: string[] = [];
  readonly collector: ImageCollector;

  constructor({ other = 0, policy = DEFAULT_COLLECTION } = {}) {
    this.other = other;
    this.collector = new ImageCollector({
      runtime: {
        images: async () => this.stored,
        imagesInUse: async () => this.used,
        removeImage: async (id) => {
          if (this.stuck.has(id)) throw new Error(`${id} is stuck`);
          this.stored = this.stored.filter((image) => image.id !== id);
        },
      },
      disk: async () => ({ capacityBytes: 1000, availableBytes: 1000 - this.other - this.size }),
      records: { keepOnly: () => {} },
      policy,
      warn: (reason, message) => this.warnings.push(`${reason}: ${message}`),
      clock: { now: () => this.now, sleep: async () => {} },
      log: silentLog,
    });
  }

  get size(): number {
    return this.stored.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  get ids(): string {
    return this.stored.map(({ id }) => id).join("");
  }

  add(ids: string, { sizeBytes = 100, isPinned = false } = {}): this {
    for (const id of ids) this.stored.push({ id, names: [`r.io/${id}:1`], sizeBytes, isPinned });
    return this;
  }

  async after(minutes: number): Promise<void> {
    this.now += minutes * MINUTE;
    await this.collector.collect();
  }
}

describe("images are collected", () => {
  test("not below the high mark; from it on, the longest unused go until the low one is reached", async () => {
    const disk = new Disk().add("abcdefgh");
    disk.used = new Set("ab");
    await disk.after(0); // 80 %
    disk.used = new Set("b");
    await disk.after(5);
    disk.used = new Set();
    disk.other = 60;
    await disk.after(5); // 86 %: one image brings it to 76.
    assert.equal(disk.ids, "abdefgh");
    disk.other = 360;
    await disk.after(5); // 106 %: three.
    assert.equal(disk.ids, "abgh");
    disk.other = 650;
    await disk.after(5); // 105 %: the used ones last, in the order of their last use.
    assert.equal(disk.ids, "b");
    assert.deepEqual(disk.warnings, []);
  });
  test("never those of containers, pinned ones, or new ones; too little is told", async () => {
    const disk = new Disk({ other: 700 }).add("ab").add("p", { isPinned: true });
    disk.used = new Set(["a", "r.io/b:1"]);
    await disk.after(10);
    disk.add("n", { sizeBytes: 1 });
    await disk.after(1);
    assert.equal(disk.ids, "abpn");
    assert.equal(
      disk.warnings.at(-1),
      "FreeDiskSpaceFailed: Insufficient free disk space on the node's image filesystem (101% of 1000 B used). Failed to free sufficient space by deleting unused images (freed 0 bytes). Investigate disk usage, as it could be used by active images, logs, volumes, or other data.",
    );
    await disk.after(3);
    assert.equal(disk.ids, "abp");
  });
  test("the others too when one cannot be removed, which is an error", async () => {
    const disk = new Disk({ other: 700 }).add("ab");
    disk.stuck.add("a");
    await disk.after(0).catch(() => {});
    await assert.rejects(disk.after(5), /wanted to free 100 bytes, but freed 100 bytes .* a is stuck/);
    assert.equal(disk.ids, "a");
  });
  test("by age alone where that is wished", async () => {
    const disk = new Disk({ policy: { ...DEFAULT_COLLECTION, maxAgeMs: 10 * MINUTE } }).add("ab");
    disk.used = new Set("a");
    await disk.after(5);
    assert.equal(disk.ids, "ab");
    await disk.after(6);
    assert.equal(disk.ids, "a");
  });
});
