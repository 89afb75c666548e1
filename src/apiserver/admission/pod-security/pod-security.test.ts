import assert from "node:assert/strict";
import { test } from "node:test";
import type { Container, PodSecurityContext, PodSpec, SecurityContext } from "#kube/generated/types";
import { detailsOf, findings } from "./evaluate.ts";
import { type LevelVersion, readPolicy, showLevel } from "./level.ts";

/** A pod that the restricted level has nothing against. */
const HARDENED: SecurityContext = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" },
};

interface Given {
  readonly spec?: Partial<PodSpec>;
  readonly pod?: PodSecurityContext;
  readonly c?: Partial<Container>;
  readonly security?: SecurityContext;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly minor?: number;
}

function said(
  level: LevelVersion["level"],
  { spec, pod, c, security, annotations = {}, minor }: Given,
): string {
  const container: Container = { name: "c", image: "i", ...c, securityContext: { ...HARDENED, ...security } };
  const pods = {
    metadata: { annotations },
    spec: { containers: [container], ...spec, ...(pod === undefined ? {} : { securityContext: pod }) },
  };
  return detailsOf(findings(pods, { level, minor }));
}

const BASELINE: readonly (readonly [Given, string])[] = [
  [{}, ""],
  [
    { pod: { appArmorProfile: { type: "Unconfined" } } },
    'forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")',
  ],
  [
    { security: { appArmorProfile: { type: "Unconfined" } } },
    'forbidden AppArmor profile (container "c" must not set AppArmor profile type to "Unconfined")',
  ],
  [
    { annotations: { "container.apparmor.security.beta.kubernetes.io/c": "unconfined" } },
    'forbidden AppArmor profile (annotation must not set AppArmor profile type to "container.apparmor.security.beta.kubernetes.io/c="unconfined"")',
  ],
  [
    { security: { capabilities: { add: ["NET_ADMIN", "CHOWN"] } } },
    'non-default capabilities (container "c" must not include "NET_ADMIN" in securityContext.capabilities.add)',
  ],
  [
    { spec: { hostNetwork: true, hostPID: true, hostIPC: true } },
    "host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)",
  ],
  [
    {
      spec: {
        volumes: [
          { name: "v", hostPath: { path: "/" } },
          { name: "w", hostPath: { path: "/" } },
        ],
      },
    },
    'hostPath volumes (volumes "v", "w")',
  ],
  [
    {
      c: {
        ports: [
          { containerPort: 1, hostPort: 80 },
          { containerPort: 2, hostPort: 443 },
        ],
      },
    },
    'hostPort (container "c" uses hostPorts 443, 80)',
  ],
  [
    { c: { livenessProbe: { httpGet: { port: 80, host: "10.0.0.1" } } } },
    'probe or lifecycle host (container "c" uses probe or lifecycle host "10.0.0.1")',
  ],
  [{ c: { lifecycle: { preStop: { tcpSocket: { port: 80, host: "h" } } } }, minor: 33 }, ""],
  [
    { security: { privileged: true } },
    'privileged (container "c" must not set securityContext.privileged=true)',
  ],
  [
    { security: { procMount: "Unmasked" } },
    'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
  ],
  [{ security: { procMount: "Unmasked" }, spec: { hostUsers: false } }, ""],
  [
    { security: { seLinuxOptions: { type: "spc_t", user: "u", role: "r" } } },
    'seLinuxOptions (container "c" set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set; role may not be set)',
  ],
  [{ pod: { seLinuxOptions: { type: "container_engine_t" } } }, ""],
  [
    { pod: { seLinuxOptions: { type: "container_engine_t" } }, minor: 30 },
    'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "container_engine_t")',
  ],
  [
    { pod: { seccompProfile: { type: "Unconfined" } } },
    'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
  ],
  [
    { annotations: { "seccomp.security.alpha.kubernetes.io/pod": "unconfined" }, minor: 18 },
    'seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")',
  ],
  [
    {
      pod: {
        sysctls: [
          { name: "kernel.msgmax", value: "1" },
          { name: "net.ipv4.tcp_rmem", value: "1" },
        ],
      },
    },
    "forbidden sysctls (kernel.msgmax)",
  ],
  [
    { pod: { sysctls: [{ name: "net.ipv4.tcp_rmem", value: "1" }] }, minor: 31 },
    "forbidden sysctls (net.ipv4.tcp_rmem)",
  ],
  [
    { pod: { windowsOptions: { hostProcess: true } }, security: { windowsOptions: { hostProcess: true } } },
    'hostProcess (pod and container "c" must not set securityContext.windowsOptions.hostProcess=true)',
  ],
];

