import type { PersistentVolume } from "#kube/generated/types";

const ZONE = "topology.kubernetes.io/zone";
const REGION = "topology.kubernetes.io/region";
const OLD: Readonly<Record<string, string>> = {
  "failure-domain.beta.kubernetes.io/zone": ZONE,
  "failure-domain.beta.kubernetes.io/region": REGION,
};
const KEYS = [ZONE, REGION, ...Object.keys(OLD)];

type Labels = Readonly<Record<string, string>>;

/** Whether the zones and regions a volume's labels name (several are joined by `__`) include the node's. A node that says nothing
 *  of where it is takes any volume. */
export function isInZone({ metadata }: PersistentVolume, node: Labels): boolean {
  if (!KEYS.some((key) => node[key] !== undefined)) return true;
  return KEYS.every((key) => {
    const wanted = metadata.labels?.[key];
    return wanted === undefined || wanted.split("__").includes(placeOf(node, key) ?? "");
  });
}

/** The node's label of that name, or of its other generation. */
function placeOf(node: Labels, key: string): string | undefined {
  const other = OLD[key] ?? Object.keys(OLD).find((old) => OLD[old] === key) ?? key;
  return node[key] ?? node[other];
}
