import type { Container, DaemonSet, Service, ServicePort, Toleration } from "#kube/generated/types";
import { SERVICELB } from "../names.ts";
import { ACCOUNT, isLocalOnly, type ServiceLbConfig } from "./model.ts";
import { balancerName, ownershipMarks, ownLabels } from "./names.ts";
import { sourceRanges } from "./source-ranges.ts";
import { readTolerations } from "./tolerations.ts";

/** Servers are nodes like any other here. */
const TOLERATIONS: readonly Toleration[] = [
  { key: "node-role.kubernetes.io/control-plane", operator: "Exists", effect: "NoSchedule" },
  { key: "CriticalAddonsOnly", operator: "Exists" },
];

/** Pods that pass packets on need it, whatever the node's own setting. */
const FORWARDING: Readonly<Record<string, string>> = {
  IPv4: "net.ipv4.ip_forward",
  IPv6: "net.ipv6.conf.all.forwarding",
};

/** The DaemonSet that is a Service's load balancer: a pod on each node that takes its ports, and holds them there.
 *  `isKept`: some Node is labelled for load balancers, so only those are used.
 *  @throws {Fault} BadAnnotation, BadRanges; @see k3s pkg/cloudprovider/servicelb.go newDaemonSet */
export function desiredDaemonSet(
  service: Service,
  { config, isKept }: { readonly config: ServiceLbConfig; readonly isKept: boolean },
): DaemonSet & { readonly spec: NonNullable<DaemonSet["spec"]> } {
  const name = balancerName(service);
  const { labels, annotations } = ownershipMarks(service);
  const ranges = sourceRanges(service);
  const families = service.spec?.ipFamilies ?? [];
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: {
      name,
      namespace: config.namespace,
      labels: { ...labels, ...ownLabels(service), [SERVICELB.nodeSelector]: String(isKept) },
      annotations,
    },
    spec: {
      selector: { matchLabels: { app: name } },
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } },
      template: {
        metadata: { labels: { app: name, ...ownLabels(service) } },
        spec: {
          priorityClassName: priorityClassOf(service) ?? config.priorityClassName,
          serviceAccountName: ACCOUNT,
          automountServiceAccountToken: false,
          securityContext: {
            sysctls: families.flatMap((family) =>
              FORWARDING[family] ? [{ name: FORWARDING[family], value: "1" }] : [],
            ),
          },
          ...(isKept ? { nodeSelector: nodeSelector(service) } : {}),
          tolerations: [
            ...TOLERATIONS,
            ...readTolerations(service.metadata.annotations?.[SERVICELB.tolerations]),
          ],
          containers: (service.spec?.ports ?? []).map((port) => container(service, port, { config, ranges })),
        },
      },
    },
  };
}

/** What the Service itself asks for. */
export function priorityClassOf({ metadata }: Service): string | undefined {
  return metadata.annotations?.[SERVICELB.priorityClass];
}

function nodeSelector({ metadata }: Service): Readonly<Record<string, string>> {
  const pool = metadata.labels?.[SERVICELB.pool];
  return { [SERVICELB.enable]: "true", ...(pool ? { [SERVICELB.pool]: pool } : {}) };
}

/** One for each port, which holds it on the node and passes on what comes there. */
function container(
  service: Service,
  { port, protocol = "TCP", nodePort }: ServicePort,
  { config, ranges }: { readonly config: ServiceLbConfig; readonly ranges: string },
): Container {
  const name = `lb-${protocol.toLowerCase()}-${port}`;
  return {
    name,
    image: config.image,
    imagePullPolicy: "IfNotPresent",
    ports: [{ name, containerPort: port, hostPort: port, protocol }],
    env: [
      { name: "SRC_PORT", value: String(port) },
      { name: "SRC_RANGES", value: ranges },
      { name: "DEST_PROTO", value: protocol },
      ...destination(service, port, nodePort),
    ],
    securityContext: { capabilities: { add: ["NET_ADMIN"] } },
  };
}

/** With policy Local the node's own node port keeps to the node and to the client's address. A Service that was given none is reached at
 *  its own address instead: there is nothing else, and the status still lists only nodes with endpoints. */
function destination(service: Service, port: number, nodePort: number | undefined) {
  if (isLocalOnly(service) && nodePort)
    return [
      { name: "DEST_PORT", value: String(nodePort) },
      { name: "DEST_IPS", valueFrom: { fieldRef: { fieldPath: "status.hostIPs" } } },
    ];
  return [
    { name: "DEST_PORT", value: String(port) },
    { name: "DEST_IPS", value: (service.spec?.clusterIPs ?? []).join(",") },
  ];
}
