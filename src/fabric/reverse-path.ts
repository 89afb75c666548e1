/** `rp_filter`: a strict machine drops a packet whose answer would leave by another device. While nodes change from one backend
 *  to another, or reach some peers directly and others by tunnel, the two directions may differ. */

import { FAMILIES } from "#addr/family";
import { keepWhole, readIfThere } from "#disk/whole-file";
import { explain } from "#fault/fault";
import { CLAIMS } from "#kernel/claims";
import type { NetKernel } from "#kernel/kernel";
import type { Logger } from "#telemetry/log";
import type { FabricKind, Ground, ReversePath } from "./model.ts";
import { readSetting } from "./observe.ts";
import type { PathChoice } from "./paths.ts";

const STRICT = "1";
/** Any way back will do. */
export const LOOSE = "2";

export function reversePathSetting(device: string): string {
  return `net/ipv4/conf/${device}/rp_filter`;
}

/** Our own devices are loose; the underlay is while plain routes and tunnels are mixed, and then gets back what it had. */
export function reversePathSettings(
  { paths }: PathChoice,
  { kinds, ground }: { kinds: ReadonlySet<FabricKind>; ground: Ground },
): ReadonlyMap<string, string> {
  const { strict, loosened } = ground.reversePath;
  const isDirect = kinds.has("host-gw") || paths.some(({ kind }) => kind === "host-gw");
  const isMixed = isDirect && (kinds.has("vxlan") || kinds.has("wireguard"));
  const underlays = new Set(underlayNames(ground.underlays));
  const settings = new Map<string, string>();
  for (const device of strict)
    if (isMixed || !underlays.has(device)) settings.set(reversePathSetting(device), LOOSE);
  if (!isMixed) for (const [device, found] of loosened) settings.set(reversePathSetting(device), found);
  return settings;
}

/** Of its own setting and that of all devices the larger one counts, and 2 is loose. */
export function isStrict(kernel: Pick<NetKernel, "sysctl">, device: string): boolean {
  const [all, own] = ["all", device].map((name) => readSetting(kernel, reversePathSetting(name)));
  return own !== undefined && own !== LOOSE && all !== LOOSE && (own === STRICT || all === STRICT);
}

/** Looks at the devices' settings, and keeps what underlays had before they were loosened: in a file that lives as long as the
 *  settings do, so that whoever runs when the change of backend is over can put it back. */
export class ReversePathWatch {
  readonly #kernel: Pick<NetKernel, "sysctl">;
  readonly #file: string;
  readonly #log: Logger;
  readonly #found: Map<string, string>;

  constructor({
    kernel,
    file,
    log,
  }: {
    readonly kernel: Pick<NetKernel, "sysctl">;
    readonly file: string;
    readonly log: Logger;
  }) {
    this.#kernel = kernel;
    this.#file = file;
    this.#log = log;
    this.#found = new Map((readIfThere(file) ?? "").split("\n").flatMap(readLine));
  }

  look(underlays: Ground["underlays"]): ReversePath {
    const devices = [
      ...underlayNames(underlays),
      ...Object.values(CLAIMS.devices.vxlan),
      ...Object.values(CLAIMS.devices.wireguard),
    ];
    const strict = new Set(devices.filter((device) => isStrict(this.#kernel, device)));
    const loosened = [...this.#found].filter(
      ([device]) => readSetting(this.#kernel, reversePathSetting(device)) === LOOSE,
    );
    return { strict, loosened: new Map(loosened) };
  }

  /** Before a setting is written. */
  change(setting: string, value: string, underlays: Ground["underlays"]): void {
    const device = underlayNames(underlays).find((name) => reversePathSetting(name) === setting);
    if (device === undefined) return;
    const found = readSetting(this.#kernel, setting);
    if (value === LOOSE && found !== undefined) this.#found.set(device, found);
    else this.#found.delete(device);
    this.#log.info(
      value === LOOSE
        ? "reverse path filtering of this link is loose while other nodes' pods are reached by plain routes and by tunnels"
        : "reverse path filtering of this link is as it was",
      { device, setting, from: found, to: value },
    );
    this.#keep();
  }

  #keep(): void {
    const text = [...this.#found].map(([device, value]) => `${device} ${value}\n`).join("");
    try {
      keepWhole(this.#file, text, { mode: 0o644 });
    } catch (error) {
      this.#log.warn("what this link had could not be written down", {
        file: this.#file,
        error: explain(error),
      });
    }
  }
}

function readLine(line: string): readonly (readonly [string, string])[] {
  const [, device, value] = /^(\S{1,15}) ([01])$/.exec(line) ?? [];
  return device !== undefined && value !== undefined ? [[device, value]] : [];
}

function underlayNames(underlays: Ground["underlays"]): readonly string[] {
  return [...new Set(FAMILIES.flatMap((family) => underlays[family]?.name ?? []))];
}
