import { type FSWatcher, mkdirSync, watch } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { explain } from "#fault/fault";
import { type Clock, ticks } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { type FoundNetwork, loadNetwork } from "./conf-folder.ts";

/** The folder is looked at this often whatever the kernel tells: it may have been removed and made again, or be on a file
 *  system that tells nothing. */
const LOOK_MS = 500;
/** A file that is being written is looked at when that is done. */
const SETTLE_MS = 50;

export interface ConfWatchOptions {
  readonly confDir: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly onChange: (found: FoundNetwork) => void;
}

/** Knows the network that the folder configures, and tells when that changes, until aborted. */
export class ConfWatch {
  readonly #options: ConfWatchOptions;
  #found: FoundNetwork;
  #watcher: FSWatcher | undefined;
  #isSettling = false;

  constructor(options: ConfWatchOptions) {
    this.#options = options;
    this.#makeFolder();
    this.#listen();
    this.#found = loadNetwork(options.confDir);
    this.#tell();
    void this.#run();
  }

  get found(): FoundNetwork {
    return this.#found;
  }

  #look(): void {
    const found = loadNetwork(this.#options.confDir);
    if (isDeepStrictEqual(found, this.#found)) return;
    this.#found = found;
    this.#tell();
    this.#options.onChange(found);
  }

  #tell(): void {
    const { log, confDir } = this.#options;
    const { kind } = this.#found;
    if (kind === "network") {
      const { file, list } = this.#found;
      log.info("pods are attached to a network of this node's own configuration", {
        file,
        network: list.name,
        plugins: list.plugins.map(({ type }) => type),
      });
    } else if (kind === "broken") {
      log.error("a network's configuration is of no use", { error: this.#found.message });
    } else {
      log.warn("there is no network for pods until someone configures one", { confDir });
    }
  }

  async #run(): Promise<void> {
    const { clock, signal } = this.#options;
    for await (const _ of ticks(clock, LOOK_MS, { signal })) {
      if (!this.#watcher) this.#listen();
      this.#look();
    }
    this.#watcher?.close();
  }

  /** A folder that cannot be made is told of by what is not found in it. */
  #makeFolder(): void {
    try {
      mkdirSync(this.#options.confDir, { recursive: true, mode: 0o755 });
    } catch (error) {
      this.#options.log.warn("the folder of network configurations cannot be made", {
        error: explain(error),
      });
    }
  }

  #listen(): void {
    const { confDir } = this.#options;
    try {
      const watcher = watch(confDir, { persistent: false }, (event, name) => {
        // The folder itself went: a watch of what comes after it is another one.
        if (event === "rename" && name !== null && confDir.endsWith(`/${name}`)) this.#stopListening(watcher);
        this.#lookSoon();
      });
      watcher.on("error", () => this.#stopListening(watcher));
      this.#watcher = watcher;
    } catch {
      this.#watcher = undefined; // The slow look finds it.
    }
  }

  #stopListening(watcher: FSWatcher): void {
    watcher.close();
    if (this.#watcher === watcher) this.#watcher = undefined;
  }

  #lookSoon(): void {
    if (this.#isSettling) return;
    this.#isSettling = true;
    const { clock, signal } = this.#options;
    void clock.sleep(SETTLE_MS, { signal }).then(
      () => {
        this.#isSettling = false;
        this.#look();
      },
      () => {},
    );
  }
}
