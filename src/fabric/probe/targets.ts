import { addressOf } from "#addr/cidr";
import { addToIp } from "#addr/ip";
import { CLAIMS } from "#kernel/claims";
import type { Netlink } from "#kernel/kernel";
import type { Path } from "../model.ts";
import type { Standing } from "../own-ends.ts";
import type { ProbeTarget } from "./model.ts";
import type { ProbeWork } from "./prober.ts";

/** What there is to try of the paths that stand. */
export function probeWork(
  { choice, state: { routes } }: Pick<Standing, "choice" | "state">,
  { findLink }: Pick<Netlink, "findLink">,
): ProbeWork {
  const mtus = new Map<string, number | undefined>();
  const mtuOf = (device: string) => {
    if (!mtus.has(device)) mtus.set(device, findLink(device)?.mtuBytes);
    return mtus.get(device);
  };
  const targets = choice.paths.flatMap((path) => {
    const device = routes.get(path.podCidr)?.device;
    const mtuBytes = device === undefined ? undefined : mtuOf(device);
    return device === undefined || mtuBytes === undefined ? [] : [targetOf(path, device, mtuBytes)];
  });
  return { devices: Object.values(CLAIMS.devices.vxlan), targets };
}

function targetOf(path: Path, device: string, mtuBytes: number): ProbeTarget {
  const { node, family, kind, podCidr, end } = path;
  const tunnelEnd = addressOf(podCidr);
  return {
    node,
    family,
    kind,
    device,
    // A node without a tunnel has its pods' gateway instead, once it has pods.
    to: kind === "host-gw" ? [addToIp(tunnelEnd, 1), end.publicIp] : [tunnelEnd],
    underlay: end.publicIp,
    mtuBytes,
  };
}
