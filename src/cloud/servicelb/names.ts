import { createHash } from "node:crypto";
import { type NamespacedName, namespacedName } from "#addr/name";
import type { DaemonSet, Service } from "#kube/generated/types";
import type { KubeObject } from "#kube/object";
import { uidOf } from "#kube/owner";
import { SERVICELB } from "../names.ts";

const PREFIX = "svclb-";
const LONGEST_NAME = 48;
const UID_CHARS = 8;

/** The name of a Service's DaemonSet, such as `svclb-web-1f0c9e2a`: at most 63 characters, as it is a label's value too. */
export function balancerName(service: Service): string {
  const { name } = service.metadata;
  const cut = name.length > LONGEST_NAME ? name.slice(0, LONGEST_NAME).replace(/-+$/, "") : name;
  return `${PREFIX}${cut}-${uidOf(service).slice(0, UID_CHARS)}`;
}

/** The labels by which a DaemonSet and its pods say whose they are. */
export function ownLabels({ metadata }: Service): Readonly<Record<string, string>> {
  return {
    [SERVICELB.serviceName]: metadata.name,
    [SERVICELB.serviceNamespace]: metadata.namespace ?? "",
  };
}

/** The Service that a DaemonSet or pod of ServiceLB belongs to; undefined for everybody else's. */
export function serviceKeyOf({ metadata }: KubeObject): NamespacedName | undefined {
  const name = metadata.labels?.[SERVICELB.serviceName];
  const namespace = metadata.labels?.[SERVICELB.serviceNamespace];
  return name && namespace ? namespacedName({ name, namespace }) : undefined;
}

const SET = "objectset.rio.cattle.io";
const OWNER_KIND = "/v1, Kind=Service";

/** The Service that ServiceLB made a DaemonSet for, that of K3s or this one; undefined for everybody else's. Marks and labels both say it, so
 *  that one that somebody edited is known still. */
export function ownerOf(daemonSet: DaemonSet): NamespacedName | undefined {
  const { name, labels, annotations } = daemonSet.metadata;
  if (!name.startsWith(PREFIX)) return undefined;
  const owner = annotations?.[`${SET}/owner-name`];
  const namespace = annotations?.[`${SET}/owner-namespace`];
  if (annotations?.[`${SET}/owner-gvk`] === OWNER_KIND && owner && namespace)
    return namespacedName({ name: owner, namespace });
  return labels?.[SERVICELB.nodeSelector] === undefined ? undefined : serviceKeyOf(daemonSet);
}

/** The marks by which K3s finds what it made for a Service; with them either takes over from the other.
 *  @see rancher/wrangler pkg/apply/desiredset_apply.go */
export function ownershipMarks({ metadata }: Service): {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
} {
  const { name, namespace = "" } = metadata;
  return setMarks({ kind: OWNER_KIND, name, namespace });
}

export function setMarks(owner: {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
}) {
  const { kind, name, namespace } = owner;
  return {
    labels: { [`${SET}/hash`]: createHash("sha1").update(`${kind}${name}${namespace}`).digest("hex") },
    annotations: {
      [`${SET}/id`]: "",
      [`${SET}/owner-gvk`]: kind,
      [`${SET}/owner-name`]: name,
      [`${SET}/owner-namespace`]: namespace,
    },
  };
}
