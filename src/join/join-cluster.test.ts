/** Joining over real TLS: a supervisor on loopback, and a node that starts with nothing but a token. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { Fault } from "#fault/fault";
import { openFakeClient } from "#kube/fake/client";
import { SECRETS } from "#kube/resources";
import { type Clock, systemClock } from "#life/clock";
import { openLog } from "#telemetry/log";
import { type Authority, openAuthority } from "./authority.ts";
import type { ClusterConfig } from "./cluster-config.ts";
import { createBootstrapToken } from "./create-token.ts";
import { type JoinOptions, joinCluster } from "./join-cluster.ts";
import { NodePasswords } from "./node-password.ts";
import { answerSupervisor } from "./supervisor.ts";
import { formatToken } from "./token.ts";

const dir = mkdtempSync(join(tmpdir(), "twill-joining-"));
const client = openFakeClient();
const passwords = new NodePasswords(client);
const cluster: ClusterConfig = {
  clusterCidrs: [parseCidr("10.42.0.0/16")],
  serviceCidrs: [parseCidr("10.43.0.0/16")],
  clusterDns: [parseIp("10.43.0.10")],
  clusterDomain: "cluster.local",
  nodePortRange: { from: 30000, to: 32767 },
  flannelBackend: "vxlan",
  flannelIpv6Masq: false,
  flannelExternalIp: false,
  disableNetworkPolicy: false,
  disableKubeProxy: false,
  disableCloudController: false,
  disableServiceLb: false,
  httpsPort: 6443,
};
/** Sleeps no longer than a turn of the loop, and counts. */
const impatient: Clock & { sleeps: number } = {
  sleeps: 0,
  now: () => Date.now(),
  async sleep(_ms, { signal }) {
    this.sleeps++;
    await systemClock.sleep(1, { signal });
  },
};
let authority: Authority;
let server: Server;
let token: string;
let port: number;

before(async () => {
  authority = await openAuthority(join(dir, "tls"), { sans: ["127.0.0.1", "localhost"], now: Date.now() });
  token = formatToken(authority.serverCa.certPem, "node", "secret");
  server = await listen(0);
  port = (server.address() as AddressInfo).port;
});
after(() => {
  server.close();
  rmSync(dir, { recursive: true });
});

async function listen(port: number): Promise<Server> {
  const tls = { key: authority.serving.keyPem, cert: authority.serving.certPem };
  const made = createServer(tls, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, value?.toString()]),
    );
    const reply = await answerSupervisor(
      {
        method: request.method ?? "",
        path: request.url ?? "",
        headers,
        body: Buffer.concat(chunks),
        certificate: undefined,
      },
      {
        authority,
        client,
        passwords,
        cluster,
        secrets: { node: "secret", server: "other" },
        clock: systemClock,
        log: openLog({ write: () => {}, level: "error" }),
        isReady: () => true,
      },
    );
    response
      .writeHead(reply?.status ?? 404, { "content-type": reply?.type ?? "text/plain", connection: "close" })
      .end(reply?.body);
  });
  await new Promise<void>((resolve) => made.listen(port, "127.0.0.1", resolve));
  return made;
}

function options(name: string, over: Partial<JoinOptions> = {}): JoinOptions & { readonly lines: string[] } {
  const lines: string[] = [];
  return {
    lines,
    serverUrl: `https://127.0.0.1:${port}`,
    token,
    nodeName: name,
    nodeIps: [parseIp("192.0.2.9")],
    dir: join(dir, name),
    passwordFile: join(dir, name, "password"),
    clock: systemClock,
    log: openLog({ write: (line) => lines.push(line), level: "info" }),
    signal: AbortSignal.timeout(30_000),
    ...over,
  };
}

