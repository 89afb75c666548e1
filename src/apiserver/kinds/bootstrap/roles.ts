import type { ClusterRole, ClusterRoleBinding, PolicyRule, Subject } from "#kube/generated/types";
import type { KubeObject } from "#kube/object";
import { ALL, adminRules, editRules, nodeRules, on, onPaths, READ, viewRules } from "./rules.ts";

const GROUP = "rbac.authorization.k8s.io";
const API_VERSION = `${GROUP}/v1`;

interface Row {
  readonly name: string;
  readonly rules: readonly PolicyRule[];
  readonly subjects?: readonly Subject[];
}

const HEALTH = ["/healthz", "/livez", "/readyz"];
const OPENID = ["/.well-known/openid-configuration", "/openid/v1/jwks"];
const AUTHENTICATED = group("system:authenticated");

/** The roles and bindings every cluster has. */
export function bootstrapRoles(): readonly KubeObject[] {
  return [...people(), ...clients(), ...components()].flatMap(objectsOf);
}

/** For people and their tools. */
function people(): readonly Row[] {
  return [
    {
      name: "cluster-admin",
      rules: [on("*", ["*"], ["*"]), { nonResourceURLs: ["*"], verbs: ["*"] }],
      subjects: [group("system:masters")],
    },
    { name: "admin", rules: adminRules() },
    { name: "edit", rules: editRules() },
    { name: "view", rules: viewRules() },
  ];
}

/** For whoever talks to the API at all. */
function clients(): readonly Row[] {
  const reviews = ["selfsubjectaccessreviews", "selfsubjectrulesreviews"];
  return [
    {
      name: "system:basic-user",
      rules: [
        on("authorization.k8s.io", reviews, ["create"]),
        on("authentication.k8s.io", ["selfsubjectreviews"], ["create"]),
      ],
      subjects: [AUTHENTICATED],
    },
    {
      name: "system:discovery",
      rules: [
        onPaths(
          "/api",
          "/api/*",
          "/apis",
          "/apis/*",
          ...HEALTH,
          "/openapi",
          "/openapi/*",
          "/version",
          "/version/",
        ),
      ],
      subjects: [AUTHENTICATED],
    },
    {
      name: "system:public-info-viewer",
      rules: [onPaths(...HEALTH, "/version", "/version/")],
      subjects: [AUTHENTICATED, group("system:unauthenticated")],
    },
    {
      name: "system:service-account-issuer-discovery",
      rules: [onPaths(...OPENID, "/.well-known/openid-configuration/", "/openid/v1/jwks/")],
      subjects: [group("system:serviceaccounts")],
    },
    {
      name: "system:auth-delegator",
      rules: [
        on("authentication.k8s.io", ["tokenreviews"], ["create"]),
        on("authorization.k8s.io", ["subjectaccessreviews"], ["create"]),
      ],
    },
  ];
}

/** For the cluster's own parts. */
function components(): readonly Row[] {
  return [
    { name: "system:node", rules: nodeRules() },
    {
      name: "system:node-proxier",
      rules: [
        on("", ["endpoints", "services"], ["list", "watch"]),
        on("", ["nodes"], READ),
        on("", ["events"], ["create", "patch", "update"]),
        on("discovery.k8s.io", ["endpointslices"], ["list", "watch"]),
      ],
      subjects: [user("system:kube-proxy")],
    },
    {
      name: "system:k3s-controller",
      rules: [
        on("", ["nodes", "pods", "endpoints"], READ),
        on("", ["nodes/status"], ["patch"]),
        on("", ["namespaces"], ["list", "watch"]),
        on("networking.k8s.io", ["networkpolicies"], ["list", "watch"]),
        on("discovery.k8s.io", ["endpointslices"], READ),
      ],
      subjects: [user("system:k3s-controller")],
    },
    {
      name: "system:kubelet-api-admin",
      rules: [
        on("", ["nodes"], READ),
        on("", ["nodes"], ["proxy"]),
        on(
          "",
          ["configz", "healthz", "log", "metrics", "pods", "proxy", "stats"].map((part) => `nodes/${part}`),
          ["*"],
        ),
      ],
    },
    {
      name: "system:monitoring",
      rules: [
        onPaths("/metrics", "/metrics/slis", ...HEALTH, ...HEALTH.map((path) => `${path}/*`)),
        on("", ["nodes/metrics"], ["get"]),
      ],
      subjects: [group("system:monitoring")],
    },
    {
      name: "system:kube-dns",
      rules: [on("", ["endpoints", "services"], ["list", "watch"])],
      subjects: [{ kind: "ServiceAccount", name: "kube-dns", namespace: "kube-system" }],
    },
    {
      name: "system:node-bootstrapper",
      rules: [on("certificates.k8s.io", ["certificatesigningrequests"], ["create", ...READ])],
    },
    { name: "system:persistent-volume-provisioner", rules: [on("", ["persistentvolumes"], ALL)] },
  ];
}

function objectsOf({ name, rules, subjects = [] }: Row): readonly KubeObject[] {
  const metadata = {
    name,
    labels: { "kubernetes.io/bootstrapping": "rbac-defaults" },
    annotations: { "rbac.authorization.kubernetes.io/autoupdate": "true" },
  };
  const role: ClusterRole = { apiVersion: API_VERSION, kind: "ClusterRole", metadata, rules };
  if (subjects.length === 0) return [role];
  const binding: ClusterRoleBinding = {
    apiVersion: API_VERSION,
    kind: "ClusterRoleBinding",
    metadata,
    roleRef: { apiGroup: GROUP, kind: "ClusterRole", name },
    subjects,
  };
  return [role, binding];
}

function group(name: string): Subject {
  return { apiGroup: GROUP, kind: "Group", name };
}

function user(name: string): Subject {
  return { apiGroup: GROUP, kind: "User", name };
}
