import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openLog } from "#telemetry/log";
import { ImageFolder } from "./image-folder.ts";

const dir = mkdtempSync(join(tmpdir(), "image-folder-"));
after(() => rmSync(dir, { recursive: true }));
let folders = 0;

/** A folder whose clock stands still between looks; what is said of files is in `taken` and `log`. */
class Watched {
  readonly dir = join(dir, String(folders++));
  readonly taken: string[] = [];
  readonly bad = new Set<string>();
  readonly lines: string[] = [];
  #now = 1000;
  readonly #stop = new AbortController();
  #look: (() => void) | undefined;
  #looked: (() => void) | undefined;
  readonly folder: ImageFolder;

  constructor() {
    this.folder = new ImageFolder(this.dir, {
      take: async ({ path }) => {
        const name = path.slice(this.dir.length + 1);
        if (this.bad.has(name)) throw new Error("it is bad");
        this.taken.push(name);
      },
      clock: { now: () => this.#now, sleep: (ms) => this.#sleep(ms) },
      log: openLog({ write: (line) => void this.lines.push(line), level: "info" }),
      signal: this.#stop.signal,
    });
  }

  write(name: string, text = "x"): this {
    mkdirSync(this.dir, { recursive: true });
    writeFileSync(join(this.dir, name), text);
    utimesSync(join(this.dir, name), 1, this.#now / 1000);
    return this;
  }

  /** So many looks, two seconds apart. @returns what was taken in them */
  async looks(count: number): Promise<readonly string[]> {
    const before = this.taken.length;
    for (let i = 0; i < count; i++) {
      const done = new Promise<void>((resolve) => {
        this.#looked = resolve;
      });
      this.#look?.();
      await done;
    }
    return this.taken.slice(before);
  }

  watch(): void {
    void this.folder.keepTaking();
  }

  #sleep(ms: number): Promise<void> {
    this.#now += ms;
    this.#looked?.();
    return new Promise((resolve) => {
      this.#look = resolve;
    });
  }
}

test("files are taken as they come and change, once they are left alone; no others", async () => {
  const watched = new Watched();
  await watched.folder.takeAll();
  watched.write("b.tar").write("a.tar").write(".hidden.tar");
  mkdirSync(join(watched.dir, "folder.tar"));
  await watched.folder.takeAll();
  assert.deepEqual(watched.taken, ["a.tar", "b.tar"]);
  watched.watch();
  assert.deepEqual(await watched.looks(3), []);
  for (const text of ["1", "12", "123"]) {
    watched.write("c.tar", text);
    assert.deepEqual(await watched.looks(1), []);
  }
  assert.deepEqual(await watched.looks(3), ["c.tar"]);
  watched.write("a.tar", "another");
  assert.deepEqual(await watched.looks(3), ["a.tar"]);
  rmSync(join(watched.dir, "a.tar"));
  assert.deepEqual(await watched.looks(2), []);
  watched.write("a.tar", "another");
  assert.deepEqual(await watched.looks(3), ["a.tar"]);
  rmSync(watched.dir, { recursive: true });
  assert.deepEqual(await watched.looks(2), []);
});

test("a file that cannot be used is told once, tried again later and later, and at once when it changes", async () => {
  const watched = new Watched().write("bad.tar").write("good.tar");
  watched.bad.add("bad.tar");
  await watched.folder.takeAll();
  assert.deepEqual(watched.taken, ["good.tar"]);
  watched.watch();
  await watched.looks(20);
  assert.equal(watched.lines.join("").match(/ERROR cannot import images .*error=.?it is bad/g)?.length, 1);
  watched.write("bad.tar", "changed");
  await watched.looks(2);
  assert.equal(watched.lines.join("").match(/cannot import images/g)?.length, 2);
  watched.bad.clear();
  assert.deepEqual(await watched.looks(8), ["bad.tar"]);
  assert.deepEqual(await watched.looks(8), []);
});
