import type { ServedResource } from "#kube/client";
import type { Informer } from "#kube/informer";
import type { KubeObject } from "#kube/object";
import { apiVersionOf } from "#kube/object";
import { openInformer } from "#kube/open-informer";
import type { ControllerContext } from "../context.ts";

export type Sighting =
  | { readonly type: "seen"; readonly resource: ServedResource; readonly object: KubeObject }
  | { readonly type: "gone"; readonly resource: ServedResource; readonly object: KubeObject }
  /** Nobody tells of it any more: it may be there or not. */
  | { readonly type: "lost"; readonly resource: ServedResource; readonly object: KubeObject };

/** How long a new copy may take to be complete before the others go on without it. */
const SYNC_MS = 30_000;
const VERBS = ["delete", "list", "watch"];

/** Copies that the other controllers keep anyway, whole ones only. */
function sharedInformers({ informers }: ControllerContext): ReadonlyMap<string, SharedInformer> {
  return new Map<string, SharedInformer>([
    ["v1/pods", informers.pods],
    ["v1/nodes", informers.nodes],
    ["v1/namespaces", informers.namespaces],
    ["v1/services", informers.services],
    ["apps/v1/deployments", informers.deployments],
    ["apps/v1/replicasets", informers.replicaSets],
    ["apps/v1/daemonsets", informers.daemonSets],
    ["apps/v1/controllerrevisions", informers.revisions],
    ["discovery.k8s.io/v1/endpointslices", informers.endpointSlices],
  ]);
}

type SharedInformer = Pick<Informer<KubeObject>, "subscribe" | "synced" | "isSynced" | "list">;

interface Monitor {
  readonly resource: ServedResource;
  readonly stop: () => void;
  readonly informer: SharedInformer;
}

/** A live copy of everything that can own or be owned, following what the server serves. */
export class Monitors {
  readonly #context: ControllerContext;
  readonly #monitors = new Map<string, Monitor>();
  readonly #hear: (sighting: Sighting) => void;
  readonly #shared: ReadonlyMap<string, SharedInformer>;

  constructor(context: ControllerContext, hear: (sighting: Sighting) => void) {
    this.#context = context;
    this.#hear = hear;
    this.#shared = sharedInformers(context);
  }

  /** Asks the server what it serves, opens what is new and closes what is gone. @throws {ApiFault} */
  async refresh(): Promise<void> {
    const served = await this.#context.client.resources();
    const wanted = new Map(
      served.filter(isWatchable).map((resource) => [keyOf(resource), resource] as const),
    );
    for (const [key, monitor] of this.#monitors) {
      if (wanted.has(key)) continue;
      monitor.stop();
      this.#monitors.delete(key);
      const { resource } = monitor;
      for (const object of monitor.informer.list()) this.#hear({ type: "lost", resource, object });
    }
    for (const [key, resource] of wanted) if (!this.#monitors.has(key)) this.#open(key, resource);
  }

  /** Resolves to whether every copy is complete; waits half a minute at most, for a resource may go away before it was ever listed. */
  async whenSynced(): Promise<boolean> {
    const { clock, signal } = this.#context;
    const cancel = new AbortController();
    const all = Promise.all([...this.#monitors.values()].map(({ informer }) => informer.synced));
    const late = clock.sleep(SYNC_MS, { signal: AbortSignal.any([signal, cancel.signal]) });
    await Promise.race([all, late.catch(() => {})]).finally(() => cancel.abort());
    return [...this.#monitors.values()].every(({ informer }) => informer.isSynced);
  }

  /** The resource of that kind, whatever version a reference names; undefined when nobody serves it. */
  find(apiVersion: string, kind: string): ServedResource | undefined {
    const slash = apiVersion.indexOf("/");
    const group = slash < 0 ? "" : apiVersion.slice(0, slash);
    for (const { resource } of this.#monitors.values())
      if (resource.group === group && resource.kind === kind) return resource;
    return undefined;
  }

  #open(key: string, resource: ServedResource): void {
    const shared = this.#shared.get(key);
    const stop = new AbortController();
    const informer = shared ?? this.#openInformer(resource, stop.signal);
    const leave = informer.subscribe((change) => {
      if (change.type === "removed") this.#hear({ type: "gone", resource, object: change.before });
      else this.#hear({ type: "seen", resource, object: change.object });
    });
    const close = () => {
      leave();
      stop.abort();
    };
    this.#monitors.set(key, { resource, stop: close, informer });
  }

  #openInformer(resource: ServedResource, stop: AbortSignal): SharedInformer {
    const { client, clock, log, signal } = this.#context;
    return openInformer<KubeObject>(client, resource, {
      clock,
      log,
      signal: AbortSignal.any([signal, stop]),
      keep: ownership,
    });
  }
}

/** Who an object is and whose: all the collector looks at. */
function ownership({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { managedFields: _managed, annotations: _notes, labels: _labels, ...rest } = metadata;
  return { apiVersion, kind, metadata: rest };
}

function isWatchable({ plural, group, verbs }: ServedResource): boolean {
  const isEvents = plural === "events" && (group === "" || group === "events.k8s.io");
  return !isEvents && VERBS.every((verb) => verbs.includes(verb));
}

function keyOf(resource: ServedResource): string {
  return `${apiVersionOf(resource)}/${resource.plural}`;
}
