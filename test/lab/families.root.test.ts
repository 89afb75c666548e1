/** Clusters of both families, and of IPv6 alone: what a first user would try on them, in each family. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { request } from "undici";
import type { Family } from "#addr/family";
import { familyOf, formatEndpoint, parseIp } from "#addr/ip";
import type { EndpointSlice, Node, Pod, Service } from "#kube/generated/types";
import { LAB_ROOTS } from "#lab/layout";
import { readRecord } from "#lab/record";
import { eventually, Lab, removeStaleLabs } from "./lab.ts";

interface Shape {
  readonly name: string;
  readonly suffix: string;
  /** The primary one first. */
  readonly families: readonly Family[];
}

const CIDRS = {
  4: { cluster: "10.42.0.0/16", service: "10.43.0.0/16", kubernetes: "10.43.0.1", dns: "10.43.0.10" },
  6: { cluster: "fd42::/56", service: "fd43::/112", kubernetes: "fd43::1", dns: "fd43::a" },
} as const;
const SHAPES: readonly Shape[] = [
  { name: "IPv4 and IPv6", suffix: "ds", families: [4, 6] },
  { name: "IPv6 and IPv4", suffix: "sd", families: [6, 4] },
  { name: "IPv6 only", suffix: "six", families: [6] },
];
const ROLES = ["server", "agent-1"];
const NODE_IPS = { server: ["172.30.0.11", "fd30::b"], "agent-1": ["172.30.0.12", "fd30::c"] } as const;
const NODE_PORT = 30_095;
const UDP_NODE_PORT = 30_096;
const RECORD_TYPE = { 4: "A", 6: "AAAA" } as const;

removeStaleLabs();
for (const shape of SHAPES) describe(`a cluster of ${shape.name}`, () => testShape(shape));

