import type { EndpointSlice } from "#kube/generated/types";

/** The label by which a slice names its service. */
export const SERVICE_NAME = "kubernetes.io/service-name";

/** EndpointSlices by the `namespace/name` of the service they belong to. */
export class SliceIndex {
  readonly #byService = new Map<string, Map<string, EndpointSlice>>();
  readonly #serviceOf = new Map<string, string>();

  of(service: string): readonly EndpointSlice[] {
    return [...(this.#byService.get(service)?.values() ?? [])];
  }

  /** Files the slice anew, or takes it out. @returns the services it belongs or belonged to */
  put(key: string, slice: EndpointSlice | undefined): ReadonlySet<string> {
    const touched = new Set<string>();
    const before = this.#serviceOf.get(key);
    const name = slice?.metadata.labels?.[SERVICE_NAME];
    const now = name === undefined ? undefined : `${slice?.metadata.namespace}/${name}`;
    if (before !== undefined) {
      touched.add(before);
      this.#takeOut(before, key);
    }
    if (now !== undefined && slice) {
      touched.add(now);
      const of = this.#byService.get(now) ?? new Map<string, EndpointSlice>();
      this.#byService.set(now, of.set(key, slice));
      this.#serviceOf.set(key, now);
    }
    return touched;
  }

  #takeOut(service: string, key: string): void {
    this.#serviceOf.delete(key);
    const of = this.#byService.get(service);
    of?.delete(key);
    if (of?.size === 0) this.#byService.delete(service);
  }
}
