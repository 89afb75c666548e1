import { familyOf, isIp } from "#addr/ip";
import type { EndpointAddress, Endpoints } from "#kube/endpoints";
import type { Endpoint, EndpointPort, Service } from "#kube/generated/types";
import { controllerRef } from "#kube/owner";
import { ENDPOINTS } from "#kube/resources";
import { type PortGroup, portsKey } from "../endpointslice/desired.ts";
import { MANAGED_BY, type SliceFrame } from "../endpointslice/plan.ts";
import { TRIGGER_TIME } from "../endpointslice/trigger-time.ts";
import { SERVICE_NAME_LABEL } from "../informers.ts";

export const MIRROR_MANAGER = "endpointslicemirroring-controller.k8s.io";
const SKIP_LABEL = "endpointslice.kubernetes.io/skip-mirror";
const LEADER_ANNOTATION = "control-plane.alpha.kubernetes.io/leader";
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
/** Of each subset; a slice holds no more. */
export const MOST_ADDRESSES = 1000;

export interface Mirrored {
  /** Groups for each address type; a type without any has an empty list, so that its old slices go. */
  readonly byAddressType: ReadonlyMap<string, readonly PortGroup[]>;
  readonly invalid: number;
  readonly skipped: number;
}

/** Whether somebody's own Endpoints should show as slices: those of a Service that selects no pods. */
export function isMirrored(
  endpoints: Endpoints | undefined,
  service: Service | undefined,
): endpoints is Endpoints {
  if (endpoints === undefined || service === undefined) return false;
  const { labels, annotations } = endpoints.metadata;
  if (labels?.[SKIP_LABEL] === "true" || annotations?.[LEADER_ANNOTATION] !== undefined) return false;
  return Object.keys(service.spec?.selector ?? {}).length === 0;
}

/** The endpoints that slices should hold for that list. */
export function mirrored({ subsets }: Endpoints): Mirrored {
  const groups = new Map<
    string,
    Map<string, { ports: readonly EndpointPort[]; endpoints: Map<string, Endpoint> }>
  >([
    ["IPv4", new Map()],
    ["IPv6", new Map()],
  ]);
  let invalid = 0;
  let skipped = 0;
  for (const { addresses = [], notReadyAddresses = [], ports = [] } of subsets ?? []) {
    const slicePorts = ports.map(({ name = "", ...port }) => ({ name, protocol: "TCP", ...port }));
    const key = portsKey(slicePorts);
    let taken = 0;
    for (const [list, ready] of [[addresses, true] as const, [notReadyAddresses, false] as const])
      for (const address of list) {
        if (!isIp(address.ip)) invalid++;
        else if (taken++ >= MOST_ADDRESSES) skipped++;
        else {
          const ofType = groups.get(`IPv${familyOf(address.ip)}`);
          const group = ofType?.get(key) ?? { ports: slicePorts, endpoints: new Map() };
          group.endpoints.set(
            JSON.stringify([address.ip, address.hostname, address.targetRef]),
            mirror(address, ready),
          );
          ofType?.set(key, group);
        }
      }
  }
  const flat = [...groups].map(([type, ofType]) => {
    const found = [...ofType.values()].map(({ ports, endpoints }) => ({
      ports,
      endpoints: [...endpoints.values()],
    }));
    return [type, found] as const;
  });
  return { byAddressType: new Map(flat), invalid, skipped };
}

export function mirrorFrame(endpoints: Endpoints): SliceFrame {
  const { name, namespace, labels, annotations = {} } = endpoints.metadata;
  const { [TRIGGER_TIME]: _time, [LAST_APPLIED]: _applied, ...copied } = annotations;
  const ownerReferences = [controllerRef(ENDPOINTS, endpoints)];
  return {
    metadata: { name: "", generateName: `${name}-`, namespace, ownerReferences, annotations: copied },
    labels: { ...labels, [SERVICE_NAME_LABEL]: name, [MANAGED_BY]: MIRROR_MANAGER },
    maxEndpoints: MOST_ADDRESSES,
    hasPlaceholder: false,
  };
}

function mirror({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname ? { hostname } : {}),
    ...(nodeName ? { nodeName } : {}),
    ...(targetRef ? { targetRef } : {}),
  };
}
