import assert from "node:assert/strict";
import { test } from "node:test";
import type { Service } from "#kube/generated/types";
import { SERVICELB } from "../names.ts";
import { desiredDaemonSet } from "./daemonset.ts";
import { SERVICELB_DEFAULTS } from "./model.ts";

const config = SERVICELB_DEFAULTS;

function service(spec: Service["spec"] = {}, metadata: Partial<Service["metadata"]> = {}): Service {
  return {
    metadata: { name: "web", namespace: "shop", uid: "1f0c9e2a-0000-4000-8000-000000000001", ...metadata },
    spec: {
      type: "LoadBalancer",
      ipFamilies: ["IPv4"],
      clusterIPs: ["10.43.0.7"],
      ports: [{ port: 80, protocol: "TCP", nodePort: 30080 }],
      ...spec,
    },
  };
}

const podOf = (from: Service, isKept = false) =>
  desiredDaemonSet(from, { config, isKept }).spec.template.spec;
const envOf = (from: Service) =>
  (podOf(from)?.containers ?? []).map(({ env }) =>
    Object.fromEntries(
      (env ?? []).map(({ name, value, valueFrom }) => [name, value ?? valueFrom?.fieldRef?.fieldPath]),
    ),
  );

test("the whole of it, as K3s makes it", () => {
  const name = "svclb-web-1f0c9e2a";
  const labels = {
    "svccontroller.k3s.cattle.io/svcname": "web",
    "svccontroller.k3s.cattle.io/svcnamespace": "shop",
  };
  const spec = { ipFamilies: ["IPv4", "IPv6"], clusterIPs: ["10.43.0.7", "fd43::7"] };
  assert.deepEqual(desiredDaemonSet(service(spec), { config, isKept: false }), {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: {
      name,
      namespace: "kube-system",
      labels: {
        ...labels,
        "svccontroller.k3s.cattle.io/nodeselector": "false",
        "objectset.rio.cattle.io/hash": "a69f935c53e7ba97194c385d0fb1645331d0b923",
      },
      annotations: {
        "objectset.rio.cattle.io/id": "",
        "objectset.rio.cattle.io/owner-gvk": "/v1, Kind=Service",
        "objectset.rio.cattle.io/owner-name": "web",
        "objectset.rio.cattle.io/owner-namespace": "shop",
      },
    },
    spec: {
      selector: { matchLabels: { app: name } },
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } },
      template: {
        metadata: { labels: { app: name, ...labels } },
        spec: {
          priorityClassName: "system-node-critical",
          serviceAccountName: "svclb",
          automountServiceAccountToken: false,
          securityContext: {
            sysctls: [
              { name: "net.ipv4.ip_forward", value: "1" },
              { name: "net.ipv6.conf.all.forwarding", value: "1" },
            ],
          },
          tolerations: [
            { key: "node-role.kubernetes.io/control-plane", operator: "Exists", effect: "NoSchedule" },
            { key: "CriticalAddonsOnly", operator: "Exists" },
          ],
          containers: [
            {
              name: "lb-tcp-80",
              image: "rancher/klipper-lb:v0.4.17",
              imagePullPolicy: "IfNotPresent",
              ports: [{ name: "lb-tcp-80", containerPort: 80, hostPort: 80, protocol: "TCP" }],
              env: [
                { name: "SRC_PORT", value: "80" },
                { name: "SRC_RANGES", value: "0.0.0.0/0,::/0" },
                { name: "DEST_PROTO", value: "TCP" },
                { name: "DEST_PORT", value: "80" },
                { name: "DEST_IPS", value: "10.43.0.7,fd43::7" },
              ],
              securityContext: { capabilities: { add: ["NET_ADMIN"] } },
            },
          ],
        },
      },
    },
  });
});

test("policy Local goes to the node's own node port; without one to the Service's address", () => {
  const ports = [{ port: 53, protocol: "UDP", nodePort: 30053 }];
  assert.partialDeepStrictEqual(envOf(service({ externalTrafficPolicy: "Local", ports })), [
    { SRC_PORT: "53", DEST_PROTO: "UDP", DEST_PORT: "30053", DEST_IPS: "status.hostIPs" },
  ]);
  const bare = [{ port: 53, protocol: "SCTP" }];
  assert.partialDeepStrictEqual(envOf(service({ externalTrafficPolicy: "Local", ports: bare })), [
    { SRC_PORT: "53", DEST_PROTO: "SCTP", DEST_PORT: "53", DEST_IPS: "10.43.0.7" },
  ]);
});

test("one container for each port and protocol", () => {
  const ports = ["TCP", "UDP", "SCTP"].map((protocol) => ({ port: 5353, protocol }));
  assert.deepEqual(
    podOf(service({ ports }))?.containers.map(({ name, ports }) => [name, ports?.[0]?.protocol]),
    [
      ["lb-tcp-5353", "TCP"],
      ["lb-udp-5353", "UDP"],
      ["lb-sctp-5353", "SCTP"],
    ],
  );
});

for (const { pool, isKept, expected } of [
  { pool: undefined, isKept: false, expected: undefined },
  { pool: "a", isKept: false, expected: undefined },
  { pool: undefined, isKept: true, expected: { [SERVICELB.enable]: "true" } },
  { pool: "a", isKept: true, expected: { [SERVICELB.enable]: "true", [SERVICELB.pool]: "a" } },
])
  test(`pool ${pool}, ${isKept ? "some nodes labelled" : "no node labelled"}`, () => {
    const labels: Record<string, string> = pool ? { [SERVICELB.pool]: pool } : {};
    const made = desiredDaemonSet(service({}, { labels }), { config, isKept });
    assert.deepEqual(made.spec.template.spec?.nodeSelector, expected);
    assert.equal(made.metadata.labels?.[SERVICELB.nodeSelector], String(isKept));
  });

test("annotations of the Service are its pods'", () => {
  const annotations = {
    [SERVICELB.priorityClass]: "mine",
    [SERVICELB.tolerations]: "[{key: gpu, operator: Exists}]",
  };
  const pod = podOf(service({}, { annotations }));
  assert.equal(pod?.priorityClassName, "mine");
  assert.deepEqual(pod?.tolerations?.at(-1), { key: "gpu", operator: "Exists" });
});
