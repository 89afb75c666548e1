import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { CONNTRACK_DEFAULTS } from "#service/conntrack-settings";
import type { KubeProxyArgs } from "./kube-proxy-args.ts";
import { readAgentConfig, readServerConfig } from "./read-config.ts";

const directory = mkdtempSync(join(tmpdir(), "kube-proxy-args-"));
after(() => rmSync(directory, { recursive: true, force: true }));
const config = join(directory, "config.yaml");
writeFileSync(config, "");

function read(...args: string[]) {
  return readServerConfig(
    ["--node-name=n1", `--config=${config}`, ...args.map((arg) => `--kube-proxy-arg=${arg}`)],
    {},
  );
}

function good(...args: string[]): KubeProxyArgs {
  const reading = read(...args);
  assert.equal(reading.kind, "good", reading.kind === "bad" ? reading.problems.join("\n") : "");
  return reading.config.node.kubeProxy;
}

const USUAL: KubeProxyArgs = {
  nodeName: undefined,
  pods: { kind: "cidrs", cidrs: undefined },
  masqueradeAll: false,
  nodePortAddresses: undefined,
  localhostNodePorts: true,
  conntrack: CONNTRACK_DEFAULTS,
  healthz: { kind: "at", ip: undefined, port: 10256 },
  metrics: { kind: "at", ip: undefined, port: 10249 },
  bindAddressHardFail: false,
  syncPeriodMs: 30_000,
  verbosity: 0,
};

test("nothing said is what K3s gives its kube-proxy", () => assert.deepEqual(good(), USUAL));

describe("an argument of kube-proxy that means something is taken", () => {
  const cases: readonly (readonly [readonly string[], Partial<KubeProxyArgs>])[] = [
    [["--hostname-override= Node-A "], { nodeName: "node-a" }],
    [
      ["cluster-cidr=10.0.0.0/8,fd00::/8"],
      { pods: { kind: "cidrs", cidrs: cidrs("10.0.0.0/8", "fd00::/8") } },
    ],
    [["detect-local-mode=NodeCIDR"], { pods: { kind: "node-cidrs" } }],
    [
      ["detect-local-mode=BridgeInterface", "pod-bridge-interface=cni0"],
      { pods: { kind: "interface", name: "cni0", isPrefix: false } },
    ],
    [
      ["detect-local-mode=InterfaceNamePrefix", "pod-interface-name-prefix=veth"],
      { pods: { kind: "interface", name: "veth", isPrefix: true } },
    ],
    [["masquerade-all"], { masqueradeAll: true }],
    [["iptables-masquerade-bit=14"], {}],
    [["nodeport-addresses=primary"], { nodePortAddresses: "primary" }],
    [
      ["nodeport-addresses=192.0.2.0/24", "nodeport-addresses=2001:db8::/64, 198.51.100.7/32"],
      { nodePortAddresses: cidrs("192.0.2.0/24", "2001:db8::/64", "198.51.100.7/32") },
    ],
    [["iptables-localhost-nodeports=false"], { localhostNodePorts: false }],
    [["proxy-mode=iptables"], {}],
    [["proxy-mode=ipvs"], { localhostNodePorts: false }],
    [["proxy-mode=nftables"], { localhostNodePorts: false, nodePortAddresses: "primary" }],
    [
      [
        ...["conntrack-max-per-core=0", "conntrack-min=1", "conntrack-tcp-timeout-established=0s"],
        ...["conntrack-tcp-timeout-close-wait=1m30s", "conntrack-tcp-be-liberal=true"],
        ...["conntrack-udp-timeout=10s", "conntrack-udp-timeout-stream=2m"],
      ],
      {
        conntrack: {
          ...{ maxPerCore: 0, min: 1, lowersMax: true, tcpEstablishedSeconds: 0, tcpCloseWaitSeconds: 90 },
          ...{ tcpBeLiberal: true, udpSeconds: 10, udpStreamSeconds: 120 },
        },
      },
    ],
    [["healthz-bind-address=0.0.0.0"], { healthz: listen("0.0.0.0", 10256) }],
    [["healthz-bind-address=[::]:1", "healthz-port=2"], { healthz: listen("::", 1) }],
    [["healthz-bind-address=192.0.2.1", "healthz-port=2"], { healthz: listen("192.0.2.1", 2) }],
    [["healthz-bind-address=192.0.2.1:1", "healthz-port=0"], { healthz: { kind: "off" } }],
    [["metrics-bind-address=::1"], { metrics: listen("::1", 10249) }],
    [["metrics-port=9999"], { metrics: { kind: "at", ip: undefined, port: 9999 } }],
    [["metrics-bind-address="], { metrics: { kind: "off" } }],
    [["metrics-bind-address=127.0.0.1:0"], { metrics: { kind: "off" } }],
    [["bind-address-hard-fail"], { bindAddressHardFail: true }],
    [["iptables-sync-period=1m", "v=4"], { syncPeriodMs: 60_000, verbosity: 4 }],
  ];
  for (const [args, want] of cases)
    test(args.join(" "), () => assert.deepEqual(good(...args), { ...USUAL, ...want }));
});

