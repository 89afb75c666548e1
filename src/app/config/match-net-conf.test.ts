import assert from "node:assert/strict";
import { test } from "node:test";
import { type Cidr, parseCidr } from "#addr/cidr";
import type { FabricBackend } from "#fabric/model";
import { formatNetConf, readNetConf } from "#fabric/net-conf";
import type { FlannelBackend } from "#join/cluster-config";
import { matchNetConf } from "./match-net-conf.ts";

const V4 = parseCidr("10.42.0.0/16");
const V6 = parseCidr("fd00:42::/56");

interface Case {
  readonly says: string;
  readonly file: readonly [cidrs: readonly Cidr[], kind: FabricBackend["kind"]];
  readonly cluster: readonly [cidrs: readonly Cidr[], backend: FlannelBackend];
  readonly problem?: RegExp;
  readonly warning?: RegExp;
}
const cases: readonly Case[] = [
  { says: "the same", file: [[V4, V6], "wireguard"], cluster: [[V6, V4], "wireguard-native"] },
  {
    says: "a family too many",
    file: [[V4, V6], "vxlan"],
    cluster: [[V4], "vxlan"],
    problem: /^F: IPv6Network is fd00:42::\/56, and the cluster has no .*; write "EnableIPv6": false$/,
  },
  {
    says: "a family too few",
    file: [[V6], "vxlan"],
    cluster: [[V4, V6], "vxlan"],
    problem: /^F: Network is missing, .*; write "EnableIPv4": true, "Network": "10\.42\.0\.0\/16"$/,
  },
  {
    says: "another network",
    file: [[parseCidr("10.42.0.0/17")], "vxlan"],
    cluster: [[V4], "vxlan"],
    problem: /^F: Network is 10\.42\.0\.0\/17, .*; write "Network": "10\.42\.0\.0\/16"$/,
  },
  {
    says: "a larger network",
    file: [[parseCidr("10.0.0.0/8")], "vxlan"],
    cluster: [[V4], "vxlan"],
    warning: /is more than the cluster's/,
  },
  {
    says: "another backend",
    file: [[V4], "host-gw"],
    cluster: [[V4], "vxlan"],
    warning: /Backend\.Type host-gw differs from the cluster's --flannel-backend=vxlan/,
  },
  { says: "no fabric", file: [[V4], "vxlan"], cluster: [[V6], "none"], warning: /is not used/ },
];
for (const { says, file, cluster, problem, warning } of cases) {
  test(`a net-conf.json beside its cluster: ${says}`, () => {
    const reading = readNetConf(formatNetConf(...file), "F");
    assert.ok(reading.kind === "good");
    const { problems, warnings } = matchNetConf(
      { file: "F", conf: reading.conf },
      { clusterCidrs: cluster[0], flannelBackend: cluster[1] },
    );
    for (const [sentences, expected] of [
      [problems, problem],
      [warnings, warning],
    ] as const) {
      assert.equal(sentences.length, expected ? 1 : 0, sentences.join("; "));
      if (expected) assert.match(sentences[0] ?? "", expected);
    }
  });
}
