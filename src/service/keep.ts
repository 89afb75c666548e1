/** What of Services and EndpointSlices is kept in memory: all that routing, and telling of it, reads. */
import type { Endpoint, EndpointConditions, EndpointSlice, Service } from "#kube/generated/types";

/** Nothing here is remembered longer than the process lives: what is told apart is few. */
const MOST_WORDS = 10_000;

export function keepService(service: Service): Service {
  const { managedFields: _, ...metadata } = service.metadata;
  return { ...service, metadata };
}

/** One for all of a node's slices: names of nodes and zones, and conditions, are the same over and over. */
export function sliceKeeper(): (slice: EndpointSlice) => EndpointSlice {
  const words = new Map<string, string>();
  const conditions = new Map<string, EndpointConditions>();
  const word = (text: string) => oneOf(words, text, text);
  const keepEndpoint = (endpoint: Endpoint): Endpoint => {
    const { conditions: said, nodeName, zone, targetRef, deprecatedTopology: _, ...rest } = endpoint;
    return {
      ...rest,
      ...(said ? { conditions: oneOf(conditions, conditionsText(said), said) } : {}),
      ...(nodeName === undefined ? {} : { nodeName: word(nodeName) }),
      ...(zone === undefined ? {} : { zone: word(zone) }),
      ...(targetRef ? { targetRef: keepTarget(targetRef, word) } : {}),
    };
  };
  return (slice) => {
    const { managedFields: _, ownerReferences: __, generateName: ___, ...metadata } = slice.metadata;
    return { ...slice, metadata, endpoints: (slice.endpoints ?? []).map(keepEndpoint) };
  };
}

function keepTarget(
  { kind, name, namespace }: NonNullable<Endpoint["targetRef"]>,
  word: (text: string) => string,
) {
  return {
    ...(kind === undefined ? {} : { kind: word(kind) }),
    ...(name === undefined ? {} : { name }),
    ...(namespace === undefined ? {} : { namespace: word(namespace) }),
  };
}

function conditionsText({ ready, serving, terminating }: EndpointConditions): string {
  return `${ready} ${serving} ${terminating}`;
}

function oneOf<T>(known: Map<string, T>, key: string, value: T): T {
  const found = known.get(key);
  if (found !== undefined) return found;
  if (known.size < MOST_WORDS) known.set(key, value);
  return value;
}
