import assert from "node:assert/strict";
import { test } from "node:test";
import { readCall } from "./call.ts";
import type { Call } from "./frame.ts";
import { type ErrorReason, PluginError } from "./plugin-error.ts";

const ENV = {
  CNI_COMMAND: "ADD",
  CNI_CONTAINERID: "abc",
  CNI_NETNS: "/run/netns/x",
  CNI_IFNAME: "eth0",
  CNI_PATH: "/opt/cni/bin",
};
const CONFIG = { cniVersion: "1.1.0", name: "cbr0", type: "twill-cni" };
const call = (env: Record<string, string | undefined> = {}, config: unknown = {}): Call => ({
  env: Object.fromEntries(
    Object.entries({ ...ENV, ...env }).filter((pair): pair is [string, string] => pair[1] !== undefined),
  ),
  stdin: typeof config === "string" ? config : JSON.stringify({ ...CONFIG, ...(config as object) }),
});

const refusals: readonly [what: string, call: Call, code: ErrorReason, says: RegExp][] = [
  ["no command", call({ CNI_COMMAND: undefined }), "badEnvironment", /\[CNI_COMMAND\] missing/],
  ["another command", call({ CNI_COMMAND: "ATTACH" }), "badEnvironment", /unknown CNI_COMMAND: ATTACH/],
  ["a command of objects", call({ CNI_COMMAND: "constructor" }), "badEnvironment", /unknown/],
  ["ADD without an id", call({ CNI_CONTAINERID: undefined }), "badEnvironment", /\[CNI_CONTAINERID\]/],
  ["ADD with an empty id", call({ CNI_CONTAINERID: "" }), "badEnvironment", /\[CNI_CONTAINERID\]/],
  ["ADD without a namespace", call({ CNI_NETNS: undefined }), "badEnvironment", /\[CNI_NETNS\]/],
  ["ADD without an interface", call({ CNI_IFNAME: undefined }), "badEnvironment", /\[CNI_IFNAME\]/],
  ["ADD without a path", call({ CNI_PATH: undefined }), "badEnvironment", /\[CNI_PATH\]/],
  [
    "ADD without anything",
    { env: { CNI_COMMAND: "ADD" }, stdin: "" },
    "badEnvironment",
    /\[CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH\]/,
  ],
  ["CHECK without a namespace", call({ CNI_COMMAND: "CHECK", CNI_NETNS: "" }), "badEnvironment", /NETNS/],
  ["DEL without an id", call({ CNI_COMMAND: "DEL", CNI_CONTAINERID: "" }), "badEnvironment", /CONTAINERID/],
  ["GC without a path", call({ CNI_COMMAND: "GC", CNI_PATH: "" }), "badEnvironment", /CNI_PATH/],
  ["an id with a slash", call({ CNI_CONTAINERID: "a/b" }), "badEnvironment", /invalid characters/],
  ["an id that is a flag", call({ CNI_CONTAINERID: "-a" }), "badEnvironment", /invalid characters/],
  ["an interface with a slash", call({ CNI_IFNAME: "a/b" }), "badEnvironment", /interface name/],
  ["an interface with a colon", call({ CNI_IFNAME: "a:b" }), "badEnvironment", /interface name/],
  ["an interface of dots", call({ CNI_IFNAME: ".." }), "badEnvironment", /interface name/],
  ["an interface of 16 bytes", call({ CNI_IFNAME: "a".repeat(16) }), "badEnvironment", /interface name/],
  ["ARGS that nobody knows", call({ CNI_ARGS: "FOO=1" }), "badEnvironment", /unknown args \["FOO"\]/],
  ["ARGS without a value", call({ CNI_ARGS: "IgnoreUnknown" }), "badEnvironment", /invalid pair/],
  ["nothing on stdin", call({}, ""), "decoding", /Cannot read/],
  ["a list on stdin", call({}, "[]"), "decoding", /Cannot read/],
  [
    "a well without a bottom",
    call({}, `{"a":${"[".repeat(400_000)}${"]".repeat(400_000)}}`),
    "decoding",
    /Cannot read/,
  ],
  ["a version that is none", call({}, { cniVersion: "2.0.0" }), "incompatibleVersion", /incompatible CNI/],
  ["CHECK of old", call({ CNI_COMMAND: "CHECK" }, { cniVersion: "0.3.1" }), "incompatibleVersion", /0\.4\.0/],
  ["GC of old", call({ CNI_COMMAND: "GC" }, { cniVersion: "1.0.0" }), "incompatibleVersion", /1\.1\.0/],
  ["STATUS of old", call({ CNI_COMMAND: "STATUS" }, { cniVersion: "1.0.0" }), "incompatibleVersion", /1\.1/],
  ["no name", call({}, { name: undefined }), "badConfig", /missing network name/],
  ["a name that is a path", call({}, { name: "../x" }), "badConfig", /network name/],
  ["a name that is a number", call({}, { name: 7 }), "badConfig", /name.*not a string/],
  ["another's addresses", call({}, { ipam: { type: "host-local" } }), "unsupportedField", /ipam/],
  ["a range", call({}, { runtimeConfig: { ipRanges: [[{}]] } }), "unsupportedField", /ipRanges/],
  ["a MAC that is none", call({}, { runtimeConfig: { mac: "nonsense" } }), "badConfig", /hardware address/],
  ["an address that is none", call({ CNI_ARGS: "IP=1.2.3" }), "badConfig", /1\.2\.3/],
  ["a port without its pod's", call({}, ports({ hostPort: 1 })), "badConfig", /containerPort/],
  ["a port that is text", call({}, ports({ hostPort: "1", containerPort: 1 })), "badConfig", /whole number/],
  ["a burst without a rate", call({}, { ingressBurst: 1 }), "badConfig", /without a rate/],
  ["a setting that is a number", call({}, { sysctl: { "net.a": 1 } }), "badConfig", /not a string/],
  [
    "GC with a list that is none",
    call({ CNI_COMMAND: "GC" }, { "cni.dev/valid-attachments": 1 }),
    "badConfig",
    /list/,
  ],
  [
    "GC with a nameless one",
    call({ CNI_COMMAND: "GC" }, { "cni.dev/valid-attachments": [{}] }),
    "badConfig",
    /ID/,
  ],
];
for (const [what, bad, code, says] of refusals)
  test(`${what} is refused with ${code}`, () => {
    assert.throws(
      () => readCall(bad),
      (error) => error instanceof PluginError && error.code === code && says.test(error.message),
    );
  });