function testShape({ suffix, families }: Shape): void {
  const lab = new Lab(suffix);
  let web: readonly Pod[] = [];
  let both: Service;

  before(() => {
    const cidrs = (what: "cluster" | "service") => families.map((family) => CIDRS[family][what]).join(",");
    const flags = [`--cluster-cidr=${cidrs("cluster")}`, `--service-cidr=${cidrs("service")}`];
    const ran = lab.twill("up", "--nodes", "2", "--demo", ...flags);
    assert.equal(ran.code, 0, `${ran.out}${ran.err}`);
    web = lab.json<{ items: readonly Pod[] }>("get", "pods", "-l", "app=web").items;
    lab.apply(PREFER_DUAL_STACK);
    both = lab.json<Service>("get", "service", "both");
  });
  after(() => {
    lab.down();
  });

  const curl = (role: string, url: string) =>
    lab.inNode(role, "curl", "-gs", "-m", "5", "--retry", "5", "--retry-connrefused", url).out;
  const podIps = (pod: Pod) => pod.status?.podIPs?.map(({ ip }) => parseIp(ip)) ?? [];
  const clusterIps = () => both.spec?.clusterIPs?.map((ip) => parseIp(ip)) ?? [];
  const dig = (role: string, ...args: readonly string[]) =>
    lab.inNode(role, "dig", "+short", "+time=3", "+tries=2", ...args).out.trim();

  test("nodes and pods have an address of each family, the primary one first", () => {
    for (const node of lab.json<{ items: readonly Node[] }>("get", "nodes").items) {
      assert.deepEqual(node.spec?.podCIDRs?.map(familyOf), families);
      const internal = node.status?.addresses?.filter(({ type }) => type === "InternalIP") ?? [];
      assert.deepEqual(
        internal.map(({ address }) => familyOf(address)),
        families,
      );
    }
    for (const pod of lab.json<{ items: readonly Pod[] }>("get", "pods", "-A").items) {
      assert.deepEqual(podIps(pod).map(familyOf), families, pod.metadata.name);
      assert.equal(pod.status?.podIP, podIps(pod)[0]);
      assert.deepEqual(
        pod.status?.hostIPs?.map(({ ip }) => familyOf(ip)),
        families,
      );
    }
  });

  test("the API and DNS are services of the primary family, DNS of each", () => {
    const [primary = 4] = families;
    const kubernetes = lab.json<Service>("get", "service", "kubernetes").spec;
    assert.deepEqual(kubernetes?.clusterIPs, [CIDRS[primary].kubernetes]);
    const slices = lab.json<EndpointSlice>("get", "endpointslice", "kubernetes");
    assert.equal(slices.addressType, `IPv${primary}`);
    const dns = lab.json<Service>("-n", "kube-system", "get", "service", "kube-dns").spec;
    assert.deepEqual(
      dns?.clusterIPs,
      families.map((family) => CIDRS[family].dns),
    );
  });

  test("a service that prefers both families has an address of each, and endpoints for each", async () => {
    assert.deepEqual(clusterIps().map(familyOf), families);
    for (const family of families) {
      const want = web.flatMap((pod) => podIps(pod).filter((ip) => familyOf(ip) === family)).sort();
      await eventually(`endpoints of IPv${family}`, () => {
        const slices = lab.json<{ items: readonly EndpointSlice[] }>(
          "get",
          "endpointslices",
          "-l",
          "kubernetes.io/service-name=both",
        ).items;
        const got = slices
          .filter(({ addressType }) => addressType === `IPv${family}`)
          .flatMap(({ endpoints }) => endpoints?.flatMap(({ addresses }) => addresses) ?? []);
        return got.sort().join() === want.join() || undefined;
      });
    }
  });

  test("every pod reaches every web pod, itself among them, by each of the service's addresses, by TCP and UDP", async () => {
    const names = web.map((pod) => pod.metadata.name).sort();
    assert.equal(new Set(web.map((pod) => pod.spec?.nodeName)).size, ROLES.length, "on both nodes");
    for (const pod of web)
      for (const ip of clusterIps())
        for (const [protocol, port] of [
          ["http", 80],
          ["udp", 81],
        ] as const) {
          const heard = new Set<string>();
          const url = `http://${formatEndpoint(parseIp(pod.status?.podIP ?? ""), 8080)}/dial?host=${ip}&port=${port}&protocol=${protocol}&request=hostname&tries=10`;
          await eventually(`all answer ${pod.metadata.name} on ${ip} by ${protocol}`, () => {
            const { responses = [], errors = [] } = JSON.parse(curl("server", url)) as {
              responses?: readonly string[];
              errors?: readonly string[];
            };
            assert.deepEqual(errors, []);
            for (const name of responses) heard.add(name);
            return names.every((name) => heard.has(name)) || undefined;
          });
        }
  });

  test("a pod sees another pod by that one's own address, across nodes too", () => {
    for (const from of web)
      for (const to of web)
        for (const family of families) {
          const [own, other] = [from, to].map((pod) => podIps(pod).find((ip) => familyOf(ip) === family));
          assert.ok(own && other);
          const url = `http://${formatEndpoint(own, 8080)}/dial?host=${other}&port=8080&request=clientip&tries=1`;
          const { responses } = JSON.parse(curl("server", url)) as { responses?: readonly string[] };
          assert.match(
            responses?.[0] ?? "",
            new RegExp(`^\\[?(?:::ffff:)?${own}\\]?:`),
            `${own} to ${other}`,
          );
        }
  });

  test("nodes reach each of its addresses, and its node ports on every node's address of each family", () => {
    for (const role of ROLES) {
      for (const ip of clusterIps())
        assert.match(curl(role, `http://${formatEndpoint(ip, 80)}/hostname`), /^web-/, `${role} to ${ip}`);
      for (const ip of Object.values(NODE_IPS).flat().map(parseIp)) {
        if (!families.includes(familyOf(ip))) continue;
        assert.match(
          curl(role, `http://${formatEndpoint(ip, NODE_PORT)}/hostname`),
          /^web-/,
          `${role} to ${ip}`,
        );
        const dial = `http://${formatEndpoint(clusterIps()[0] ?? ip, 80)}/dial?host=${ip}&port=${UDP_NODE_PORT}&protocol=udp&request=hostname&tries=2`;
        assert.match(curl(role, dial), /"responses":\["web-/, `${role} to ${ip} by UDP`);
      }
    }
  });

  test("DNS answers on each of its addresses, with each of a service's, and the way back", async () => {
    for (const asked of families)
      for (const [i, family] of families.entries()) {
        const ip = clusterIps()[i] ?? "";
        const server = `@${CIDRS[asked].dns}`;
        const name = "both.default.svc.cluster.local";
        await eventually(
          `${server} knows ${ip}`,
          () => dig("agent-1", server, name, RECORD_TYPE[family]) === ip || undefined,
        );
        assert.equal(dig("agent-1", "+tcp", server, "-x", ip), `${name}.`);
        // The names of nodes come by way of a config map, which pods see a little later.
        const node = NODE_IPS["agent-1"][family === 4 ? 0 : 1];
        await eventually(
          `${server} knows the node`,
          () => dig("server", server, lab.node("agent-1"), RECORD_TYPE[family]) === node || undefined,
        );
      }
    const absent = ([4, 6] as const).filter((family) => !families.includes(family));
    for (const family of absent) {
      const [primary = 4] = families;
      const answer = dig(
        "agent-1",
        `@${CIDRS[primary].dns}`,
        "both.default.svc.cluster.local",
        RECORD_TYPE[family],
      );
      assert.equal(answer, "", `no ${RECORD_TYPE[family]}`);
    }
  });

  test("the demo's client goes on asking by name, and its page answers on the host", async () => {
    const record = readRecord(join(LAB_ROOTS.state, lab.name));
    const page = `http://127.0.0.1:${record?.pagePort}/tally`;
    const read = async () => {
      const reply = await request(page, { reset: true });
      const { counts } = (await reply.body.json()) as { counts: readonly (readonly [string, number])[] };
      return counts.filter(([name]) => !name.startsWith("(")).reduce((sum, [, n]) => sum + n, 0);
    };
    const start = await read();
    await eventually("more answers", async () => (await read()) > start || undefined);
  });
}

const PREFER_DUAL_STACK = `
apiVersion: v1
kind: Service
metadata: {name: both}
spec:
  type: NodePort
  ipFamilyPolicy: PreferDualStack
  selector: {app: web}
  ports:
    - {name: http, port: 80, targetPort: 8080, nodePort: ${NODE_PORT}}
    - {name: udp, port: 81, targetPort: 8081, protocol: UDP, nodePort: ${UDP_NODE_PORT}}
`;
