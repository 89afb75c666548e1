import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { HOST_GW, VXLAN, WIREGUARD } from "./model.ts";
import { formatNetConf, type NetConf, readNetConf } from "./net-conf.ts";

const V4 = parseCidr("10.42.0.0/16");
const V6 = parseCidr("fd00:42::/56");
const KEY = `${"A".repeat(42)}A=`;

function read(conf: unknown) {
  return readNetConf(typeof conf === "string" ? conf : JSON.stringify(conf), "net-conf.json");
}
function good(conf: unknown): NetConf {
  const reading = read(conf);
  assert.equal(reading.kind, "good", JSON.stringify(reading));
  assert.deepEqual(reading.warnings, []);
  return (reading as typeof reading & { kind: "good" }).conf;
}
function withBackend(backend: unknown, more: object = {}) {
  return { Network: V4, Backend: backend, ...more };
}
const dual = { EnableIPv6: true, IPv6Network: V6 };

const taken: readonly (readonly [says: string, conf: unknown, means: NetConf])[] = [
  ["vxlan alone", withBackend({ Type: "vxlan" }), { networks: { 4: V4 }, backend: VXLAN }],
  [
    "every option of vxlan, keys in any case",
    withBackend({
      type: "VXLAN",
      vni: 7,
      Port: 4789,
      GBP: true,
      Learning: true,
      directrouting: true,
      mtu: 1400,
    }),
    {
      networks: { 4: V4 },
      backend: {
        kind: "vxlan",
        vni: 7,
        port: 4789,
        gbp: true,
        learning: true,
        directRouting: true,
        mtuBytes: 1400,
      },
    },
  ],
  [
    "port 0 is the kernel's own",
    withBackend({ Type: "vxlan", Port: 0 }),
    { networks: { 4: V4 }, backend: VXLAN },
  ],
  ["null is absent", withBackend({ Type: "vxlan", VNI: null }), { networks: { 4: V4 }, backend: VXLAN }],
  [
    "host-gw with both families",
    withBackend({ Type: "host-gw" }, { ...dual, EnableNFTables: true }),
    { networks: { 4: V4, 6: V6 }, backend: HOST_GW },
  ],
  [
    "wireguard's defaults are flannel's",
    withBackend({ Type: "wireguard" }),
    { networks: { 4: V4 }, backend: { ...WIREGUARD, keepaliveSeconds: 0 } },
  ],
  [
    "every option of wireguard; its MTU is the underlay's",
    withBackend(
      {
        Type: "wireguard",
        ListenPort: 1,
        ListenPortV6: 2,
        PSK: KEY,
        PersistentKeepaliveInterval: 9,
        MTU: 1500,
        Mode: "auto",
      },
      dual,
    ),
    {
      networks: { 4: V4, 6: V6 },
      backend: {
        kind: "wireguard",
        listenPorts: { 4: 1, 6: 2 },
        presharedKey: KEY,
        keepaliveSeconds: 9,
        mtuBytes: 1420,
        mode: "auto",
      },
    },
  ],
  [
    "a family K3s writes as all addresses is not there",
    { Network: "0.0.0.0/0", EnableIPv4: false, ...dual, Backend: { Type: "vxlan" } },
    { networks: { 6: V6 }, backend: VXLAN },
  ],
];
for (const [says, conf, means] of taken) test(says, () => assert.deepEqual(good(conf), means));

for (const [kind, backend] of [
  ["vxlan", VXLAN],
  ["host-gw", HOST_GW],
  ["wireguard", WIREGUARD],
] as const) {
  for (const cidrs of [[V4], [V6], [V4, V6], [V6, V4]]) {
    test(`the ${kind} file of ${cidrs.join(" and ")} says the same when it is read`, () => {
      const { networks, ...rest } = good(formatNetConf(cidrs, kind));
      assert.deepEqual(rest, { backend });
      assert.deepEqual(new Set(Object.values(networks)), new Set(cidrs));
    });
  }
}

