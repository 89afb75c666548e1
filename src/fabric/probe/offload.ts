/** Checksums of packets inside a VXLAN tunnel are left to the hardware below it. Some hardware, and some kernels, leave them as
 *  they are: every packet that this machine itself makes is then thrown away at the other end, while whatever a router passes on
 *  arrives. It shows as services that hang for 1, 3, 7 or 63 seconds (flannel 1279, k3s 2013). */
import type { Ip } from "#addr/ip";
import { isFault } from "#fault/fault";
import type { LinkFeatures } from "#kernel/kernel";
import type { Clock } from "#life/clock";
import type { Fields, Logger } from "#telemetry/log";
import type { Exchange, Waiting } from "./exchange.ts";
import type { Offload, ProbeConfig, ProbeTarget } from "./model.ts";
import { OffloadMemory } from "./offload-memory.ts";

/** What ethtool(8) calls it. */
const FEATURE = "tx-checksum-ip-generic";
const ATTEMPTS = 4;
const CONFIRMATIONS = 3;
/** The other end's kernel sends us one "port unreachable" a second, and a few at once after a while (`net.ipv4.icmp_ratelimit`).
 *  Asking faster could take that for a difference between the two kinds. */
const PAUSE_MS = 1_100;

interface Asking extends Waiting {
  readonly exchange: Pick<Exchange, "datagram">;
  readonly clock: Clock;
}

/** Whether datagrams of which a device fills in the checksum get to `to`. Broken only where several did not, and others, sent in
 *  between, all did. */
async function judgeOffload(to: Ip, { exchange, clock, signal }: Asking): Promise<Offload> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await clock.sleep(PAUSE_MS, { signal });
    if (await exchange.datagram(to, "device", { signal })) return "works";
    // Of a way that loses everything, or now and then, nothing is learnt.
    if (!(await exchange.datagram(to, "complete", { signal }))) return "unknown";
  }
  return "broken";
}

/** Whether every one of a few ordinary datagrams gets to `to`, or none. */
async function fewArrive(to: Ip, { exchange, clock, signal }: Asking): Promise<"all" | "none" | "some"> {
  let arrived = 0;
  for (let attempt = 0; attempt < CONFIRMATIONS; attempt++) {
    await clock.sleep(PAUSE_MS, { signal });
    if (await exchange.datagram(to, "device", { signal })) arrived += 1;
  }
  if (arrived === 0) return "none";
  return arrived === CONFIRMATIONS ? "all" : "some";
}

export interface OffloadOptions {
  readonly features: LinkFeatures;
  readonly config: ProbeConfig;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Turns the offload off on a tunnel's device where it is broken, and keeps it so. */
export class OffloadKeeper {
  readonly #options: OffloadOptions;
  readonly #memory: OffloadMemory;
  /** Devices of which one peer's way is being tried out; the others wait for their next look. */
  readonly #onTrial = new Set<string>();
  /** Devices whose trouble is told. */
  readonly #told = new Set<string>();

  constructor(options: OffloadOptions) {
    this.#options = options;
    this.#memory = new OffloadMemory(options.config.stateFile, options.log);
  }

  /** Brings `devices` to what the configuration, or an earlier finding, says. Absent ones are left out. */
  keep(devices: readonly string[]): void {
    for (const device of devices) {
      try {
        this.#keepOne(device);
      } catch (error) {
        if (!isFault(error)) throw error;
        this.#tellOnce(device, "checksum offload cannot be set", { device, feature: FEATURE, error });
      }
    }
  }

  #keepOne(device: string): void {
    const { features, config, log } = this.#options;
    const isFilling = features.fillsChecksums(device);
    if (isFilling === undefined) return;
    const isBroken = this.#memory.has(device);
    const wanted = config.offload === "auto" ? (isBroken ? false : undefined) : config.offload === "on";
    // Where somebody else turned it off and we know of no reason, that stays.
    if (wanted === true && !isBroken) return;
    if (wanted === true) this.#memory.forget(device);
    if (wanted === undefined || wanted === isFilling) return;
    features.setFillsChecksums(device, wanted);
    log.info("checksum offload set", { device, feature: FEATURE, to: wanted ? "on" : "off" });
  }

  /** What is known of the offload on the way to `target`, tried out anew while it is on. */
  async test(target: ProbeTarget, asking: Omit<Asking, "clock">): Promise<Offload> {
    const { device, kind } = target;
    const [to] = target.to;
    if (kind !== "vxlan" || to === undefined || this.#options.config.offload !== "auto") return "unknown";
    if (this.#memory.has(device)) return "broken";
    if (await asking.exchange.datagram(to, "device", asking)) return "works";
    if (this.#onTrial.has(device)) return "unknown";
    this.#onTrial.add(device);
    try {
      return await this.#try(target, to, { ...asking, clock: this.#options.clock });
    } finally {
      this.#onTrial.delete(device);
    }
  }

  /** Turning it off for good must help, and turning it on again must hurt: loss alone hardly ever looks like that. */
  async #try({ device, node }: ProbeTarget, to: Ip, asking: Asking): Promise<Offload> {
    const { features } = this.#options;
    const verdict = await judgeOffload(to, asking);
    if (verdict !== "broken") return verdict;
    const helps = features.fillsChecksums(device) === true && (await this.#offHelps(device, to, asking));
    if (!helps) {
      this.#tellOnce(device, "some datagrams do not arrive through a tunnel, but not for checksum offload", {
        device,
        node,
        feature: FEATURE,
      });
      return "unknown";
    }
    this.#turnOff(device, node);
    return "broken";
  }

  /** Leaves it on. */
  async #offHelps(device: string, to: Ip, asking: Asking): Promise<boolean> {
    const { features } = this.#options;
    features.setFillsChecksums(device, false);
    try {
      if ((await fewArrive(to, asking)) !== "all") return false;
    } finally {
      features.setFillsChecksums(device, true);
    }
    return (await fewArrive(to, asking)) === "none";
  }

  #turnOff(device: string, node: string): void {
    const { features, config, clock, log } = this.#options;
    features.setFillsChecksums(device, false);
    this.#memory.remember(device, { node, nowMs: clock.now() });
    log.warn(
      "packets arrive without their checksums where those are left to the hardware: turned that off on the tunnel's device, for good",
      { device, node, feature: FEATURE, see: `ethtool -k ${device}`, remembered: config.stateFile },
    );
  }

  #tellOnce(device: string, message: string, fields: Fields): void {
    if (this.#told.has(device)) return;
    this.#told.add(device);
    this.#options.log.warn(message, fields);
  }
}
