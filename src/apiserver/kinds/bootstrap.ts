import { type Cidr, cidrFamily, nthIp } from "#addr/cidr";
import { familyOf, type Ip } from "#addr/ip";
import type { Endpoints } from "#kube/endpoints";
import type { ConfigMap, EndpointSlice, Namespace, PriorityClass, Service } from "#kube/generated/types";
import type { KubeObject } from "#kube/object";
import type { Clock } from "#life/clock";
import { componentStatusObjects } from "./core/component-status.ts";

export interface BootstrapOptions {
  readonly serviceCidrs: readonly Cidr[];
  /** Where this server answers from inside the cluster. */
  readonly advertise: { readonly ip: Ip; readonly port: number };
  /** Of those whose certificates say who they are; PEM. */
  readonly clientCa: string;
  readonly clock: Clock;
}

const NAMESPACE_NAMES = ["default", "kube-system", "kube-public", "kube-node-lease"];
/** HTTPS on the cluster's first service address. */
const SERVICE_PORT = 443;

/** What the API server makes for itself when it is missing, in an order in which each finds what it needs: namespaces first. Plain objects, as a
 *  client would post them. */
export function bootstrapObjects(options: BootstrapOptions): readonly KubeObject[] {
  return [
    ...NAMESPACE_NAMES.map(namespace),
    ...priorityClasses(),
    ...componentStatusObjects(),
    kubernetesService(options),
    kubernetesSlice(options.advertise),
    kubernetesEndpoints(options.advertise),
    clientAuthentication(options.clientCa),
  ];
}

function namespace(name: string): Namespace {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name } };
}

function priorityClasses(): readonly PriorityClass[] {
  const rows = [
    [
      "system-node-critical",
      2_000_001_000,
      "Used for system critical pods that must not be moved from their current node.",
    ],
    [
      "system-cluster-critical",
      2_000_000_000,
      "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ],
  ] as const;
  return rows.map(([name, value, description]) => ({
    apiVersion: "scheduling.k8s.io/v1",
    kind: "PriorityClass",
    metadata: { name },
    value,
    description,
  }));
}

function kubernetesService({ serviceCidrs, advertise }: BootstrapOptions): Service {
  const [first] = serviceCidrs;
  if (first === undefined) throw new Error("broken invariant: a cluster has a service network");
  const clusterIP = nthIp(first, 1);
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: "kubernetes",
      namespace: "default",
      labels: { component: "apiserver", provider: "kubernetes" },
    },
    spec: {
      type: "ClusterIP",
      clusterIP,
      clusterIPs: [clusterIP],
      ipFamilies: [`IPv${cidrFamily(first)}`],
      ipFamilyPolicy: "SingleStack",
      sessionAffinity: "None",
      ports: [{ name: "https", port: SERVICE_PORT, protocol: "TCP", targetPort: advertise.port }],
    },
  };
}

/** The slice that leads to this server. Also written anew when the server's address changes. */
export function kubernetesSlice({ ip, port }: BootstrapOptions["advertise"]): EndpointSlice {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: "kubernetes",
      namespace: "default",
      labels: { "kubernetes.io/service-name": "kubernetes" },
    },
    addressType: `IPv${familyOf(ip)}`,
    endpoints: [{ addresses: [ip], conditions: { ready: true } }],
    ports: [{ name: "https", port, protocol: "TCP" }],
  };
}

/** The older form of the same, which the endpoint slice mirroring leaves alone. */
export function kubernetesEndpoints({ ip, port }: BootstrapOptions["advertise"]): Endpoints {
  return {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: {
      name: "kubernetes",
      namespace: "default",
      labels: { "endpointslice.kubernetes.io/skip-mirror": "true" },
    },
    subsets: [{ addresses: [{ ip }], ports: [{ name: "https", port, protocol: "TCP" }] }],
  };
}

/** How servers that stand beside this one, such as metrics-server, tell who their clients are: as this one does. */
function clientAuthentication(clientCa: string): ConfigMap {
  return systemConfigMap("extension-apiserver-authentication", { "client-ca-file": clientCa });
}

function systemConfigMap(name: string, data: Readonly<Record<string, string>>): ConfigMap {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "kube-system" }, data };
}
