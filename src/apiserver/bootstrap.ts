import { nthIp } from "#addr/cidr";
import { familyOf, formatEndpoint } from "#addr/ip";
import { isFault } from "#fault/fault";
import type { Api } from "./api.ts";
import { bootstrapRoles } from "./auth/bootstrap-roles.ts";
import { API_SERVER_USER } from "./auth/user.ts";
import { objectKey } from "./cache/resource-cache.ts";
import type { JsonObject } from "./json.ts";
import { sameJson } from "./json.ts";

const NAMESPACES = ["default", "kube-system", "kube-public", "kube-node-lease"];

/** Makes what every cluster has from its first moment: four namespaces, the roles, and the way to the API itself. */
export async function createFirstObjects(api: Api): Promise<void> {
  await Promise.all(
    NAMESPACES.map((name) => ensure(api, { group: "", plural: "namespaces" }, { metadata: { name } })),
  );
  const roles = bootstrapRoles();
  await Promise.all([
    ...roles.map(({ plural, object }) => ensure(api, { group: "rbac.authorization.k8s.io", plural }, object)),
    ...kubernetesService(api).map(({ group, plural, object }) =>
      ensure(api, { group, plural }, object, ["subsets", "endpoints", "ports"]),
    ),
  ]);
}

/** Creates the object unless it is there, or (when told which fields are the server's) brings those up to date. */
async function ensure(
  api: Api,
  { group, plural }: { readonly group: string; readonly plural: string },
  object: JsonObject,
  kept: readonly string[] = [],
): Promise<void> {
  const cache = api.world.cacheOf(group, plural);
  if (cache === undefined) return;
  const metadata = object["metadata"] as JsonObject;
  const name = String(metadata["name"]);
  const namespace = cache.spec.resource.namespaced ? String(metadata["namespace"] ?? "default") : undefined;
  const request = {
    cache,
    namespace,
    user: API_SERVER_USER,
    dryRun: false,
    manager: "kube-apiserver",
    warn: () => {},
  };
  const stored = cache.get(objectKey(namespace, name));
  try {
    if (stored === undefined) await api.writer.create(request, object);
    else if (
      kept.some((field) => object[field] !== undefined && !sameJson(object[field], stored.draft()[field]))
    )
      await api.writer.update(request, name, (live) => {
        const draft = live.draft();
        for (const field of kept) if (object[field] !== undefined) draft[field] = object[field] ?? null;
        return { draft };
      });
  } catch (error) {
    if (!isFault(error) || error.code !== "AlreadyExists") throw error;
  }
}

/** The Service through which pods find the API, with its endpoints: this server. */
function kubernetesService({ options }: Api): { group: string; plural: string; object: JsonObject }[] {
  const { ip, port } = options.advertise;
  const cidr =
    options.serviceCidrs.find((each) => familyOf(each) === familyOf(ip)) ?? options.serviceCidrs[0];
  if (cidr === undefined) throw new Error(`no service network for ${formatEndpoint(ip, port)}`);
  const labels = { component: "apiserver", provider: "kubernetes" };
  const clusterIP: string = nthIp(cidr, 1);
  const metadata = { name: "kubernetes", namespace: "default" };
  const family = familyOf(ip) === 4 ? "IPv4" : "IPv6";
  return [
    {
      group: "",
      plural: "services",
      object: {
        metadata: { ...metadata, labels },
        spec: {
          type: "ClusterIP",
          clusterIP,
          clusterIPs: [clusterIP],
          ports: [{ name: "https", port: 443, protocol: "TCP", targetPort: port }],
        },
      },
    },
    {
      group: "",
      plural: "endpoints",
      object: {
        metadata: { ...metadata, labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } },
        subsets: [{ addresses: [{ ip }], ports: [{ name: "https", port, protocol: "TCP" }] }],
      },
    },
    {
      group: "discovery.k8s.io",
      plural: "endpointslices",
      object: {
        metadata: { ...metadata, labels: { "kubernetes.io/service-name": "kubernetes" } },
        addressType: family,
        endpoints: [{ addresses: [ip], conditions: { ready: true } }],
        ports: [{ name: "https", port, protocol: "TCP" }],
      },
    },
  ];
}
