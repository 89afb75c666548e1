import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Container, Pod, Service } from "#kube/generated/types";
import { amountOf } from "#kube/quantity";
import { containerEnv } from "./container-env.ts";
import { fieldValue, resourceValue } from "./downward.ts";
import { parseEnvFile, readEnvFile } from "./env-file.ts";
import { expand } from "./expand.ts";
import { serviceEnv } from "./service-env.ts";

describe("expansion", () => {
  const known: Readonly<Record<string, string>> = { A: "1", B: "$(A)", EMPTY: "" };
  const cases: readonly [string, string][] = [
    ["$(A)", "1"],
    ["x$(A)y$(A)", "x1y1"],
    ["$(NONE)", "$(NONE)"],
    ["$$(A)", "$(A)"],
    ["$$$(A)", "$1"],
    ["$A", "$A"],
    ["$(B)", "$(A)"],
    ["$(EMPTY)", ""],
    ["$(A", "$(A"],
    ["$", "$"],
    ["a$$b", "a$b"],
  ];
  for (const [text, want] of cases)
    test(`${text} becomes ${want}`, () =>
      assert.equal(
        expand(text, (name) => known[name]),
        want,
      ));
});

describe("quantities", () => {
  const cases: readonly [string, number | undefined][] = [
    ["1", 1],
    ["250m", 0.25],
    ["64Mi", 67_108_864],
    ["1.5Gi", 1_610_612_736],
    ["1e3", 1000],
    ["1E3", 1000],
    ["2E", 2e18],
    ["100k", 100_000],
    ["x", undefined],
    ["", undefined],
  ];
  for (const [text, want] of cases)
    test(`${JSON.stringify(text)} is ${want}`, () => assert.equal(amountOf(text), want));
});

const service = (name: string, namespace: string, clusterIP: string, ports: object[]): Service =>
  ({ metadata: { name, namespace }, spec: { clusterIP, ports } }) as Service;

describe("service variables", () => {
  const all = [
    service("kubernetes", "default", "10.43.0.1", [{ name: "https", port: 443 }]),
    service("my-db", "shop", "10.43.0.9", [
      { name: "sql-port", port: 5432 },
      { name: "stats", port: 9000, protocol: "UDP" },
    ]),
    service("headless", "shop", "None", [{ port: 80 }]),
    service("six", "shop", "fd00::9", [{ port: 80 }]),
    service("elsewhere", "other", "10.43.0.8", [{ port: 80 }]),
  ];
  test("name the pod's own services and the API", () => {
    assert.deepEqual(serviceEnv(all, { namespace: "shop", links: true }), {
      KUBERNETES_SERVICE_HOST: "10.43.0.1",
      KUBERNETES_SERVICE_PORT: "443",
      KUBERNETES_SERVICE_PORT_HTTPS: "443",
      KUBERNETES_PORT: "tcp://10.43.0.1:443",
      KUBERNETES_PORT_443_TCP: "tcp://10.43.0.1:443",
      KUBERNETES_PORT_443_TCP_PROTO: "tcp",
      KUBERNETES_PORT_443_TCP_PORT: "443",
      KUBERNETES_PORT_443_TCP_ADDR: "10.43.0.1",
      MY_DB_SERVICE_HOST: "10.43.0.9",
      MY_DB_SERVICE_PORT: "5432",
      MY_DB_SERVICE_PORT_SQL_PORT: "5432",
      MY_DB_SERVICE_PORT_STATS: "9000",
      MY_DB_PORT: "tcp://10.43.0.9:5432",
      MY_DB_PORT_5432_TCP: "tcp://10.43.0.9:5432",
      MY_DB_PORT_5432_TCP_PROTO: "tcp",
      MY_DB_PORT_5432_TCP_PORT: "5432",
      MY_DB_PORT_5432_TCP_ADDR: "10.43.0.9",
      MY_DB_PORT_9000_UDP: "udp://10.43.0.9:9000",
      MY_DB_PORT_9000_UDP_PROTO: "udp",
      MY_DB_PORT_9000_UDP_PORT: "9000",
      MY_DB_PORT_9000_UDP_ADDR: "10.43.0.9",
      SIX_SERVICE_HOST: "fd00::9",
      SIX_SERVICE_PORT: "80",
      SIX_PORT: "tcp://[fd00::9]:80",
      SIX_PORT_80_TCP: "tcp://[fd00::9]:80",
      SIX_PORT_80_TCP_PROTO: "tcp",
      SIX_PORT_80_TCP_PORT: "80",
      SIX_PORT_80_TCP_ADDR: "fd00::9",
    });
  });
  test("without links only the API is named", () => {
    const names = Object.keys(serviceEnv(all, { namespace: "shop", links: false }));
    assert.ok(names.every((name) => name.startsWith("KUBERNETES_")));
  });
});

const pod: Pod = {
  metadata: {
    name: "web-0",
    namespace: "shop",
    uid: "u1",
    labels: { app: "web", "a/b": 'say "x"' },
    annotations: { note: "two\nlines" },
  },
  spec: { nodeName: "n1", serviceAccountName: "robot", containers: [] },
};
const facts = {
  hostIps: ["192.0.2.1", "fd00::1"],
  podIps: ["10.42.0.5", "fd42::5"],
  allocatable: { cpu: "4", memory: "8Gi" },
};

