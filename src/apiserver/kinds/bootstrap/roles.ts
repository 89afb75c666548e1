import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  Subject,
} from "#kube/generated/types";
import { COMPONENTS, NAMESPACE_ROLES } from "./component-roles.ts";
import { CONTROLLERS } from "./controller-roles.ts";
import { nodeRules } from "./node-rules.ts";
import { TO_ADMIN, TO_EDIT, TO_VIEW } from "./people-roles.ts";
import { onPaths, rulesOf } from "./rules.ts";

const GROUP = "rbac.authorization.k8s.io";
const API_VERSION = `${GROUP}/v1`;

export type RbacObject = ClusterRole | ClusterRoleBinding | Role | RoleBinding;

/** The roles and bindings every cluster has, roles first. */
export function bootstrapRoles(): readonly RbacObject[] {
  return [...clusterRoles(), ...namespaceRoles(), ...clusterBindings(), ...namespaceBindings()];
}

function clusterRoles(): readonly ClusterRole[] {
  const view = rulesOf(TO_VIEW);
  const edit = [...rulesOf(TO_EDIT), ...view];
  const admin = [...rulesOf(TO_ADMIN), ...edit];
  return [
    clusterRole("cluster-admin", [
      { apiGroups: ["*"], resources: ["*"], verbs: ["*"] },
      { nonResourceURLs: ["*"], verbs: ["*"] },
    ]),
    // Their rules stand here already, so that they are right before the controller that gathers them has run.
    gathering("admin", admin),
    gathering("edit", edit, "admin"),
    gathering("view", view, "edit"),
    clusterRole("system:aggregate-to-admin", rulesOf(TO_ADMIN), gatheredInto("admin")),
    clusterRole("system:aggregate-to-edit", rulesOf(TO_EDIT), gatheredInto("edit")),
    clusterRole("system:aggregate-to-view", rulesOf(TO_VIEW), gatheredInto("view")),
    ...Object.entries(pathRoles()).map(([name, rules]) => clusterRole(name, rules)),
    clusterRole("system:node", nodeRules()),
    ...Object.entries(COMPONENTS).map(([name, lines]) => clusterRole(name, rulesOf(lines))),
    ...Object.entries(CONTROLLERS).map(([name, lines]) =>
      clusterRole(`system:controller:${name}`, rulesOf(lines)),
    ),
  ];
}

function pathRoles(): Readonly<Record<string, readonly PolicyRule[]>> {
  const health = ["/healthz", "/livez", "/readyz"];
  const version = ["/version", "/version/"];
  const reviews = rulesOf([
    ["authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews", "create"],
    ["authentication.k8s.io", "selfsubjectreviews", "create"],
  ]);
  return {
    "system:basic-user": reviews,
    "system:discovery": [
      onPaths(
        "/api",
        "/api/*",
        "/apis",
        "/apis/*",
        "/healthz",
        "/livez",
        "/openapi",
        "/openapi/*",
        "/readyz",
        ...version,
      ),
    ],
    "system:public-info-viewer": [onPaths(...health, ...version)],
    "system:service-account-issuer-discovery": [
      onPaths(
        "/.well-known/openid-configuration",
        "/.well-known/openid-configuration/",
        "/openid/v1/jwks",
        "/openid/v1/jwks/",
      ),
    ],
    "system:monitoring": [
      onPaths(
        "/flagz",
        "/healthz",
        "/healthz/*",
        "/livez",
        "/livez/*",
        "/metrics",
        "/metrics/slis",
        "/readyz",
        "/readyz/*",
        "/statusz",
      ),
      ...rulesOf([["core", "nodes/metrics", "get"]]),
    ],
  };
}

const AUTHENTICATED = group("system:authenticated");

/** Whom a cluster role of the same name is bound to. */
const BOUND: Readonly<Record<string, readonly Subject[]>> = {
  "cluster-admin": [group("system:masters")],
  "system:basic-user": [AUTHENTICATED],
  "system:discovery": [AUTHENTICATED],
  "system:public-info-viewer": [AUTHENTICATED, group("system:unauthenticated")],
  "system:service-account-issuer-discovery": [group("system:serviceaccounts")],
  "system:monitoring": [group("system:monitoring")],
  "system:kube-controller-manager": [user("system:kube-controller-manager")],
  "system:kube-dns": [account("kube-dns")],
  "system:kube-scheduler": [user("system:kube-scheduler")],
  "system:volume-scheduler": [user("system:kube-scheduler")],
  "system:node-proxier": [user("system:kube-proxy")],
  // What nodes may do, their own authorizer says.
  "system:node": [],
  "system:k3s-controller": [user("system:k3s-controller")],
};

