import type { PersistentVolume, Pod, VolumeAttachment } from "#kube/generated/types";
import type { KubeObject, Resource } from "#kube/object";
import { PERSISTENT_VOLUMES, PODS, VOLUME_ATTACHMENTS } from "#kube/resources";
import type { Stored } from "../cache/stored.ts";
import type { World } from "../cache/world.ts";
import { podReferences, type Reference, volumeSecrets } from "./pod-references.ts";

/** The nodes that may read an object, each with how many of their pods refer to it. */
type Readers = Map<string, number>;

/** Which nodes have to do with an object, because a pod that runs there refers to it. Kept in step with the caches of pods, volumes and attachments:
 *  a question costs a look into a map. @see kubernetes plugin/pkg/auth/authorizer/node/graph.go */
export class NodeGraph {
  readonly #readers = new Map<string, Readers>();
  /** Claims (`namespace/name`) whose volumes use a secret, by the secret's key. */
  readonly #claimsOfSecret = new Map<string, Map<string, number>>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    this.#follow(PODS, pods, (edge, by) => count(this.#readers, edge.key, edge.value, by));
    this.#follow(VOLUME_ATTACHMENTS, attachments, (edge, by) =>
      count(this.#readers, edge.key, edge.value, by),
    );
    this.#follow(PERSISTENT_VOLUMES, volumes, (edge, by) =>
      count(this.#claimsOfSecret, edge.key, edge.value, by),
    );
  }

  /** Whether a pod on the node leads to the object. */
  reaches(node: string, { kind, namespace, name }: Reference): boolean {
    if (kind === "persistentvolume") {
      const claim = this.#world.read(PERSISTENT_VOLUMES, undefined, name)?.spec?.claimRef;
      if (claim?.name === undefined) return false;
      return this.#isReader(
        node,
        keyOf({ kind: "persistentvolumeclaim", namespace: claim.namespace, name: claim.name }),
      );
    }
    const key = keyOf({ kind, namespace, name });
    if (this.#isReader(node, key)) return true;
    if (kind !== "secret") return false;
    const claims = this.#claimsOfSecret.get(key)?.keys() ?? [];
    return [...claims].some((claim) => this.#isReader(node, claim));
  }

  #isReader(node: string, key: string): boolean {
    return this.#readers.get(key)?.has(node) ?? false;
  }

  /** Adds the edges of every object that there is and will be, and takes them away with it. */
  #follow<T extends KubeObject>(
    resource: Resource<T>,
    { edges, signature }: Kind<T>,
    apply: (edge: Edge, by: 1 | -1) => void,
  ): void {
    const cache = this.#world.cacheOf(resource.group, resource.plural);
    if (cache === undefined) return;
    const known = new Map<string, string>();
    // The cache of a resource holds its objects.
    const change = (stored: Stored | undefined, by: 1 | -1) => {
      if (stored !== undefined) for (const edge of edges(stored.object as T)) apply(edge, by);
    };
    // Read from the text, so that ten thousand pods are not held as objects all at once.
    const read = (stored: Stored) => stored.draft() as unknown as T;
    for (const stored of cache.list("")) {
      const object = read(stored);
      known.set(stored.key, signature(object));
      for (const edge of edges(object)) apply(edge, 1);
    }
    cache.subscribe({
      deliver: ({ key, before, after }) => {
        const now = after === undefined ? undefined : signature(after.object as T);
        if (now !== undefined && known.get(key) === now) return;
        if (now === undefined) known.delete(key);
        else known.set(key, now);
        change(after, 1);
        change(before, -1);
      },
    });
  }
}

/** How a kind of object leads to others, and a short text that stays the same for as long as its edges do. */
interface Kind<T> {
  readonly edges: (object: T) => readonly Edge[];
  readonly signature: (object: T) => string;
}

interface Edge {
  /** What is referred to. */
  readonly key: string;
  /** From where: a node, or a claim. */
  readonly value: string;
}

/** Of a pod's references only its debugging containers can change once it has a node; most changes are to its status. */
const pods: Kind<Pod> = {
  edges: (pod) => {
    const node = pod.spec?.nodeName;
    if (!node) return [];
    return podReferences(pod).map((reference) => ({ key: keyOf(reference), value: node }));
  },
  signature: ({ metadata, spec }) =>
    `${metadata.uid} ${spec?.nodeName ?? ""} ${spec?.ephemeralContainers?.length ?? 0}`,
};

const attachments: Kind<VolumeAttachment> = {
  edges: ({ metadata, spec }) => [
    {
      key: keyOf({ kind: "volumeattachment", namespace: undefined, name: metadata.name }),
      value: spec.nodeName,
    },
  ],
  signature: ({ spec }) => spec.nodeName,
};

const volumes: Kind<PersistentVolume> = {
  edges: (volume) => {
    const claim = volume.spec?.claimRef;
    if (claim?.name === undefined) return [];
    const value = keyOf({ kind: "persistentvolumeclaim", namespace: claim.namespace, name: claim.name });
    return volumeSecrets(volume, claim.namespace ?? "").map((secret) => ({ key: keyOf(secret), value }));
  },
  signature: ({ spec }) => JSON.stringify(spec ?? {}),
};

function keyOf({ kind, namespace = "", name }: Reference): string {
  return `${kind}:${namespace}/${name}`;
}

function count(into: Map<string, Map<string, number>>, key: string, value: string, by: 1 | -1): void {
  const counts = into.get(key) ?? new Map<string, number>();
  const next = (counts.get(value) ?? 0) + by;
  if (next > 0) counts.set(value, next);
  else counts.delete(value);
  if (counts.size > 0) into.set(key, counts);
  else into.delete(key);
}
