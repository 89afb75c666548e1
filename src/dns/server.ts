import { readFileSync } from "node:fs";
import { asError, Fault } from "#fault/fault";
import { type Clock, systemClock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { Name } from "#wire/dns/name";
import { FLAG } from "#wire/dns/numbers";
import { diskSource } from "./corefile/disk.ts";
import { type Corefile, parseCorefile } from "./corefile/parse.ts";
import { UdpDialer } from "./dial.ts";
import { encodeQuestion } from "./encode-question.ts";
import { doorKey, type Generation, openGeneration } from "./generation.ts";
import { openHandler } from "./handler.ts";
import { type Door, type HttpDoors, openDoor, openHttpDoors } from "./listen.ts";
import { ServerMetrics, sample } from "./metrics.ts";
import { planSites } from "./plan.ts";
import type { OpenKube } from "./plugin.ts";
import { openRandom } from "./random.ts";
import { ZoneTable } from "./zone-table.ts";

export interface ServerOptions {
  /** The Corefile's path; it is read again when `reload` asks. */
  readonly file: string;
  /** Used instead when there is no such file. */
  readonly fallbackText?: string;
  readonly defaultPort: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly openKube: OpenKube;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Hears why the program has to end. */
  readonly fatal: (reason: string) => void;
}

/** A server that answers. */
export interface RunningServer extends AsyncDisposable {
  /** The port of each door, in the order of the Corefile; with port 0 the one the system chose. */
  readonly ports: readonly number[];
  /** Takes over the Corefile if it has changed; a bad one is refused and the old one stays. */
  checkCorefile(): Promise<void>;
  /** Lets plugins say goodbye while questions are still answered. */
  beforeStop(): Promise<void>;
}

const SELF_TIMEOUT_MS = 1000;

/** Reads the Corefile, opens its plugins and then its ports. @throws {CorefileFault | Fault} */
export async function openServer(options: ServerOptions): Promise<RunningServer> {
  const server = new CorefileServer(options);
  try {
    await server.start();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

class CorefileServer implements RunningServer {
  readonly #options: ServerOptions;
  readonly #clock: Clock;
  readonly #random = openRandom();
  readonly #metrics = new ServerMetrics();
  readonly #http: HttpDoors & AsyncDisposable = openHttpDoors();
  readonly #doors = new Map<string, Door>();
  readonly #counts = { panics: 0, failedReloads: 0 };
  readonly #life = new AbortController();
  #corefile: Corefile | undefined;
  #generation: Generation | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#declareMetrics();
  }

  get ports(): readonly number[] {
    return [...this.#doors.values()].map(({ port }) => port);
  }

  async start(): Promise<void> {
    const corefile = this.#read();
    for (const warning of corefile.warnings) this.#options.log.warn(warning);
    await this.#takeOver(corefile);
  }

  async checkCorefile(): Promise<void> {
    try {
      const corefile = this.#read();
      if (corefile.texts.join("\0") === this.#corefile?.texts.join("\0")) return;
      this.#options.log.info("Reloading");
      await this.#takeOver(corefile);
      this.#options.log.info("Reloading complete");
    } catch (error) {
      this.#counts.failedReloads++;
      this.#options.log.error("Corefile changed but reload failed", { error: asError(error) });
    }
  }

  async beforeStop(): Promise<void> {
    await this.#generation?.beforeStop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort();
    this.#generation?.[Symbol.dispose]();
    await Promise.all([...this.#doors.values(), this.#http].map((each) => each[Symbol.asyncDispose]()));
  }

  #read(): Corefile {
    const { file, fallbackText, env } = this.#options;
    const source = diskSource(env);
    return parseCorefile(this.#text(file, fallbackText), file, source);
  }

  #text(file: string, fallbackText: string | undefined): string {
    try {
      return readFileSync(file, "utf8");
    } catch (error) {
      if (fallbackText !== undefined) return fallbackText;
      throw new Fault("Corefile", `Cannot read ${file}: ${asError(error).message}`, { cause: error });
    }
  }

  /** Opens the new plugins, then the ports that are new, then hands over, then closes what is not wanted any more. */
  async #takeOver(corefile: Corefile): Promise<void> {
    const { log, env, openKube, fatal, defaultPort } = this.#options;
    const plans = planSites(corefile, { defaultPort });
    const next = await openGeneration(plans, {
      log,
      env,
      openKube,
      fatal,
      clock: this.#clock,
      random: this.#random,
      metrics: this.#metrics,
      http: this.#http,
      checkCorefile: () => this.checkCorefile(),
      askDoor: (key, name, type) => this.#askDoor(key, name, type),
    });
    try {
      for (const { addresses, port } of plans)
        for (const address of addresses) await this.#open(address, port);
    } catch (error) {
      next[Symbol.dispose]();
      throw error;
    }
    for (const [key, sites] of next.sites) this.#doors.get(key)?.serve(this.#handler(new ZoneTable(sites)));
    const before = this.#generation;
    this.#generation = next;
    this.#corefile = corefile;
    before?.[Symbol.dispose]();
    for (const [key, door] of this.#doors) {
      if (next.sites.has(key)) continue;
      this.#doors.delete(key);
      await door[Symbol.asyncDispose]();
    }
  }

  async #open(address: string | undefined, port: number): Promise<void> {
    const key = doorKey(address, port);
    if (this.#doors.has(key)) return;
    const onError = (error: Error) => this.#options.log.warn("a socket reported an error", { error });
    this.#doors.set(key, await openDoor({ address, port, onError }));
  }

  #handler(zones: ZoneTable): ReturnType<typeof openHandler> {
    return openHandler(zones, {
      random: this.#random,
      onPanic: (error) => {
        this.#counts.panics++;
        this.#options.log.error("a plugin threw while it answered", { error: asError(error) });
      },
    });
  }

  async #askDoor(key: string, name: Name, type: number): Promise<void> {
    const door = this.#doors.get(key);
    if (door === undefined) throw new Fault("Listen", "Cannot ask this server: it does not listen yet");
    const address = key.slice(0, key.indexOf("|")).replace(/^\*$|^0\.0\.0\.0$/, "127.0.0.1");
    using dialer = new UdpDialer({ address, port: door.port });
    const message = encodeQuestion(name, type, { id: 0, flags: FLAG.RD });
    await dialer.exchange(message, message.length, { timeoutMs: SELF_TIMEOUT_MS, random: this.#random });
  }

  #declareMetrics(): void {
    const add = (
      name: string,
      help: string,
      type: "counter" | "gauge",
      labels: Record<string, string>,
      value: () => number,
    ) => this.#metrics.collect(name, help, type, () => [sample(name, labels, value())], this.#life.signal);
    const build = { version: "1.14.6", revision: "twill", goversion: `node${process.versions.node}` };
    add("coredns_build_info", "What this program is.", "gauge", build, () => 1);
    add("coredns_panics_total", "Plugins that threw.", "counter", {}, () => this.#counts.panics);
    add(
      "coredns_reload_failed_total",
      "Corefiles that were refused.",
      "counter",
      {},
      () => this.#counts.failedReloads,
    );
  }
}
