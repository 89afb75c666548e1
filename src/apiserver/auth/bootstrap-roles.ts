import type { JsonObject } from "../json.ts";

type Rule = readonly [groups: string, resources: string, verbs: string];

const READ = "get list watch";
const WRITE = "create delete deletecollection patch update";
const ALL = "create delete deletecollection get list patch update watch";
const RBAC = "rbac.authorization.k8s.io";

const VIEW: readonly Rule[] = [
  [
    "",
    "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods pods/log pods/status replicationcontrollers serviceaccounts services services/status bindings events limitranges namespaces namespaces/status resourcequotas resourcequotas/status",
    READ,
  ],
  [
    "apps",
    "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
    READ,
  ],
  ["autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", READ],
  ["batch", "cronjobs cronjobs/status jobs jobs/status", READ],
  ["discovery.k8s.io", "endpointslices", READ],
  ["networking.k8s.io", "ingresses ingresses/status networkpolicies", READ],
  ["policy", "poddisruptionbudgets poddisruptionbudgets/status", READ],
];

const EDIT: readonly Rule[] = [
  ["", "secrets pods/attach pods/exec pods/portforward pods/proxy services/proxy", READ],
  ["", "serviceaccounts", "impersonate"],
  ["", "serviceaccounts/token pods/eviction", "create"],
  [
    "",
    "configmaps events persistentvolumeclaims pods pods/attach pods/exec pods/portforward pods/proxy replicationcontrollers secrets serviceaccounts services services/proxy",
    WRITE,
  ],
  [
    "apps",
    "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale",
    WRITE,
  ],
  ["autoscaling", "horizontalpodautoscalers", WRITE],
  ["batch", "cronjobs jobs", WRITE],
  ["coordination.k8s.io", "leases", ALL],
  ["networking.k8s.io", "ingresses networkpolicies", WRITE],
  ["policy", "poddisruptionbudgets", WRITE],
];

const ADMIN: readonly Rule[] = [
  [RBAC, "roles rolebindings", ALL],
  ["authorization.k8s.io", "localsubjectaccessreviews", "create"],
];

const KUBE_DNS: readonly Rule[] = [["", "endpoints services", "list watch"]];

const PROXIER: readonly Rule[] = [
  ["", "endpoints services nodes", READ],
  ["discovery.k8s.io", "endpointslices", READ],
  ["networking.k8s.io", "servicecidrs", READ],
  [" events.k8s.io", "events", "create patch update"],
];

const BASIC: readonly Rule[] = [
  ["authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews", "create"],
  ["authentication.k8s.io", "selfsubjectreviews", "create"],
];

const DELEGATOR: readonly Rule[] = [
  ["authentication.k8s.io", "tokenreviews", "create"],
  ["authorization.k8s.io", "subjectaccessreviews", "create"],
];

/** The roles and bindings that manifests written for any Kubernetes cluster expect to find. */
export function bootstrapRoles(): readonly { readonly plural: string; readonly object: JsonObject }[] {
  const everything = [
    { apiGroups: ["*"], resources: ["*"], verbs: ["*"] },
    { nonResourceURLs: ["*"], verbs: ["*"] },
  ];
  return [
    role("cluster-admin", everything),
    role("view", rules(VIEW)),
    role("edit", rules([...VIEW, ...EDIT])),
    role("admin", rules([...VIEW, ...EDIT, ...ADMIN])),
    role("system:basic-user", rules(BASIC)),
    role("system:auth-delegator", rules(DELEGATOR)),
    role("system:kube-dns", rules(KUBE_DNS)),
    role("system:node-proxier", rules(PROXIER)),
    role("system:discovery", [
      {
        nonResourceURLs: [
          "/api",
          "/api/*",
          "/apis",
          "/apis/*",
          "/healthz",
          "/livez",
          "/openapi",
          "/openapi/*",
          "/readyz",
          "/version",
          "/version/",
        ],
        verbs: ["get"],
      },
    ]),
    role("system:public-info-viewer", [
      { nonResourceURLs: ["/healthz", "/livez", "/readyz", "/version", "/version/"], verbs: ["get"] },
    ]),
    binding("cluster-admin", "cluster-admin", [group("system:masters")]),
    binding("system:basic-user", "system:basic-user", [group("system:authenticated")]),
    binding("system:discovery", "system:discovery", [group("system:authenticated")]),
    binding("system:public-info-viewer", "system:public-info-viewer", [
      group("system:authenticated"),
      group("system:unauthenticated"),
    ]),
    binding("system:kube-dns", "system:kube-dns", [
      { kind: "ServiceAccount", name: "kube-dns", namespace: "kube-system" },
    ]),
    binding("system:node-proxier", "system:node-proxier", [
      { kind: "User", apiGroup: RBAC, name: "system:kube-proxy" },
    ]),
  ];
}

const META = {
  labels: { "kubernetes.io/bootstrapping": "rbac-defaults" },
  annotations: { "rbac.authorization.kubernetes.io/autoupdate": "true" },
};

function rules(list: readonly Rule[]): JsonObject[] {
  return list.map(([groups, resources, verbs]) => ({
    apiGroups: groups.split(" "),
    resources: resources.split(" "),
    verbs: verbs.split(" "),
  }));
}

function role(name: string, list: JsonObject[]) {
  return { plural: "clusterroles", object: { metadata: { name, ...structuredClone(META) }, rules: list } };
}

function binding(name: string, to: string, subjects: JsonObject[]) {
  const roleRef = { apiGroup: RBAC, kind: "ClusterRole", name: to };
  return {
    plural: "clusterrolebindings",
    object: { metadata: { name, ...structuredClone(META) }, roleRef, subjects },
  };
}

function group(name: string): JsonObject {
  return { kind: "Group", apiGroup: RBAC, name };
}
