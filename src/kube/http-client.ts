import { ApiFault, describeTarget, isApiFault, reasonOf } from "./api-fault.ts";
import type {
  DeleteOptions,
  KubeClient,
  List,
  ListOptions,
  PatchOptions,
  PatchType,
  ScaleView,
  ServedResource,
  WriteOptions,
} from "./client.ts";
import { discoverResources } from "./discovery.ts";
import type { ListMeta, Status } from "./generated/types.ts";
import { splitLines } from "./line-splitter.ts";
import { apiVersionOf, type KubeObject, type ObjectRef, type Resource, type WatchEvent } from "./object.ts";
import { collectionPath, objectPath, query, selectorQuery } from "./paths.ts";
import { type ClientOptions, Transport } from "./transport.ts";

export type { ClientOptions } from "./transport.ts";

const PAGE = 1000;
const MAX_EVENT_BYTES = 16 * 1024 * 1024;
/** Ends quiet watches now and then so that connections follow load balancers; the next one resumes where this one ended. */
const WATCH_SECONDS = 480;

const PATCH_MEDIA: Readonly<Record<PatchType, string>> = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
};

interface ListBody<T> {
  readonly metadata: ListMeta;
  readonly items: readonly T[] | null;
}
type Watching = ListOptions & { resourceVersion: string; signal: AbortSignal };

/** A client of any Kubernetes API over HTTPS. Nothing is sent before the first call; disposing closes every connection. */
export function openClient(options: ClientOptions): KubeClient & AsyncDisposable {
  return new HttpClient(new Transport(options));
}

class HttpClient implements KubeClient, AsyncDisposable {
  readonly #http: Transport;

  constructor(http: Transport) {
    this.#http = http;
  }

  get<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef): Promise<T> {
    const what = `get ${describeTarget(resource, ref)}`;
    return this.#http.json<T>({ method: "GET", path: objectPath(resource, ref), what });
  }

  async list<T extends KubeObject>(resource: Resource<T>, options: ListOptions = {}): Promise<List<T>> {
    try {
      return await this.#pages(resource, options, PAGE);
    } catch (error) {
      // The snapshot behind the pages is gone: one unpaged list is consistent by itself.
      if (isApiFault(error, "Expired", "Gone")) return this.#pages(resource, options, undefined);
      throw error;
    }
  }

  async *watch<T extends KubeObject>(
    resource: Resource<T>,
    options: Watching,
  ): AsyncGenerator<WatchEvent<T>> {
    const what = `watch ${describeTarget(resource, { namespace: options.namespace })}`;
    const path = watchPath(resource, options);
    try {
      const source = await this.#http.stream(path, what, options.signal);
      for await (const line of splitLines(source, { maxBytes: MAX_EVENT_BYTES }))
        yield decodeEvent<T>(line, what);
    } catch (error) {
      if (options.signal.aborted || isSilence(error)) return;
      throw error instanceof ApiFault ? error : this.#http.unreachable(what, error);
    }
  }

  create<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    { subresource, fieldManager }: WriteOptions = {},
  ): Promise<T> {
    const { name, namespace } = object.metadata;
    const path =
      subresource === undefined
        ? collectionPath(resource, namespace)
        : objectPath(resource, { namespace, name }, subresource);
    const what = `create ${describeTarget(resource, object.metadata)}`;
    return this.#http.json<T>({
      method: "POST",
      path: path + query({ fieldManager }),
      body: outgoing(resource, object),
      what,
    });
  }

  replace<T extends KubeObject>(resource: Resource<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const path = objectPath(resource, object.metadata, options.subresource);
    const what = `update ${describeTarget(resource, object.metadata)}`;
    return this.#http.json<T>({
      method: "PUT",
      path: path + query({ fieldManager: options.fieldManager }),
      body: outgoing(resource, object),
      what,
    });
  }

  patch<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    patch: unknown,
    options: PatchOptions,
  ): Promise<T> {
    const force = options.force ? "true" : undefined;
    return this.#http.json<T>({
      method: "PATCH",
      path:
        objectPath(resource, ref, options.subresource) + query({ fieldManager: options.fieldManager, force }),
      body: patch,
      contentType: PATCH_MEDIA[options.type],
      what: `patch ${describeTarget(resource, ref)}`,
    });
  }

  async delete<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    options: DeleteOptions = {},
  ): Promise<void> {
    const { uid, resourceVersion, ...rest } = options;
    const preconditions = { ...(uid ? { uid } : {}), ...(resourceVersion ? { resourceVersion } : {}) };
    const body = {
      apiVersion: "v1",
      kind: "DeleteOptions",
      ...rest,
      ...(Object.keys(preconditions).length > 0 ? { preconditions } : {}),
    };
    const what = `delete ${describeTarget(resource, ref)}`;
    try {
      await this.#http.json({ method: "DELETE", path: objectPath(resource, ref), body, what });
    } catch (error) {
      if (!isApiFault(error, "NotFound")) throw error;
    }
  }

  async deleteAll(resource: Resource, { namespace }: { readonly namespace: string }): Promise<void> {
    const body = { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Background" };
    const what = `delete all ${describeTarget(resource, { namespace })}`;
    await this.#http.json({ method: "DELETE", path: collectionPath(resource, namespace), body, what });
  }

  scale(resource: Resource, ref: ObjectRef): Promise<ScaleView> {
    const what = `get the scale of ${describeTarget(resource, ref)}`;
    return this.#http.json<ScaleView>({ method: "GET", path: objectPath(resource, ref, "scale"), what });
  }

  async bind(pod: ObjectRef & { uid: string }, nodeName: string): Promise<void> {
    const { namespace = "default", name, uid } = pod;
    await this.#http.json({
      method: "POST",
      path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}/binding`,
      body: {
        apiVersion: "v1",
        kind: "Binding",
        metadata: { namespace, name, uid },
        target: { apiVersion: "v1", kind: "Node", name: nodeName },
      },
      what: `bind pods "${namespace}/${name}" to ${nodeName}`,
    });
  }

  resources(): Promise<readonly ServedResource[]> {
    return discoverResources((path) =>
      this.#http.json({ method: "GET", path, what: `read the API's resource list ${path}` }),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#http[Symbol.asyncDispose]();
  }

  async #pages<T extends KubeObject>(
    resource: Resource<T>,
    options: ListOptions,
    limit: number | undefined,
  ): Promise<List<T>> {
    const kind = { apiVersion: apiVersionOf(resource), kind: resource.kind };
    const what = `list ${describeTarget(resource, { namespace: options.namespace })}`;
    const items: T[] = [];
    let next: string | undefined;
    for (;;) {
      const parameters = { ...selectorQuery(options), limit: limit?.toString(), continue: next };
      const path = collectionPath(resource, options.namespace) + query(parameters);
      const page = await this.#http.json<ListBody<T>>({ method: "GET", path, what });
      // Items of a list come without these two; readers should not have to know where an object came from.
      for (const item of page.items ?? []) items.push(Object.assign(item, { ...kind, ...item }));
      next = page.metadata.continue || undefined;
      if (next === undefined) return { items, resourceVersion: page.metadata.resourceVersion ?? "" };
    }
  }
}

