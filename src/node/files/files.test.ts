import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Pod, PodSpec } from "#kube/generated/types";
import { podHostname } from "./hostname.ts";
import { hostNetworkHosts, podHosts } from "./hosts.ts";
import { formatResolvConf, parseResolvConf, resolverConfig } from "./resolv-conf.ts";

const inputs = {
  clusterDns: ["10.43.0.10"],
  clusterDomain: "cluster.local",
  node: { servers: ["192.0.2.53"], searches: ["lan"], options: ["edns0"] },
};

describe("resolv.conf by dnsPolicy", () => {
  const cluster =
    "search shop.svc.cluster.local svc.cluster.local cluster.local lan\nnameserver 10.43.0.10\noptions ndots:5\n";
  const node = "search lan\nnameserver 192.0.2.53\noptions edns0\n";
  const cases: readonly { name: string; spec: Partial<PodSpec>; want: string }[] = [
    { name: "ClusterFirst", spec: { dnsPolicy: "ClusterFirst" }, want: cluster },
    { name: "unset", spec: {}, want: cluster },
    {
      name: "ClusterFirst on the host's network",
      spec: { dnsPolicy: "ClusterFirst", hostNetwork: true },
      want: node,
    },
    {
      name: "ClusterFirstWithHostNet",
      spec: { dnsPolicy: "ClusterFirstWithHostNet", hostNetwork: true },
      want: cluster,
    },
    { name: "Default", spec: { dnsPolicy: "Default" }, want: node },
    {
      name: "None",
      spec: {
        dnsPolicy: "None",
        dnsConfig: {
          nameservers: ["198.51.100.1"],
          searches: ["a.example"],
          options: [{ name: "ndots", value: "2" }, { name: "rotate" }],
        },
      },
      want: "search a.example\nnameserver 198.51.100.1\noptions ndots:2 rotate\n",
    },
    {
      name: "dnsConfig on top",
      spec: {
        dnsConfig: {
          nameservers: ["10.43.0.10", "198.51.100.1"],
          searches: ["lan", "more"],
          options: [{ name: "ndots", value: "1" }],
        },
      },
      want: "search shop.svc.cluster.local svc.cluster.local cluster.local lan more\nnameserver 10.43.0.10\nnameserver 198.51.100.1\noptions ndots:1\n",
    },
  ];
  for (const { name, spec, want } of cases)
    test(name, () => assert.equal(formatResolvConf(resolverConfig(spec, "shop", inputs).config), want));

  test("what resolvers do not take is dropped and told", () => {
    const nameservers = ["a", "b", "c", "d"].map((_, i) => `192.0.2.${i}`);
    const { config, dropped } = resolverConfig({ dnsConfig: { nameservers } }, "shop", inputs);
    assert.deepEqual([config.servers.length, dropped], [3, true]);
  });
});

test("a resolver file is read as resolvers read it", () => {
  const text =
    "# c\nnameserver 192.0.2.1 # x\nsearch old\nsearch a.example. .\nnameserver fe80::1%eth0\noptions ndots:2 rotate\n";
  assert.deepEqual(parseResolvConf(text), {
    servers: ["192.0.2.1", "fe80::1%eth0"],
    searches: ["a.example"],
    options: ["ndots:2", "rotate"],
  });
});

test("a pod's hosts file names the pod and its aliases", () => {
  const text = podHosts({
    ips: ["10.42.0.5", "fd42::5"],
    hostname: "web-0",
    fqdn: "web-0.web.shop.svc.cluster.local",
    aliases: [{ ip: "192.0.2.9", hostnames: ["db", "cache"] }],
  });
  assert.ok(
    text.startsWith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost"),
  );
  assert.ok(
    text.endsWith(
      "10.42.0.5\tweb-0.web.shop.svc.cluster.local\tweb-0\nfd42::5\tweb-0.web.shop.svc.cluster.local\tweb-0\n\n# Entries added by HostAliases.\n192.0.2.9\tdb\tcache\n",
    ),
  );
});

test("a pod of the host's network keeps the host's names", () => {
  const text = hostNetworkHosts("127.0.0.1 localhost", []);
  assert.equal(text, "# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n");
});

const hostnames: readonly { name: string; spec: Partial<PodSpec>; want: readonly (string | undefined)[] }[] =
  [
    { name: "its name", spec: {}, want: ["web-0", undefined] },
    { name: "hostname", spec: { hostname: "h" }, want: ["h", undefined] },
    { name: "a subdomain", spec: { subdomain: "web" }, want: ["web-0", "web-0.web.shop.svc.cluster.local"] },
    {
      name: "the full name in the kernel",
      spec: { subdomain: "web", setHostnameAsFQDN: true },
      want: ["web-0.web.shop.svc.cluster.local", "web-0.web.shop.svc.cluster.local"],
    },
    {
      name: "an override",
      spec: { hostnameOverride: "o.example", subdomain: "web" },
      want: ["o.example", undefined],
    },
  ];
for (const { name, spec, want } of hostnames) {
  test(`a pod's host name by ${name}`, () => {
    const pod: Pod = { metadata: { name: "web-0", namespace: "shop" }, spec: { containers: [], ...spec } };
    const { hostname, fqdn, short } = podHostname(pod, "cluster.local");
    assert.deepEqual([hostname, fqdn], want);
    assert.equal(
      short,
      want[0]?.replace(/\.web\.shop.*$/, ""),
      "without the domain that /etc/hosts has before it",
    );
  });
}

test("a long pod name is cut to what the kernel takes", () => {
  const pod: Pod = { metadata: { name: `${"a".repeat(62)}-tail` }, spec: { containers: [] } };
  assert.equal(podHostname(pod, "cluster.local").hostname, "a".repeat(62));
});