function ports(mapping: object) {
  return { runtimeConfig: { portMappings: [mapping] } };
}

test("what is no verb's business is not looked at", () => {
  assert.deepEqual(readCall({ env: { CNI_COMMAND: "VERSION" }, stdin: "rubbish" }), {
    verb: "VERSION",
    version: "1.1.0",
  });
  assert.equal(readCall({ env: { CNI_COMMAND: "STATUS" }, stdin: JSON.stringify(CONFIG) }).verb, "STATUS");
  const gc = { CNI_COMMAND: "GC", CNI_CONTAINERID: undefined, CNI_NETNS: undefined, CNI_IFNAME: undefined };
  assert.deepEqual(
    readCall(call(gc, { "cni.dev/valid-attachments": [{ containerID: "a", ifname: "eth0" }] })),
    { verb: "GC", version: "1.1.0", network: "cbr0", valid: [{ containerId: "a", ifname: "eth0" }] },
  );
  assert.deepEqual(
    readCall(call(gc, { "cni.dev/attachments": [{ containerID: "a", ifname: "eth0" }] })),
    readCall(call(gc, { "cni.dev/valid-attachments": [{ containerID: "a", ifname: "eth0" }] })),
  );
  const del = { CNI_COMMAND: "DEL", CNI_NETNS: undefined, CNI_ARGS: "FOO=1" };
  assert.deepEqual(readCall(call(del, { cniVersion: undefined, ipam: {} })), {
    verb: "DEL",
    version: "0.1.0",
    key: { containerId: "abc", ifname: "eth0" },
  });
});

function attachment(env: Record<string, string>, config: object) {
  const read = readCall(call(env, config));
  assert.equal(read.verb, "ADD");
  return read.attachment;
}

