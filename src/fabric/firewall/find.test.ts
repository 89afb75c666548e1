import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import type { NftChain, NftRule } from "#wire/nftables-rule";
import type { FilterDump, NftTableDump } from "./dump.ts";
import { findFirewalls } from "./find.ts";
import type { FirewallNeeds } from "./traffic.ts";

const needs: FirewallNeeds = {
  clusterCidrs: [parseCidr("10.42.0.0/16")],
  serviceCidrs: [parseCidr("10.43.0.0/16")],
  nodeIps: [parseIp("192.0.2.11")],
  peerIps: [parseIp("192.0.2.12"), parseIp("192.0.2.13")],
  ports: { tunnels: { 4: [8472], 6: [8472] }, api: undefined, kubelet: 10_250 },
  links: { bridge: "cni0", tunnel: { 4: "flannel.1" }, underlay: { 4: "eth0" } },
};

type Rules = Readonly<Record<string, readonly string[]>>;

/** A table whose chains only lead to each other, but for their policy. */
function table(
  name: string,
  hook: "input" | "forward",
  base: string,
  chains: Rules,
  family: NftTableDump["family"] = "ip",
): FilterDump {
  const all = { [base]: [], ...chains };
  const of = (chain: string) => ({ family, table: name, chain, handle: 1 });
  return {
    old: [],
    nft: [
      {
        family,
        name,
        sets: new Map(),
        chains: Object.entries(all).map(([chain, jumps]) => ({
          chain: {
            ...of(chain),
            base: chain === base ? { hook, type: "filter", priority: 0, policy: "drop" as const } : undefined,
          } satisfies NftChain,
          rules: jumps.map(
            (to): NftRule => ({
              ...of(chain),
              expressions: [
                { kind: "verdict", verdict: to === "drop" ? { kind: "drop" } : { kind: "jump", chain: to } },
              ],
            }),
          ),
        })),
      },
    ],
  };
}

const cases = [
  {
    name: "iptables",
    dump: table("filter", "forward", "FORWARD", {}),
    says: "iptables drops IPv4 traffic to pods through this node: table ip filter, chain FORWARD (policy drop)",
    fix: ["iptables -I FORWARD -s 10.42.0.0/16 -j ACCEPT", "iptables -I FORWARD -d 10.42.0.0/16 -j ACCEPT"],
  },
  {
    name: "Docker leaves a chain to others",
    dump: table("filter", "forward", "FORWARD", { FORWARD: ["DOCKER-USER"], "DOCKER-USER": [] }),
    says: "Docker's rules drop IPv4 traffic to pods through this node: table ip filter, chain FORWARD (policy drop)",
    fix: [
      "iptables -I DOCKER-USER -s 10.42.0.0/16 -j ACCEPT",
      "iptables -I DOCKER-USER -d 10.42.0.0/16 -j ACCEPT",
    ],
  },
  {
    name: "ufw",
    dump: table("filter", "forward", "FORWARD", {
      FORWARD: ["ufw-reject-forward"],
      "ufw-reject-forward": ["drop"],
    }),
    says: "ufw drops IPv4 traffic to pods through this node: table ip filter, chain ufw-reject-forward (a rule)",
    fix: ["ufw route allow from 10.42.0.0/16", "ufw route allow to 10.42.0.0/16"],
  },
  {
    name: "ufw, of the tunnel",
    dump: table("filter", "input", "INPUT", { INPUT: ["ufw-before-input"], "ufw-before-input": [] }),
    kind: "tunnel",
    says: "ufw drops IPv4 other nodes' tunnels (8472/udp): table ip filter, chain INPUT (policy drop)",
    fix: [
      "ufw allow proto udp from 192.0.2.12 to any port 8472",
      "ufw allow proto udp from 192.0.2.13 to any port 8472",
    ],
  },
  {
    name: "firewalld's zone",
    dump: table(
      "firewalld",
      "input",
      "filter_INPUT",
      {
        filter_INPUT: ["filter_INPUT_POLICIES"],
        filter_INPUT_POLICIES: ["filter_IN_home_net", "drop"],
        filter_IN_home_net: ["filter_IN_home_net_allow"],
        filter_IN_home_net_allow: [],
      },
      "inet",
    ),
    kind: "tunnel",
    says: "firewalld drops IPv4 other nodes' tunnels (8472/udp): table inet firewalld, chain filter_INPUT_POLICIES (a rule)",
    fix: ["firewall-cmd --permanent --zone=home_net --add-port=8472/udp", "firewall-cmd --reload"],
  },
  {
    name: "somebody's table, with a name that a shell reads",
    dump: table("my table;'", "input", "in", {}, "inet"),
    kind: "kubelet",
    says: "an nftables table drops IPv4 servers' requests to this node's kubelet (10250/tcp): table inet my table;', chain in (policy drop)",
    fix: [
      "nft insert rule inet 'my table;'\\''' in ip saddr 192.0.2.12 tcp dport 10250 accept",
      "nft insert rule inet 'my table;'\\''' in ip saddr 192.0.2.13 tcp dport 10250 accept",
    ],
  },
  {
    name: "what Kubernetes left",
    dump: table("filter", "forward", "FORWARD", { FORWARD: ["KUBE-POD-FW-X"], "KUBE-POD-FW-X": ["drop"] }),
    says: "rules that Kubernetes left drop IPv4 traffic to pods through this node: table ip filter, chain KUBE-POD-FW-X (a rule)",
    fix: ["twill cleanup --rules"],
  },
] as const;

for (const each of cases)
  test(each.name, () => {
    const kind = "kind" in each ? each.kind : "pods";
    const found = findFirewalls(each.dump, needs).find(({ drops }) => drops === kind);
    assert.equal(found?.summary, each.says);
    assert.deepEqual(found?.fix, each.fix);
  });

test("the old tables' own program where iptables writes them, and the other's own where it does not", () => {
  const old = { iptablesIsOld: true, hasCloudSetup: false };
  const [first] = findFirewalls(table("filter", "forward", "FORWARD", {}), needs, old);
  assert.equal(first?.fix[0], "iptables-nft -I FORWARD -s 10.42.0.0/16 -j ACCEPT");
});

test("many nodes get one rule for the port", () => {
  const peerIps = Array.from({ length: 9 }, (_, i) => parseIp(`192.0.2.${20 + i}`));
  const found = findFirewalls(table("filter", "input", "INPUT", {}), { ...needs, peerIps });
  assert.deepEqual(found.find(({ drops }) => drops === "tunnel")?.fix, [
    "iptables -I INPUT -p udp --dport 8472 -j ACCEPT",
  ]);
});

test("a table of another family, or none, is in nobody's way", () => {
  assert.deepEqual(findFirewalls(table("filter", "forward", "FORWARD", {}, "ip6"), needs), []);
  assert.deepEqual(findFirewalls({ nft: [], old: [] }, needs), []);
});

test("nm-cloud-setup is told of", () => {
  const [found] = findFirewalls({ nft: [], old: [] }, needs, { iptablesIsOld: false, hasCloudSetup: true });
  assert.equal(found?.owner, "nm-cloud-setup");
  assert.equal(found?.isCertain, false);
});
