import { formatQuantity, parseQuantity, type Quantity } from "#kube/quantity";

/** When the node begins to end pods: a quantity or a share of the capacity that must stay free. */
export interface EvictionThresholds {
  readonly memory?: string;
  readonly disk?: string;
}

export interface Reservations {
  /** For the node's own programs, by resource name: those of Kubernetes, and all others. */
  readonly kube?: Readonly<Record<string, string>>;
  readonly system?: Readonly<Record<string, string>>;
  readonly evictionHard?: EvictionThresholds;
}

/** As K3s sets it: room on the disk, none of the memory. */
export const DEFAULT_EVICTION: EvictionThresholds = { disk: "5%" };

/** What pods may ask for: the capacity without what is reserved and without what must stay free. @see kubelet cm/node_container_manager_linux.go */
export function allocatableOf(
  capacity: Readonly<Record<string, string>>,
  { kube = {}, system = {}, evictionHard = DEFAULT_EVICTION }: Reservations,
): Record<string, string> {
  const kept: Readonly<Record<string, string | undefined>> = {
    memory: evictionHard.memory,
    "ephemeral-storage": evictionHard.disk,
  };
  return Object.fromEntries(
    Object.entries(capacity).map(([name, text]) => {
      const whole = parseQuantity(text);
      if (!whole) return [name, text];
      const taken = [kube[name], system[name]].map((quantity) => nanosOf(quantity));
      const left = whole.nanos - taken.reduce((sum, nanos) => sum + nanos, threshold(kept[name], whole));
      return [name, formatQuantity({ ...whole, nanos: left > 0n ? left : 0n })];
    }),
  );
}

/** A share is of whole units, and a float of 32 bits, as the kubelet reckons it. */
function threshold(text: string | undefined, { nanos }: Quantity): bigint {
  const percent = text === undefined ? undefined : /^([\d.]+)%$/.exec(text)?.[1];
  if (percent === undefined) return nanosOf(text);
  const share = Math.fround(Math.fround(Number(percent)) / 100);
  return BigInt(Math.trunc((Number(nanos) / 1e9) * share)) * 1_000_000_000n;
}

function nanosOf(quantity: string | undefined): bigint {
  return (quantity === undefined ? undefined : parseQuantity(quantity))?.nanos ?? 0n;
}
