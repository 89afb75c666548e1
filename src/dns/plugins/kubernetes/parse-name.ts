/** What a name below the cluster's zone asks for. @see Kubernetes DNS specification 1.1.0 */
export type Asked =
  | { readonly kind: "apex" }
  /** `svc` or `pod`: no records, but names below. */
  | { readonly kind: "branch" }
  | { readonly kind: "namespace"; readonly namespace: string }
  | { readonly kind: "pod"; readonly namespace: string; readonly label: string }
  | {
      readonly kind: "service";
      readonly namespace: string;
      readonly service: string;
      /** The endpoint's label; empty for the service itself. */
      readonly endpoint: string;
      /** Port name and protocol; empty for any. */
      readonly port: string;
      readonly protocol: string;
    }
  | { readonly kind: "version" }
  | { readonly kind: "nameserver" }
  | { readonly kind: "nothing" };

const NOTHING: Asked = { kind: "nothing" };

/** Reads the labels left of the zone, right to left: `[_port._proto | endpoint] . service . namespace . svc|pod`. */
export function parseAsked(relative: string): Asked {
  if (relative === "") return { kind: "apex" };
  if (relative === "dns-version") return { kind: "version" };
  if (relative === "ns.dns") return { kind: "nameserver" };
  const labels = relative.split(".");
  const branch = labels.pop();
  if (branch !== "svc" && branch !== "pod") return NOTHING;
  const namespace = labels.pop();
  if (namespace === undefined) return { kind: "branch" };
  const name = labels.pop();
  if (name === undefined) return { kind: "namespace", namespace };
  if (branch === "pod") return labels.length === 0 ? { kind: "pod", namespace, label: name } : NOTHING;
  const [first = "", second = ""] = labels;
  const service = { kind: "service", namespace, service: name } as const;
  if (labels.length === 0) return { ...service, endpoint: "", port: "", protocol: "" };
  // One label is an endpoint, even `_tcp`: the name between a service and its ports is not made up.
  if (labels.length === 1) return { ...service, endpoint: first, port: "", protocol: "" };
  if (labels.length > 2) return NOTHING;
  return { ...service, endpoint: "", port: withoutUnderscore(first), protocol: withoutUnderscore(second) };
}

const withoutUnderscore = (label: string): string => (label.startsWith("_") ? label.slice(1) : label);
