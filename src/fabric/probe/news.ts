import type { Fault } from "#fault/fault";
import type { Logger } from "#telemetry/log";
import { type ProbeTarget, targetKey } from "./model.ts";

/** Silent so often in a row, the first time for half a minute, a peer is worth a line. */
const SILENCES_TOLD = 4;

/** Tells an operator what probes have found: each thing once, and when it is over. */
export class News {
  readonly #log: Logger;
  readonly #silent = new Set<string>();
  readonly #narrow = new Map<string, number>();
  #isUnable = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** `silences`: how often in a row it has not answered. */
  tellReach(target: ProbeTarget, silences: number): void {
    const { node, family, kind, device, to, underlay } = target;
    const key = targetKey(target);
    const about = { node, family, kind, device };
    if (silences >= SILENCES_TOLD && !this.#silent.has(key)) {
      this.#silent.add(key);
      this.#log.warn("a node does not answer through the pod network, so its pods may be out of reach", {
        ...about,
        asked: to.join(", "),
        tunnelTo: underlay,
      });
    } else if (silences === 0 && this.#silent.delete(key)) {
      this.#log.info("a node answers through the pod network again", about);
    }
  }

  /** `fits`: what gets there and back, in bytes. `knownBytes`: what the kernel believes of the way that carries the tunnel. */
  tellMtu(target: ProbeTarget, fits: number, knownBytes: () => number): void {
    const { node, family, kind, device, mtuBytes } = target;
    const key = targetKey(target);
    const about = { node, family, kind, device };
    if (fits >= mtuBytes) {
      if (this.#narrow.delete(key))
        this.#log.info("the way to a node carries whole packets again", { ...about, mtuBytes });
      return;
    }
    if (this.#narrow.get(key) === fits) return;
    this.#narrow.set(key, fits);
    this.#log.warn(
      `the way to a node carries ${fits} bytes through ${device}, and pods use up to ${mtuBytes}: connections that send more hang`,
      {
        ...about,
        carriesBytes: fits,
        mtuBytes,
        kernelBelievesBytes: knownBytes(),
        todo: advice(target, fits),
      },
    );
  }

  tellUnable(fault: Fault): void {
    if (this.#isUnable) return;
    this.#isUnable = true;
    this.#log.warn("ways to other nodes cannot be tried out", { error: fault });
  }
}

/** Flannel's MTU option counts the tunnel's own bytes in for VXLAN, and not for WireGuard. */
function advice({ kind, family }: ProbeTarget, fits: number): string {
  const mend = "mend the links between the nodes";
  if (kind === "host-gw") return mend;
  const mtu = kind === "vxlan" ? fits + (family === 4 ? 50 : 70) : fits;
  return `${mend}, or set "MTU": ${mtu} under "Backend" in the file of --flannel-conf on every node`;
}
