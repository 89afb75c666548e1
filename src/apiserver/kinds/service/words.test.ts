import assert from "node:assert/strict";
import { test } from "node:test";
import type { PodSpec, ServiceSpec } from "#kube/generated/types";
import { podWarnings } from "../pod/warnings.ts";
import { serviceWarnings } from "./warnings.ts";

const services: readonly (readonly [ServiceSpec, readonly string[]])[] = [
  [{ type: "ClusterIP", sessionAffinity: "None" }, []],
  [
    { type: "ClusterIP", clusterIP: "None", clusterIPs: ["None"], sessionAffinity: "ClientIP" },
    ["spec.SessionAffinity is ignored for headless services"],
  ],
  [
    {
      type: "NodePort",
      sessionAffinity: "None",
      externalIPs: ["FD00::1"],
      trafficDistribution: "PreferClose",
    },
    [
      'spec.externalIPs[0]: IPv6 address "FD00::1" should be in RFC 5952 canonical format ("fd00::1")',
      "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
      'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
    ],
  ],
  [
    { type: "LoadBalancer", sessionAffinity: "None", loadBalancerSourceRanges: ["10.1.2.3/8"] },
    [
      'spec.loadBalancerSourceRanges[0]: CIDR value "10.1.2.3/8" is ambiguous in this context (should be "10.0.0.0/8" or "10.1.2.3/32"?)',
    ],
  ],
];

for (const [spec, warnings] of services)
  test(`a ${spec.type} Service is warned of ${warnings.length} things`, () => {
    assert.deepEqual(serviceWarnings({ metadata: { name: "s" }, spec }, undefined), warnings);
  });

const app = { name: "c", image: "x:1" };
const pods: readonly (readonly [string, Partial<PodSpec>, readonly string[]])[] = [
  [
    "a term that selects nobody",
    {
      affinity: {
        podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: "t" }] },
      },
    },
    [
      "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector: a null labelSelector results in matching no pod",
    ],
  ],
  [
    "a file where a folder is needed",
    {
      volumes: [
        {
          name: "v",
          configMap: {
            name: "m",
            items: [
              { key: "a", path: "p" },
              { key: "b", path: "p/q" },
            ],
          },
        },
      ],
    },
    ['volume "v" (ConfigMap "m"): overlapping paths: "p/q" with "p"'],
  ],
  [
    "one port in two containers",
    {
      containers: [
        { ...app, ports: [{ name: "http", containerPort: 80, protocol: "TCP" }] },
        { ...app, name: "d", ports: [{ name: "http", containerPort: 80, protocol: "TCP" }] },
      ],
    },
    [
      "spec.containers[1].ports[0]: duplicate port definition with spec.containers[0].ports[0]",
      'spec.containers[1].ports[0]: duplicate port name "http" with spec.containers[0].ports[0], services and probes that select ports by name will use spec.containers[0].ports[0]',
    ],
  ],
];

for (const [name, spec, warnings] of pods)
  test(`a pod is warned of ${name}`, () => {
    const pod = { metadata: { name: "p" }, spec: { containers: [app], ...spec } };
    assert.deepEqual(podWarnings("", pod, undefined), warnings);
  });
