import type { KubeClient } from "#kube/client";
import type { ConfigMap, Pod, Secret } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import type { KubeObject, Resource } from "#kube/object";
import { openInformer } from "#kube/open-informer";
import { CONFIG_MAPS, SECRETS } from "#kube/resources";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";

/** Released objects are watched a little longer: the next pod of a Deployment asks for the same ones. */
const LINGER_MS = 30_000;

export interface ReferenceOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Hears which pods (by uid) refer to an object that changed. */
  readonly onChange: (podUids: readonly string[]) => void;
}

interface Watched {
  readonly informer: Informer<KubeObject>;
  readonly stop: AbortController;
  readonly users: Set<string>;
  lingering: NodeJS.Timeout | undefined;
}

/** Live copies of the configMaps and secrets that pods of this node refer to, one watch for each object: the node may not list
 *  more than that. */
export class References {
  readonly #options: ReferenceOptions;
  readonly #watched = new Map<string, Watched>();

  constructor(options: ReferenceOptions) {
    this.#options = options;
    options.signal.addEventListener("abort", () => this.#stopAll(), { once: true });
  }

  /** Resolves once everything the pod refers to has been read (or found absent). */
  async retain(pod: Pod, options: { signal: AbortSignal }): Promise<void> {
    const uid = pod.metadata.uid ?? "";
    const namespace = pod.metadata.namespace ?? "";
    const wanted = new Map(referencesOf(pod).map((ref) => [keyOf(ref.resource, namespace, ref.name), ref]));
    for (const [key, watched] of this.#watched) if (!wanted.has(key)) this.#drop(key, watched, uid);
    const synced = [...wanted].map(([key, { resource, name }]) => {
      const watched = this.#watched.get(key) ?? this.#watch(key, resource, { namespace, name });
      clearTimeout(watched.lingering);
      watched.users.add(uid);
      return watched.informer.synced;
    });
    options.signal.throwIfAborted();
    await Promise.all(synced);
  }

  release(podUid: string): void {
    for (const [key, watched] of this.#watched) this.#drop(key, watched, podUid);
  }

  configMap(namespace: string, name: string): ConfigMap | undefined {
    return this.#find(CONFIG_MAPS, namespace, name);
  }

  secret(namespace: string, name: string): Secret | undefined {
    return this.#find(SECRETS, namespace, name);
  }

  #find<T extends KubeObject>(resource: Resource<T>, namespace: string, name: string): T | undefined {
    const watched = this.#watched.get(keyOf(resource, namespace, name));
    return watched?.informer.get(`${namespace}/${name}`) as T | undefined;
  }

  #watch(key: string, resource: Resource, ref: { namespace: string; name: string }): Watched {
    const { client, clock, log, signal, onChange } = this.#options;
    const stop = new AbortController();
    const informer = openInformer<KubeObject>(client, resource, {
      namespace: ref.namespace,
      fieldSelector: `metadata.name=${ref.name}`,
      clock,
      log,
      signal: AbortSignal.any([stop.signal, signal]),
    });
    const watched: Watched = { informer, stop, users: new Set(), lingering: undefined };
    informer.subscribe(() => onChange([...watched.users]));
    this.#watched.set(key, watched);
    return watched;
  }

  #drop(key: string, watched: Watched, podUid: string): void {
    if (!watched.users.delete(podUid) || watched.users.size > 0) return;
    watched.lingering = setTimeout(() => {
      watched.stop.abort();
      this.#watched.delete(key);
    }, LINGER_MS);
    watched.lingering.unref();
  }

  #stopAll(): void {
    for (const watched of this.#watched.values()) clearTimeout(watched.lingering);
    this.#watched.clear();
  }
}

interface Reference {
  readonly resource: Resource;
  readonly name: string;
}

function keyOf(resource: Resource, namespace: string, name: string): string {
  return `${resource.plural}/${namespace}/${name}`;
}

/** Every configMap and secret in a pod's volumes and environments, and those its images are pulled with. */
export function referencesOf(pod: Pod): readonly Reference[] {
  const out: Reference[] = [];
  const add = (resource: Resource, name: string | undefined) => {
    if (name) out.push({ resource, name });
  };
  for (const { name } of pod.spec?.imagePullSecrets ?? []) add(SECRETS, name);
  for (const volume of pod.spec?.volumes ?? []) {
    add(CONFIG_MAPS, volume.configMap?.name);
    add(SECRETS, volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) {
      add(CONFIG_MAPS, source.configMap?.name);
      add(SECRETS, source.secret?.name);
    }
  }
  for (const container of [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])]) {
    for (const from of container.envFrom ?? []) {
      add(CONFIG_MAPS, from.configMapRef?.name);
      add(SECRETS, from.secretRef?.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      add(CONFIG_MAPS, valueFrom?.configMapKeyRef?.name);
      add(SECRETS, valueFrom?.secretKeyRef?.name);
    }
  }
  return out;
}
