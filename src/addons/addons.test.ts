import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "#addr/ip";
import { openFakeClient } from "#kube/fake/client";
import type { ConfigMap, Deployment, Node } from "#kube/generated/types";
import { openInformer } from "#kube/open-informer";
import { CONFIG_MAPS, NODES } from "#kube/resources";
import { systemClock } from "#life/clock";
import { silentLog } from "#telemetry/log";
import { parseManifest } from "./manifest.ts";
import { formatNodeHosts, runNodeHosts } from "./node-hosts.ts";
import { corednsManifest } from "./packaged/coredns.ts";

test("a manifest is its objects in order; empty documents are nothing, lists are opened", () => {
  const text =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n# nothing\n---\napiVersion: v1\nkind: ConfigMapList\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n";
  assert.deepEqual(
    parseManifest(text, "f.yaml").map(({ metadata }) => metadata.name),
    ["a", "b", "c"],
  );
  assert.deepEqual(parseManifest("", "f.yaml"), []);
  assert.equal(
    parseManifest('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"j"}}', "f.json").length,
    1,
  );
});

for (const [what, text, says] of [
  ["broken YAML", "a: 1\nb: [\n", /f\.yaml, line \d/],
  ["an object without a kind", "metadata: {name: x}", /needs apiVersion and kind/],
  ["an object without a name", "apiVersion: v1\nkind: Pod\nmetadata: {}", /Pod has no metadata\.name/],
  ["a word", "hello", /needs apiVersion and kind/],
] as const) {
  test(`${what} is refused with the file's name`, () =>
    assert.throws(() => parseManifest(text, "f.yaml"), says));
}

for (const [families, ips] of [
  ["one family", ["10.43.0.10"]],
  ["two families", ["10.43.0.10", "2001:db8:43::a"]],
] as const) {
  test(`CoreDNS is packaged for ${families} as K3s packages it`, () => {
    const text = corednsManifest({ clusterDns: ips.map(parseIp), clusterDomain: "example.org" });
    const objects = parseManifest(text, "coredns.yaml");
    assert.deepEqual(
      objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
      [
        "ServiceAccount coredns",
        "ClusterRole system:coredns",
        "ClusterRoleBinding system:coredns",
        "ConfigMap coredns",
        "Deployment coredns",
        "Service kube-dns",
      ],
    );
    const [, , , config, deployment, service] = objects;
    assert.match(
      (config as ConfigMap).data?.["Corefile"] ?? "",
      /kubernetes example\.org in-addr\.arpa ip6\.arpa \{/,
    );
    assert.equal((deployment as Deployment).spec?.template.spec?.dnsPolicy, "Default");
    assert.equal((deployment as Deployment).spec?.replicas, undefined);
    assert.deepEqual(
      (service as unknown as { spec: { clusterIPs: string[]; ipFamilyPolicy: string } }).spec.clusterIPs,
      ips,
    );
  });
}

function node(name: string, addresses: readonly (readonly [string, string])[]): Node {
  return {
    metadata: { name },
    status: { addresses: addresses.map(([type, address]) => ({ type, address })) },
  };
}

test("node names for DNS: internal addresses only, sorted, IPv4 first, an own host name added", () => {
  const nodes = [
    node("b", [
      ["InternalIP", "192.0.2.10"],
      ["Hostname", "b"],
    ]),
    node("a", [
      ["InternalIP", "192.0.2.9"],
      ["InternalIP", "2001:db8::9"],
      ["ExternalIP", "198.51.100.1"],
      ["Hostname", "host-a"],
    ]),
    node("c", [["Hostname", "c"]]),
    node("d", [["InternalIP", "not an address"]]),
  ];
  assert.equal(formatNodeHosts(nodes), "192.0.2.9 a host-a\n192.0.2.10 b\n2001:db8::9 a host-a\n");
});

test("the config map follows the nodes, and its other keys are left alone", async () => {
  const stop = new AbortController();
  const client = openFakeClient();
  const watching = { clock: systemClock, log: silentLog, signal: stop.signal };
  await client.create(CONFIG_MAPS, {
    metadata: { namespace: "kube-system", name: "coredns" },
    data: { Corefile: "x" },
  });
  const running = runNodeHosts({
    ...watching,
    client,
    nodes: openInformer(client, NODES, watching),
    configMaps: openInformer(client, CONFIG_MAPS, watching),
  });
  const configMaps = openInformer(client, CONFIG_MAPS, watching);
  const seen = new Promise<ConfigMap>((resolve) => {
    configMaps.subscribe((change) => {
      if (change.type !== "removed" && change.object.data?.["NodeHosts"]?.includes("192.0.2.1 n"))
        resolve(change.object);
    });
  });
  await client.create(NODES, node("n", [["InternalIP", "192.0.2.1"]]));
  assert.deepEqual((await seen).data, { Corefile: "x", NodeHosts: "192.0.2.1 n\n" });
  stop.abort();
  await running;
});
