/** `rp_filter`: a strict machine drops a packet whose answer would leave by another device. While nodes change from one backend
 *  to another, or reach some peers directly and others by tunnel, the two directions may differ for a moment. */
import { FAMILIES } from "#addr/family";
import { CLAIMS } from "#kernel/claims";
import type { NetKernel } from "#kernel/kernel";
import type { FabricKind, Ground, ReversePath } from "./model.ts";
import { readSetting } from "./observe.ts";
import type { PathChoice } from "./paths.ts";

const STRICT = "1";
/** Any route back will do. */
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
  const underlays = new Set(FAMILIES.flatMap((family) => ground.underlays[family]?.name ?? []));
  const settings = new Map<string, string>();
  for (const device of strict)
    if (isMixed || !underlays.has(device)) settings.set(reversePathSetting(device), LOOSE);
  if (!isMixed) for (const [device, found] of loosened) settings.set(reversePathSetting(device), found);
  return settings;
}

/** Whether a device with this setting of its own would be strict: the larger of the two counts. */
export function isStrict(kernel: Pick<NetKernel, "sysctl">, device: string): boolean {
  const [all, own] = ["all", device].map((name) => readSetting(kernel, reversePathSetting(name)));
  return own !== undefined && own !== LOOSE && all !== LOOSE && (own === STRICT || all === STRICT);
}

/** Remembers what underlays had, for as long as this process runs. */
export class ReversePathWatch {
  readonly #found = new Map<string, string>();

  look(kernel: Pick<NetKernel, "sysctl">, underlays: Ground["underlays"]): ReversePath {
    const own = new Set(FAMILIES.flatMap((family) => underlays[family]?.name ?? []));
    const devices = [
      ...own,
      ...Object.values(CLAIMS.devices.vxlan),
      ...Object.values(CLAIMS.devices.wireguard),
    ];
    const strict = new Set(devices.filter((device) => isStrict(kernel, device)));
    for (const device of own) {
      const setting = readSetting(kernel, reversePathSetting(device));
      if (strict.has(device) && setting !== undefined) this.#found.set(device, setting);
      // Somebody else's choice by now.
      else if (setting !== LOOSE) this.#found.delete(device);
    }
    const loosened = new Map([...this.#found].filter(([device]) => !strict.has(device)));
    return { strict, loosened };
  }
}