describe("downward API", () => {
  const fields: readonly [string, string][] = [
    ["metadata.name", "web-0"],
    ["metadata.namespace", "shop"],
    ["metadata.uid", "u1"],
    ["metadata.labels['app']", "web"],
    ["metadata.annotations['none']", ""],
    ["metadata.labels", 'a/b="say \\"x\\""\napp="web"'],
    ["metadata.annotations", 'note="two\\nlines"'],
    ["spec.nodeName", "n1"],
    ["spec.serviceAccountName", "robot"],
    ["status.hostIP", "192.0.2.1"],
    ["status.hostIPs", "192.0.2.1,fd00::1"],
    ["status.podIP", "10.42.0.5"],
    ["status.podIPs", "10.42.0.5,fd42::5"],
  ];
  for (const [path, want] of fields) test(path, () => assert.equal(fieldValue(pod, path, facts), want));
  test("an unknown field is refused", () =>
    assert.throws(() => fieldValue(pod, "spec.replicas", facts), /unsupported/));

  const container: Container = {
    name: "c",
    resources: { limits: { cpu: "250m" }, requests: { memory: "64Mi" } },
  };
  const resources: readonly [string, string | undefined, string][] = [
    ["limits.cpu", undefined, "1"],
    ["limits.cpu", "1m", "250"],
    ["requests.cpu", "1m", "250"],
    ["requests.memory", "1Mi", "64"],
    ["limits.memory", "1Gi", "8"],
  ];
  for (const [resource, divisor, want] of resources)
    test(`${resource} by ${divisor ?? 1}`, () =>
      assert.equal(resourceValue(container, { resource, divisor }, facts), want));
});

describe("a container's environment", () => {
  const sources = {
    pod,
    facts,
    services: { DB_SERVICE_HOST: "10.43.0.9", A: "service" },
    configMap: (name: string) =>
      name === "cfg" ? { metadata: { name }, data: { A: "config", color: "green" } } : undefined,
    secret: (name: string) =>
      name === "pw"
        ? { metadata: { name }, data: { word: Buffer.from("hush").toString("base64") } }
        : undefined,
    volumes: new Map<string, string>(),
  };
  const make = (container: Omit<Container, "name">) => containerEnv({ name: "c", ...container }, sources);

  test("later sources win, and what is defined so far can be used", () => {
    const { env, command, args } = make({
      envFrom: [{ configMapRef: { name: "cfg" } }, { prefix: "S_", secretRef: { name: "pw" } }],
      env: [
        { name: "A", value: "own" },
        { name: "B", value: "$(A)-$(DB_SERVICE_HOST)-$(LATER)" },
        { name: "LATER", value: "x" },
        { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
        { name: "WORD", valueFrom: { secretKeyRef: { name: "pw", key: "word" } } },
        { name: "NONE", valueFrom: { configMapKeyRef: { name: "cfg", key: "none", optional: true } } },
      ],
      command: ["/run", "$(B)"],
      args: ["$(UNKNOWN)"],
    });
    assert.deepEqual(env, {
      DB_SERVICE_HOST: "10.43.0.9",
      A: "own",
      color: "green",
      S_word: "hush",
      B: "own-10.43.0.9-$(LATER)",
      LATER: "x",
      IP: "10.42.0.5",
      WORD: "hush",
    });
    assert.deepEqual([command, args], [["/run", "own-10.43.0.9-$(LATER)"], ["$(UNKNOWN)"]]);
  });

  const refused: readonly [string, Omit<Container, "name">, string][] = [
    ["a missing configMap", { envFrom: [{ configMapRef: { name: "no" } }] }, 'configmap "no" not found'],
    [
      "a missing key",
      { env: [{ name: "X", valueFrom: { configMapKeyRef: { name: "cfg", key: "k" } } }] },
      "couldn't find key k in ConfigMap shop/cfg",
    ],
    [
      "a missing secret",
      { env: [{ name: "X", valueFrom: { secretKeyRef: { name: "no", key: "k" } } }] },
      'secret "no" not found',
    ],
  ];
  for (const [name, container, message] of refused)
    test(`${name} holds the container back`, () =>
      assert.throws(() => make(container), { code: "CreateContainerConfigError", message }));
});

describe("a variable from a file", () => {
  const text = `# a remark
  A='1' # another
B='two
lines'

EMPTY= 'x'
`;
  const cases: readonly [key: string, text: string, want: string | RegExp][] = [
    ["A", text, "1"],
    ["B", text, "two\nlines"],
    ["EMPTY", text, ""],
    ["NONE", text, ""],
    ["A", "A=1", /line 1: the value is not in single quotes/],
    ["A", "A =''", /line 1 is not such as/],
    ["A", "X='\nA='1'", /something follows the quote/],
    ["A", "A='x", /line 1: the quote is not closed/],
    ["A", "A='1' x", /something follows/],
    ["A", "='1'", /line 1 is not such as/],
  ];
  for (const [key, lines, want] of cases)
    test(`${key} of ${JSON.stringify(lines.slice(0, 12))}`, () => {
      if (want instanceof RegExp) assert.throws(() => parseEnvFile(lines, key), want);
      else assert.equal(parseEnvFile(lines, key), want);
    });

  test("comes from the volume and from nowhere else", () => {
    const dir = mkdtempSync(join(tmpdir(), "twt-env-"));
    try {
      const volume = join(dir, "volume");
      mkdirSync(volume);
      writeFileSync(join(volume, "own"), "A='own'");
      writeFileSync(join(dir, "secret"), "A='secret'");
      symlinkSync("../secret", join(volume, "link"));
      symlinkSync("own", join(volume, "inner"));
      assert.equal(readEnvFile(volume, "own", "A"), "own");
      assert.equal(readEnvFile(volume, "inner", "A"), "own");
      for (const path of ["link", "../secret", "none", "."])
        assert.throws(() => readEnvFile(volume, path, "A"), /not a file of the volume|failed to open/);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