test("the file is K3s's to the letter", () => {
  assert.equal(
    formatNetConf([V4], "wireguard"),
    `{
\t"Network": "10.42.0.0/16",
\t"EnableIPv6": false,
\t"EnableIPv4": true,
\t"IPv6Network": "::/0",
\t"Backend": {
\t"Type": "wireguard",
\t"PersistentKeepaliveInterval": 25
}
}
`,
  );
});

const vxlan = (options: object, more: object = {}) => withBackend({ Type: "vxlan", ...options }, more);
const wireguard = (options: object, more: object = {}) =>
  withBackend({ Type: "wireguard", ...options }, more);
const refused: readonly (readonly [conf: unknown, says: RegExp])[] = [
  ["{", /net-conf\.json: is not JSON: /],
  ["[]", /is not an object such as/],
  [{ Network: V4 }, /Backend is missing, which is flannel's udp; write \{"Type": "vxlan"\}/],
  [withBackend("vxlan"), /Backend is "vxlan"; write \{"Type"/],
  [withBackend({}), /Backend\.Type is missing, which is flannel's udp/],
  [withBackend({ Type: 1 }), /Backend\.Type is 1; write vxlan, host-gw or wireguard/],
  [withBackend({ Type: "vxlann" }), /Backend\.Type is "vxlann"; write vxlan/],
  [withBackend({ Type: "constructor" }), /Backend\.Type is "constructor"; write/],
  [withBackend({ Type: "wireguard-native" }), /flannel's word is wireguard/],
  ...(
    ["udp", "alloc", "extension", "ipip", "ipsec", "tencent-vpc", "ali-vpc", "aws-vpc", "gce"] as const
  ).map((type) => [withBackend({ Type: type }), new RegExp(`Backend\\.Type ${type} .*use `)] as const),
  [vxlan({ VNI: "1" }), /Backend\.VNI is "1"; write a whole number from 1 to 16777215, such as 1$/],
  [vxlan({ VNI: 0 }), /VNI is 0; write/],
  [vxlan({ VNI: 1.5 }), /VNI is 1\.5; write/],
  [vxlan({ VNI: 16777216 }), /VNI is 16777216; write/],
  [vxlan({ Port: 65536 }), /Port is 65536; write a whole number from 0 to 65535, such as 8472/],
  [vxlan({ GBP: "yes" }), /Backend\.GBP is "yes"; write true or false, without quotes/],
  [vxlan({ MTU: 600 }), /MTU is 600; packets of pods would not fit; write 626 or more/],
  [vxlan({ MTU: 1280 }, dual), /write 1350 or more/],
  [wireguard({ PSK: "secret" }), /Backend\.PSK is no key; write 32 bytes in base64/],
  [wireguard({ Mode: "both" }), /Mode is "both"; write separate, auto, ipv4, ipv6/],
  [wireguard({ Mode: "ipv6" }), /Mode is "ipv6"; the network has no IPv6; write separate/],
  [wireguard({ ListenPortV6: 51820 }, dual), /ListenPortV6 is 51820; two devices cannot share a port/],
  [wireguard({ PersistentKeepaliveInterval: -1 }), /PersistentKeepaliveInterval is -1; write .* 0 to 65535/],
  [{ Backend: { Type: "vxlan" } }, /Network is missing; write .* "10\.42\.0\.0\/16", or "EnableIPv4": false/],
  [vxlan({}, { EnableIPv6: true }), /IPv6Network is missing; write .*fd00:42::\/56/],
  [vxlan({}, { EnableIPv4: false }), /EnableIPv4 and EnableIPv6 are both false/],
  [vxlan({}, { EnableIPv6: "true" }), /EnableIPv6 is "true"; write true or false/],
  [vxlan({}, { Network: V6 }), /Network is "fd00:42::\/56"; write an IPv4 network/],
  [vxlan({}, { Network: "10.42.0.0" }), /Network is "10\.42\.0\.0"; write/],
  [vxlan({}, { Network: ["10.42.0.0/16"] }), /Network is \["10\.42\.0\.0\/16"\]; write/],
  [vxlan({}, { SubnetLen: 24 }), /SubnetLen is for flannel on etcd; .*node-cidr-mask-size: leave it out/],
  [vxlan({}, { IPv6SubnetMin: "fd00::" }), /IPv6SubnetMin is for flannel on etcd/],
];
for (const [conf, says] of refused) {
  test(`refused: ${typeof conf === "string" ? conf : JSON.stringify(conf)}`, () => {
    const reading = read(conf);
    assert.equal(reading.kind, "bad", JSON.stringify(reading));
    const problems = reading.kind === "bad" ? reading.problems : [];
    assert.match(problems.join("\n"), says);
    assert.equal(problems.length, 1, problems.join("\n"));
  });
}

test("a wrong key is not told", () => {
  assert.ok(!JSON.stringify(read(wireguard({ PSK: "hunter2" }))).includes("hunter2"));
});

const warned: readonly (readonly [conf: unknown, says: RegExp])[] = [
  [
    vxlan({ Prot: 1 }),
    /^net-conf\.json: Backend\.Prot is not an option of vxlan and is ignored; did you mean Port\?$/,
  ],
  [vxlan({ MacPrefix: "0E-2A" }), /Backend\.MacPrefix is not an option of vxlan and is ignored$/],
  [wireguard({ Keepalive: 1 }), /Keepalive is not an option of wireguard/],
  [withBackend({ Type: "host-gw", MTU: 1 }), /MTU is not an option of host-gw/],
  [vxlan({}, { netwrok: V4 }), /netwrok is not an option of flannel and is ignored; did you mean Network\?/],
  [vxlan({}, { IPv6Network: V6 }), /IPv6Network is ignored, because "EnableIPv6" is not true/],
  [
    vxlan({}, { Network: "10.42.7.0/16" }),
    /Network is "10\.42\.7\.0\/16", which is read as 10\.42\.0\.0\/16/,
  ],
];
for (const [conf, says] of warned) {
  test(`warned of: ${JSON.stringify(conf)}`, () => {
    const reading = read(conf);
    assert.equal(reading.kind, "good", JSON.stringify(reading));
    assert.match(reading.warnings.join("\n"), says);
  });
}

test("whatever the text is, it is read or refused in sentences", () => {
  let seed = 5;
  const next = (below: number) => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return seed % below;
  };
  const values = [
    null,
    true,
    0,
    -1,
    1e300,
    "",
    "vxlan",
    "wireguard",
    V4,
    V6,
    [],
    {},
    "__proto__",
    { Type: "vxlan" },
  ];
  const keys = [
    "Network",
    "IPv6Network",
    "EnableIPv4",
    "EnableIPv6",
    "Backend",
    "__proto__",
    "constructor",
    "x",
  ];
  const inner = ["Type", "VNI", "Port", "MTU", "PSK", "Mode", "ListenPort", "toString"];
  const pick = <T>(from: readonly T[]): T => from[next(from.length)] as T;
  const object = (from: readonly string[]) =>
    Object.fromEntries(Array.from({ length: next(6) }, () => [pick(from), pick(values)]));
  for (let i = 0; i < 4000; i++) {
    const bytes = JSON.stringify({
      ...object(keys),
      ...(next(2) === 0 ? { Backend: object(inner) } : {}),
    }).split("");
    for (let cuts = next(3); cuts > 0; cuts--)
      bytes.splice(next(bytes.length), next(3), ...pick(["", '"', "{", "9"]));
    const text = bytes.join("");
    const reading = read(text);
    if (reading.kind === "bad") assert.ok(reading.problems.length > 0, text);
    else assert.ok(Object.keys(reading.conf.networks).length > 0, text);
  }
});
