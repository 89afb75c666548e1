import type { Fault } from "#fault/fault";
import type { Logger } from "#telemetry/log";
import { OVERHEAD_BYTES } from "../overhead.ts";
import { type ProbeTarget, targetKey } from "./model.ts";

/** Silent so often in a row, the first time for half a minute, a peer is worth a line. */
const SILENCES_TOLD = 4;
/** So many ways that are silent at one time get a line each; of more only the number is told. */
const TOLD_BY_NAME = 10;

/** Tells an operator what probes have found: each thing once, and when it is over. */
export class News {
  readonly #log: Logger;
  readonly #silent = new Set<string>();
  readonly #split = new Set<string>();
  readonly #narrow = new Map<string, number>();
  /** How many were silent when many were told of last. */
  #manyTold = TOLD_BY_NAME;
  #isUnable = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Forgets the peers that are not among `keys`. */
  keepOnly(keys: Pick<ReadonlySet<string>, "has">): void {
    for (const told of [this.#silent, this.#narrow, this.#split])
      for (const key of told.keys()) if (!keys.has(key)) told.delete(key);
  }

  /** `silences`: how often in a row it has not answered. */
  tellReach(target: ProbeTarget, silences: number): void {
    const key = targetKey(target);
    if (silences >= SILENCES_TOLD && !this.#silent.has(key)) {
      this.#silent.add(key);
      this.#tellSilent(target);
    } else if (silences === 0 && this.#silent.delete(key)) {
      this.#tellBack(target);
    }
  }

  #tellSilent({ node, family, kind, device, to, underlay }: ProbeTarget): void {
    const count = this.#silent.size;
    if (count <= TOLD_BY_NAME) {
      this.#log.warn("a node does not answer through the pod network, so its pods may be out of reach", {
        ...{ node, family, kind, device },
        asked: to.join(", "),
        tunnelTo: underlay,
      });
    } else if (count >= 2 * this.#manyTold) {
      this.#manyTold = count;
      this.#log.warn("many nodes do not answer through the pod network: this node itself may be cut off", {
        count,
      });
    }
  }

  #tellBack({ node, family, kind, device }: ProbeTarget): void {
    if (this.#silent.size < TOLD_BY_NAME)
      this.#log.info("a node answers through the pod network again", { node, family, kind, device });
    if (this.#silent.size > 0) return;
    if (this.#manyTold > TOLD_BY_NAME) this.#log.info("every node answers through the pod network again");
    this.#manyTold = TOLD_BY_NAME;
  }

  /** `fits`: what gets there and back. `known`: what the kernel has learnt of the way that carries the tunnel. Both in bytes. */
  tellMtu(target: ProbeTarget, fits: number, known: number | undefined): void {
    const { node, family, kind, device, mtuBytes } = target;
    const key = targetKey(target);
    const about = { node, family, kind, device };
    this.#tellSplit(target, fits, known);
    if (fits >= mtuBytes) {
      if (this.#narrow.delete(key))
        this.#log.info("the way to a node carries whole packets again", { ...about, mtuBytes });
      return;
    }
    if (this.#narrow.get(key) === fits) return;
    this.#narrow.set(key, fits);
    this.#log.warn(
      `the way to a node carries ${fits} bytes through ${device}, whose MTU is ${mtuBytes}: connections that send more hang`,
      { ...about, carriesBytes: fits, mtuBytes, underlayBytes: known, todo: advice(target, fits) },
    );
  }

  /** What fits in spite of a narrow link was cut in two. */
  #tellSplit(target: ProbeTarget, fits: number, known: number | undefined): void {
    const { node, family, kind, device, underlay, mtuBytes } = target;
    const key = targetKey(target);
    const isSplit =
      known !== undefined && fits >= mtuBytes && mtuBytes + OVERHEAD_BYTES[kind][family] > known;
    if (!isSplit) this.#split.delete(key);
    if (!isSplit || this.#split.has(key)) return;
    this.#split.add(key);
    this.#log.warn("large packets to a node are cut in two on their way, which costs speed", {
      ...{ node, family, kind, device, tunnelTo: underlay },
      underlayBytes: known,
      todo: advice(target, known - OVERHEAD_BYTES[kind][family]),
    });
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
  const mtu = kind === "vxlan" ? fits + OVERHEAD_BYTES.vxlan[family] : fits;
  return `${mend}, or set "MTU": ${mtu} under "Backend" in the file of --flannel-conf on every node`;
}