for (const [given, expected] of BASELINE)
  test(`baseline: ${JSON.stringify(given)}`, () => assert.equal(said("baseline", given), expected));

const RESTRICTED: readonly (readonly [Given, string])[] = [
  [{}, ""],
  [
    { security: { allowPrivilegeEscalation: true } },
    'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false)',
  ],
  [{ security: { allowPrivilegeEscalation: true }, spec: { os: { name: "windows" } } }, ""],
  [
    { security: { capabilities: { add: ["NET_ADMIN"] } } },
    'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]; container "c" must not include "NET_ADMIN" in securityContext.capabilities.add)',
  ],
  [{ security: { capabilities: { drop: ["ALL"], add: ["NET_BIND_SERVICE"] } } }, ""],
  [
    { security: { procMount: "Unmasked" }, spec: { hostUsers: false } },
    'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
  ],
  [
    {
      spec: {
        volumes: [
          { name: "v", hostPath: { path: "/" } },
          { name: "w", nfs: { path: "/", server: "s" } },
        ],
      },
    },
    'restricted volume types (volumes "v", "w" use restricted volume types "hostPath", "nfs")',
  ],
  [
    {
      spec: {
        volumes: [
          { name: "v", emptyDir: {} },
          { name: "s", secret: { secretName: "x" } },
        ],
      },
    },
    "",
  ],
  [
    { security: { runAsNonRoot: false } },
    'runAsNonRoot != true (container "c" must not set securityContext.runAsNonRoot=false)',
  ],
  [
    { pod: { runAsNonRoot: false } },
    "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)",
  ],
  [{ security: { runAsUser: 0 } }, 'runAsUser=0 (container "c" must not set runAsUser=0)'],
  [{ security: { runAsUser: 0 }, spec: { hostUsers: false } }, ""],
  [
    { security: { seccompProfile: { type: "Unconfined" } } },
    'seccompProfile (container "c" must not set securityContext.seccompProfile.type to "Unconfined")',
  ],
];

for (const [given, expected] of RESTRICTED)
  test(`restricted: ${JSON.stringify(given)}`, () => assert.equal(said("restricted", given), expected));

test("everything at once, baseline first, by the checks' names", () => {
  const pod = {
    spec: {
      hostPID: true,
      initContainers: [{ name: "i", image: "i" }],
      containers: [{ name: "c", image: "i" }],
    },
  };
  assert.equal(
    detailsOf(findings(pod, { level: "restricted", minor: undefined })),
    'host namespaces (hostPID=true), allowPrivilegeEscalation != false (containers "i", "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (containers "i", "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or containers "i", "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or containers "i", "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  );
  assert.deepEqual(findings(pod, { level: "privileged", minor: undefined }), []);
});

const LABELS: readonly (readonly [Record<string, string>, string, number])[] = [
  [{}, "privileged:latest privileged:latest privileged:latest", 0],
  [{ enforce: "baseline" }, "baseline:latest privileged:latest baseline:latest", 0],
  [
    { enforce: "restricted", "enforce-version": "v1.20", warn: "baseline" },
    "restricted:v1.20 privileged:latest baseline:latest",
    0,
  ],
  [{ enforce: "strict", audit: "x", warn: "y" }, "restricted:latest privileged:latest privileged:latest", 3],
  [
    { enforce: "baseline", "enforce-version": "1.2", audit: "restricted" },
    "baseline:latest restricted:latest baseline:latest",
    1,
  ],
  [
    { enforce: "baseline", "enforce-version": "v1.9223372036854775808" },
    "baseline:latest privileged:latest baseline:latest",
    1,
  ],
];

for (const [labels, expected, wrong] of LABELS)
  test(`labels ${JSON.stringify(labels)}`, () => {
    const given = Object.fromEntries(
      Object.entries(labels).map(([key, value]) => [`pod-security.kubernetes.io/${key}`, value]),
    );
    const { policy, errors } = readPolicy(given);
    assert.equal([policy.enforce, policy.audit, policy.warn].map(showLevel).join(" "), expected);
    assert.equal(errors.length, wrong);
  });