test("a node with the token gets the cluster's settings and its certificates, and keeps them over a restart", async () => {
  const first = await joinCluster(options("a"));
  assert.deepEqual(first.cluster, cluster);
  assert.equal(first.serverCaPem, authority.serverCa.certPem);
  assert.equal(statSync(join(dir, "a/client-kubelet.key")).mode & 0o777, 0o600);
  assert.match(readFileSync(join(dir, "a/password"), "utf8"), /^[0-9a-f]{32}\n$/);
  const again = await joinCluster(options("a"));
  assert.equal(again.kubelet.certPem, first.kubelet.certPem);
  const moved = await joinCluster(options("a", { nodeIps: [parseIp("192.0.2.10")] }));
  assert.notEqual(moved.serving.certPem, first.serving.certPem);
});

test("a certificate in a longer or shorter name, or a damaged one, is not kept", async () => {
  const at = join(dir, "names");
  const over = { dir: at, passwordFile: join(at, "password") };
  const names = { nodeIps: [] };
  const kubeletOf = async (name: string) =>
    (await joinCluster(options(name, { ...over, ...names }))).kubelet.certPem;
  const long = await kubeletOf("long");
  const short = await kubeletOf("lo");
  assert.notEqual(short, long);
  for (const name of ["l", "ong", "long", "lo.ng"]) {
    assert.equal(
      new X509Certificate(await kubeletOf(name)).subject,
      `O=system:nodes\nCN=system:node:${name}`,
    );
  }
  writeFileSync(join(at, "client-kubelet.crt"), "-----BEGIN CERTIFICATE-----\ncut");
  assert.match(new X509Certificate(await kubeletOf("long")).subject, /CN=system:node:long$/);
});

test("a server that is away is waited for, and that is said once", async () => {
  await new Promise((resolve) => server.close(resolve));
  const waiting = options("b", { clock: impatient });
  const joined = joinCluster(waiting);
  while (impatient.sleeps < 20) await systemClock.sleep(1, { signal: waiting.signal });
  server = await listen(port);
  assert.equal((await joined).serverUrl, `https://127.0.0.1:${port}`);
  assert.equal(waiting.lines.length, 1);
  assert.match(waiting.lines[0] ?? "", /waiting for the server.*ECONNREFUSED/);
});

test("a bootstrap token lets nodes join until it expires", async () => {
  const caPem = authority.serverCa.certPem;
  const good = await createBootstrapToken(client, { caPem, ttlMs: 3_600_000, now: Date.now() });
  assert.equal((await joinCluster(options("c", { token: good }))).cluster.clusterDomain, "cluster.local");
  const old = await createBootstrapToken(client, { caPem, ttlMs: 1000, now: Date.now() - 5000 });
  await assert.rejects(
    joinCluster(options("d", { token: old })),
    (error) =>
      error instanceof Fault &&
      error.code === "Refused" &&
      /expired at .*twill token create/.test(error.message),
  );
  assert.equal(
    (await client.list(SECRETS, { namespace: "kube-system" })).items.filter(
      (secret) => secret.type === "bootstrap.kubernetes.io/token",
    ).length,
    2,
  );
});

for (const [what, over, code, says] of [
  ["a wrong password", { token: "wrong" }, "Refused", /not this cluster's.*node-token/],
  [
    "another cluster's token",
    { token: `K10${"0".repeat(64)}::node:secret` },
    "WrongCa",
    /does not match the Cluster CA/,
  ],
  ["a token cut short", { token: "K10abc" }, "BadToken", /--token/],
  ["an address without https", { serverUrl: "http://127.0.0.1:1" }, "BadServer", /--server/],
] as const) {
  test(`${what} ends the attempt with a sentence`, async () => {
    await assert.rejects(
      joinCluster(options("e", over)),
      (error) => error instanceof Fault && error.code === code && says.test(error.message),
    );
  });
}

test("a name that another node holds is refused with what to do", async () => {
  await joinCluster(options("f"));
  rmSync(join(dir, "f"), { recursive: true });
  await assert.rejects(joinCluster(options("f")), /already registered with another password.*--node-name/);
});