describe("one without effect is told", () => {
  for (const [arg, why] of [
    [
      "proxy-mode=ipvs",
      /^--kube-proxy-arg=proxy-mode: ipvs: Twill routes services by one program of nftables/,
    ],
    [
      "ipvs-scheduler=rr",
      /^--kube-proxy-arg=ipvs-scheduler: has no effect: routing is a program of nftables/,
    ],
    ["iptables-min-sync-period=10s", /programmed as soon as it is heard of/],
    ["kube-api-qps=50", /^--kube-proxy-arg=kube-api-qps: has no effect/],
    ["bind-address=192.0.2.1", /--node-ip/],
  ] as const)
    test(arg, () => assert.match(read(arg).warnings.join("\n"), why));
});

describe("one that cannot be is refused by its name", () => {
  for (const [args, why] of [
    [["cluster-cidr=10.42.0.0"], /^--kube-proxy-arg=cluster-cidr: "10.42.0.0" is not such as 10.42.0.0\/16/],
    [["cluster-cidr=10.0.0.0/8,11.0.0.0/8"], /several networks of one family/],
    [
      ["detect-local-mode=Bridge"],
      /^--kube-proxy-arg=detect-local-mode: "Bridge" is not ClusterCIDR, NodeCIDR/,
    ],
    [
      ["detect-local-mode=BridgeInterface"],
      /^--kube-proxy-arg=pod-bridge-interface: is needed by detect-local-mode/,
    ],
    [["pod-bridge-interface=a b"], /"a b" is not an interface such as cni0/],
    [["masquerade-all=yes"], /^--kube-proxy-arg=masquerade-all: "yes" is not true or false/],
    [["iptables-masquerade-bit=3"], /^--kube-proxy-arg=iptables-masquerade-bit: .* bit 14/],
    [
      ["nodeport-addresses=eth0"],
      /^--kube-proxy-arg=nodeport-addresses: "eth0" is not such as 192.0.2.0\/24/,
    ],
    [["nodeport-addresses=primary,192.0.2.0/24"], /^--kube-proxy-arg=nodeport-addresses: give CIDRs or/],
    [["proxy-mode=userspace"], /^--kube-proxy-arg=proxy-mode: "userspace" is not a mode on Linux/],
    [["conntrack-min=-1"], /^--kube-proxy-arg=conntrack-min: "-1" is not a whole number such as 32768/],
    [
      ["conntrack-udp-timeout=5"],
      /^--kube-proxy-arg=conntrack-udp-timeout: "5" is not a duration such as 1h/,
    ],
    [["healthz-bind-address=localhost"], /"localhost" is not an address such as 127.0.0.1:10256/],
    [["metrics-port=65536"], /^--kube-proxy-arg=metrics-port: "65536" is not a port/],
    [["iptables-sync-period=0"], /"0" is not a duration such as 30s/],
    [["config=/etc/x"], /^--kube-proxy-arg: config: files of kube-proxy's are not read/],
    [["kubeconfig=/etc/x"], /^--kube-proxy-arg: kubeconfig: a node has its own credentials/],
    [["hostname-overide=x"], /^--kube-proxy-arg: hostname-overide .* did you mean hostname-override\?/],
  ] as const)
    test(args.join(" "), () => {
      const reading = read(...args);
      assert.equal(reading.kind, "bad");
      assert.match(reading.problems.join("\n"), why);
    });
});

test("an agent's, and a list in a file", () => {
  const file = join(directory, "agent.yaml");
  writeFileSync(file, "kube-proxy-arg:\n- masquerade-all=true\n- v=3\n");
  const reading = readAgentConfig(
    ["--node-name=n1", `--config=${file}`, "--server=https://192.0.2.1:6443", "--token=x"],
    {},
  );
  assert.equal(reading.kind, "good");
  const { masqueradeAll, verbosity } = reading.config.node.kubeProxy;
  assert.deepEqual([masqueradeAll, verbosity], [true, 3]);
});

function cidrs(...texts: string[]) {
  return texts.map((text) => parseCidr(text));
}

function listen(ip: string, port: number) {
  return { kind: "at", ip: parseIp(ip), port } as const;
}