function watchPath(resource: Resource, options: Watching): string {
  const parameters = {
    ...selectorQuery(options),
    watch: "true",
    allowWatchBookmarks: "true",
    resourceVersion: options.resourceVersion,
    timeoutSeconds: String(WATCH_SECONDS),
  };
  return collectionPath(resource, options.namespace) + query(parameters);
}

/** The object as a body: with its type, and without the empty name that stands for "generate one". */
function outgoing<T extends KubeObject>(resource: Resource<T>, object: T): unknown {
  const { name, ...metadata } = object.metadata;
  return {
    ...object,
    apiVersion: object.apiVersion ?? apiVersionOf(resource),
    kind: object.kind ?? resource.kind,
    metadata: name === "" ? metadata : object.metadata,
  };
}

function decodeEvent<T extends KubeObject>(line: string, what: string): WatchEvent<T> {
  const event = parseEvent(line, what);
  switch (event.type) {
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
      return { type: event.type, object: event.object as T };
    case "BOOKMARK":
      return {
        type: "BOOKMARK",
        resourceVersion: (event.object as KubeObject).metadata.resourceVersion ?? "",
      };
    default: {
      const body = event.object as Status;
      const status = body.code ?? 500;
      throw new ApiFault(reasonOf(status, body), `Cannot ${what}: ${body.message ?? event.type}`, {
        status,
        body,
      });
    }
  }
}

function parseEvent(line: string, what: string): { type: string; object: unknown } {
  try {
    return JSON.parse(line) as { type: string; object: unknown };
  } catch (error) {
    throw new ApiFault("Unknown", `Cannot ${what}: an event is not JSON`, { cause: error });
  }
}

function isSilence(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "UND_ERR_BODY_TIMEOUT";
}