function clusterBindings(): readonly ClusterRoleBinding[] {
  return [
    ...Object.entries(BOUND).map(([name, subjects]) => clusterBinding(name, subjects)),
    ...Object.keys(CONTROLLERS).map((name) => clusterBinding(`system:controller:${name}`, [account(name)])),
  ];
}

function namespaceRoles(): readonly Role[] {
  return Object.entries(NAMESPACE_ROLES).map(([key, lines]) => ({
    apiVersion: API_VERSION,
    kind: "Role",
    metadata: metadata(key),
    rules: rulesOf(lines),
  }));
}

const CONTROLLER_MANAGER = user("system:kube-controller-manager");
const SCHEDULER = user("system:kube-scheduler");

/** Role, then whom it is bound to. The binding has the role's name unless a third entry names it. */
const NAMESPACE_BOUND: Readonly<Record<string, { readonly to: readonly Subject[]; readonly as?: string }>> = {
  "kube-public/system:controller:bootstrap-signer": { to: [account("bootstrap-signer")] },
  "kube-system/extension-apiserver-authentication-reader": {
    to: [CONTROLLER_MANAGER, SCHEDULER],
    as: "kube-system/system::extension-apiserver-authentication-reader",
  },
  "kube-system/system::leader-locking-kube-controller-manager": {
    to: [CONTROLLER_MANAGER, account("kube-controller-manager"), account("leader-election-controller")],
  },
  "kube-system/system::leader-locking-kube-scheduler": { to: [SCHEDULER, account("kube-scheduler")] },
  "kube-system/system:controller:bootstrap-signer": { to: [account("bootstrap-signer")] },
  "kube-system/system:controller:cloud-provider": { to: [account("cloud-provider")] },
  "kube-system/system:controller:token-cleaner": { to: [account("token-cleaner")] },
};

function namespaceBindings(): readonly RoleBinding[] {
  return Object.entries(NAMESPACE_BOUND).map(([key, { to, as }]) => ({
    apiVersion: API_VERSION,
    kind: "RoleBinding",
    metadata: metadata(as ?? key),
    roleRef: { apiGroup: GROUP, kind: "Role", name: metadata(key).name },
    subjects: to,
  }));
}

function clusterRole(
  name: string,
  rules: readonly PolicyRule[],
  labels: Readonly<Record<string, string>> = {},
): ClusterRole {
  const own = metadata(name);
  return {
    apiVersion: API_VERSION,
    kind: "ClusterRole",
    metadata: { ...own, labels: { ...own.labels, ...labels } },
    rules,
  };
}

/** A role whose rules are those of all roles labelled for it. */
function gathering(name: string, rules: readonly PolicyRule[], into?: string): ClusterRole {
  return {
    ...clusterRole(name, rules, into === undefined ? {} : gatheredInto(into)),
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: gatheredInto(name) }] },
  };
}

function gatheredInto(role: string): Readonly<Record<string, string>> {
  return { [`rbac.authorization.k8s.io/aggregate-to-${role}`]: "true" };
}

function clusterBinding(name: string, subjects: readonly Subject[]): ClusterRoleBinding {
  return {
    apiVersion: API_VERSION,
    kind: "ClusterRoleBinding",
    metadata: metadata(name),
    roleRef: { apiGroup: GROUP, kind: "ClusterRole", name },
    ...(subjects.length === 0 ? {} : { subjects }),
  };
}

/** @param key `name`, or `namespace/name` */
function metadata(key: string) {
  const slash = key.indexOf("/");
  return {
    name: key.slice(slash + 1),
    ...(slash < 0 ? {} : { namespace: key.slice(0, slash) }),
    labels: { "kubernetes.io/bootstrapping": "rbac-defaults" },
    annotations: { "rbac.authorization.kubernetes.io/autoupdate": "true" },
  };
}

function group(name: string): Subject {
  return { apiGroup: GROUP, kind: "Group", name };
}

function user(name: string): Subject {
  return { apiGroup: GROUP, kind: "User", name };
}

function account(name: string): Subject {
  return { kind: "ServiceAccount", name, namespace: "kube-system" };
}
