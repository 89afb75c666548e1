import { isApiFault } from "#kube/api-fault";
import type { Node } from "#kube/generated/types";
import { NODES } from "#kube/resources";
import { type ControllerContext, openQueue } from "../context.ts";

const TTL = "node.alpha.kubernetes.io/ttl";
/** From how many nodes on (and down to how many) kubelets may keep secrets and config maps for how many seconds. */
const STEPS = [
  { up: 0, down: 0, seconds: 0 },
  { up: 100, down: 90, seconds: 15 },
  { up: 500, down: 450, seconds: 30 },
  { up: 1000, down: 900, seconds: 60 },
  { up: 2000, down: 1800, seconds: 300 },
];
/** Stable labels and the older names some still select by. */
const TWINS = [
  ["kubernetes.io/os", "beta.kubernetes.io/os"],
  ["kubernetes.io/arch", "beta.kubernetes.io/arch"],
] as const;

/** Tells kubelets, by an annotation, how long they may keep what they read, which grows with the number of nodes; and keeps the older names
 *  of two labels equal to the new ones. */
export function runNodeAnnotations(context: ControllerContext): void {
  const { nodes } = context.informers;
  const lifetime = new CacheLifetime();
  const queue = openQueue(context, "node-annotations", {
    workers: 4,
    work: (name) => sync(context, nodes.get(name), lifetime.seconds),
  });
  nodes.subscribe((change) => {
    const before = lifetime.seconds;
    lifetime.observe(nodes.list().length);
    if (change.type !== "removed") queue.add(change.key);
    if (lifetime.seconds !== before) for (const { metadata } of nodes.list()) queue.add(metadata.name);
  });
}

/** How long kubelets may keep things; a number of nodes that goes up and down a little changes nothing. */
export class CacheLifetime {
  #step = 0;

  get seconds(): number {
    return STEPS[this.#step]?.seconds ?? 0;
  }

  observe(nodes: number): void {
    while (nodes > (STEPS[this.#step + 1]?.up ?? Number.POSITIVE_INFINITY)) this.#step++;
    while (this.#step > 0 && nodes < (STEPS[this.#step]?.down ?? 0)) this.#step--;
  }
}

async function sync(
  { client }: ControllerContext,
  node: Node | undefined,
  seconds: number,
): Promise<undefined> {
  if (node === undefined) return;
  const { name, uid, annotations, labels = {} } = node.metadata;
  const annotation =
    annotations?.[TTL] === String(seconds) ? {} : { annotations: { [TTL]: String(seconds) } };
  const twins = TWINS.flatMap(([stable, old]) => {
    const value = labels[stable];
    return value === undefined || labels[old] === value ? [] : [[old, value] as const];
  });
  const label = twins.length === 0 ? {} : { labels: Object.fromEntries(twins) };
  if (Object.keys(annotation).length + twins.length === 0) return;
  try {
    await client.patch(NODES, { name }, { metadata: { uid, ...annotation, ...label } }, { type: "merge" });
  } catch (error) {
    if (!isApiFault(error, "NotFound")) throw error;
  }
}
