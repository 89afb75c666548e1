import { CLAIMS } from "#kernel/claims";
import type { Link, LinkPace, NetKernel } from "#kernel/kernel";
import { isRefusal } from "#kernel/netlink-error";
import { hostVethName } from "./cable.ts";
import { CniFault } from "./cni-fault.ts";
import type { AttachmentKey, Bandwidth } from "./model.ts";

const BITS = 8;
/** How long a packet waits at most before it is dropped, as with the bandwidth plugin. */
const LONGEST_WAIT_MS = 25;
/** Without a wish: what comes within this time may go at once, so that the pace holds over a tenth of a second. */
const BURST_MS = 50;
/** A segment that the network card would split comes in one piece. */
const LEAST_BURST_BYTES = 64 << 10;
const MOST_BYTES = 0xffff_ffff;
const LARGEST_BURST_BITS = 0x7fff_ffff;
/** The kernel keeps a burst as time, in 32 bits of 64 ns. */
const LONGEST_BURST_SECONDS = 270;
/** What a kernel without one of these answers: sch_tbf, ifb, sch_ingress, cls_u32, act_mirred. */
const LACKING = ["ENOENT", "EOPNOTSUPP"];

/** The device that what a container sends passes; from whose it is, as the cable's name. */
export function pacerName(key: AttachmentKey): string {
  return hostVethName(key).replace(CLAIMS.devices.vethPrefix, CLAIMS.devices.pacerPrefix);
}

export function isPacerName(name: string): boolean {
  return new RegExp(`^${CLAIMS.devices.pacerPrefix}[0-9a-f]{11}$`).test(name);
}

/** The cable whose outer end is `host` carries no more than this. To the pod: the outer end sends no faster. From the pod:
 *  what the outer end receives goes through a device of its own that sends no faster, out of the pod's reach.
 *  @throws {CniFault} "BadRequest", "Unsupported"; {NetlinkError} */
export function paceCable(kernel: NetKernel, host: Link, key: AttachmentKey, bandwidth: Bandwidth): void {
  const { ingress, egress } = pacesOf(bandwidth);
  try {
    if (ingress) kernel.netlink.paceLink(host.index, ingress);
    if (!egress) return;
    const { mtuBytes } = host;
    const pacer = kernel.netlink.addLink({ kind: "ifb", name: pacerName(key), mtuBytes, isUp: true });
    kernel.netlink.paceLink(pacer.index, egress);
    kernel.netlink.redirectReceived(host.index, pacer.index);
  } catch (error) {
    if (!isRefusal(error, ...LACKING)) throw error;
    throw new CniFault(
      "Unsupported",
      `Cannot limit the bandwidth of container ${key.containerId}: this kernel lacks one of sch_tbf, ifb, sch_ingress, cls_u32 and act_mirred (${error.message})`,
    );
  }
}

/** Cables and their pacers are gone, the inner ends with the outer ones; absent is success. */
export function pullCables(kernel: NetKernel, keys: readonly AttachmentKey[]): void {
  const { netlink } = kernel;
  const links = keys
    .flatMap((key) => [hostVethName(key), pacerName(key)])
    .map((name) => netlink.findLink(name)?.index)
    .filter((index) => index !== undefined);
  const [only, ...more] = links;
  if (only !== undefined && more.length === 0) netlink.deleteLink(only);
  else netlink.deleteLinks(links);
}

/** @throws {CniFault} "BadRequest" */
export function pacesOf(bandwidth: Bandwidth): {
  ingress: LinkPace | undefined;
  egress: LinkPace | undefined;
} {
  return {
    ingress: paceOf(bandwidth.ingressBits, bandwidth.ingressBurstBits),
    egress: paceOf(bandwidth.egressBits, bandwidth.egressBurstBits),
  };
}

function paceOf(bits: number | undefined, burstBits: number | undefined): LinkPace | undefined {
  if (bits === undefined) return undefined;
  const bytesPerSecond = Math.floor(bits / BITS);
  if (!Number.isSafeInteger(bits) || bytesPerSecond < 1)
    throw new CniFault("BadRequest", `Cannot limit bandwidth to ${bits} bits a second`);
  const burstBytes = burstOf(bytesPerSecond, burstBits);
  const queueBytes = Math.min(Math.ceil((bytesPerSecond * LONGEST_WAIT_MS) / 1000) + burstBytes, MOST_BYTES);
  return { bytesPerSecond, burstBytes, queueBytes };
}

/** containerd, which is told a rate only, asks for the largest burst that there is: a pod that sends half a gigabyte before it is
 *  held back is not limited. @throws {CniFault} "BadRequest" */
function burstOf(bytesPerSecond: number, burstBits: number | undefined): number {
  const isSaid = burstBits !== undefined && burstBits < LARGEST_BURST_BITS;
  const wanted = isSaid
    ? Math.floor(burstBits / BITS)
    : Math.max(Math.ceil((bytesPerSecond * BURST_MS) / 1000), LEAST_BURST_BYTES);
  if (wanted < 1)
    throw new CniFault(
      "BadRequest",
      `Cannot limit bandwidth with bursts of ${burstBits} bits: less than a byte`,
    );
  return Math.min(wanted, bytesPerSecond * LONGEST_BURST_SECONDS, MOST_BYTES);
}