test("wishes are read wherever they may stand, the runtime's first", () => {
  const args = { args: { cni: { mac: "02:00:00:00:00:02", ips: ["fd00::9"] } }, mac: "02:00:00:00:00:04" };
  const env = { CNI_ARGS: "IgnoreUnknown=1;FOO=1;MAC=02:00:00:00:00:03;IP=10.42.3.9" };
  const runtimeConfig = { mac: "02:00:00:00:00:0A", ips: ["10.42.3.9/24"] };
  assert.equal(attachment(env, { ...args, runtimeConfig }).mac, "02:00:00:00:00:0a");
  assert.equal(attachment(env, args).mac, "02:00:00:00:00:02");
  assert.equal(attachment(env, { mac: args.mac }).mac, "02:00:00:00:00:03");
  assert.equal(attachment({}, { mac: args.mac }).mac, args.mac);
  assert.deepEqual(attachment(env, { ...args, runtimeConfig }).ips, ["10.42.3.9", "fd00::9"]);
  assert.deepEqual(attachment({ CNI_ARGS: "IP=10.42.3.9,fd00::7" }, {}).ips, ["10.42.3.9", "fd00::7"]);
});

test("ports, bandwidth, tuning and DNS are read", () => {
  const read = attachment(
    {},
    {
      mtu: 1300,
      promisc: true,
      allmulti: false,
      txQLen: 0,
      sysctl: { "net.core.somaxconn": "500" },
      container_settings: { allow_ip_forwarding: true },
      dns: { nameservers: ["10.43.0.10"], domain: "d", search: ["a"], options: ["ndots:5"] },
      egressRate: 5,
      runtimeConfig: {
        portMappings: [
          { hostPort: 80, containerPort: 8080, protocol: "udp", hostIP: "127.0.0.1" },
          { containerPort: 1 },
        ],
        bandwidth: { ingressRate: 1000, ingressBurst: 2000, egressRate: 0, egressBurst: 0 },
        dns: { searches: ["b"] },
      },
    },
  );
  assert.deepEqual(read.portMappings, [
    { hostPort: 80, containerPort: 8080, protocol: "udp", hostIP: "127.0.0.1" },
    { hostPort: 0, containerPort: 1, protocol: "tcp", hostIP: undefined },
  ]);
  assert.deepEqual(read.bandwidth, { ingressBits: 1000, ingressBurstBits: 2000 });
  assert.deepEqual(read.tuning, {
    sysctls: { "net.core.somaxconn": "500", "net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1" },
    mtuBytes: 1300,
    isPromiscuous: true,
    isAllMulticast: false,
    sendQueueLength: 0,
  });
  assert.deepEqual(read.dns, {
    nameservers: ["10.43.0.10"],
    domain: "d",
    search: ["b"],
    options: ["ndots:5"],
  });
  assert.deepEqual(attachment({}, { egressRate: 5 }).bandwidth, { egressBits: 5 });
});

test("keys are read in any case, as containerd writes them", () => {
  const runtimeConfig = {
    portMappings: [{ HostPort: 80, ContainerPort: 8080, Protocol: "TCP", HostIP: "" }],
    bandwidth: { IngressRate: 8, IngressBurst: 9 },
    dns: { Servers: ["10.43.0.10"], Searches: [], Options: null },
  };
  const read = attachment({}, { runtimeConfig });
  assert.deepEqual(read.portMappings, [{ hostPort: 80, containerPort: 8080, protocol: "TCP", hostIP: "" }]);
  assert.deepEqual(read.bandwidth, { ingressBits: 8, ingressBurstBits: 9 });
  assert.deepEqual(read.dns, { nameservers: ["10.43.0.10"] });
});

test("whether pods may forward is left alone, allowed or forbidden", () => {
  const settings = (container_settings: object | undefined) =>
    attachment({}, { container_settings }).tuning.sysctls?.["net.ipv4.ip_forward"];
  assert.equal(settings(undefined), undefined);
  assert.equal(settings({ allow_ip_forwarding: true }), "1");
  assert.equal(settings({ allow_ip_forwarding: false }), "0");
});
