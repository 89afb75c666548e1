import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { openFakeClient } from "#kube/fake/client";
import { SECRETS } from "#kube/resources";
import { systemClock } from "#life/clock";
import { silentLog } from "#telemetry/log";
import { type Authority, openAuthority } from "./authority.ts";
import { createKey, createRequest, spkiOf } from "./certificate.ts";
import { hashNodePassword, matchesNodePassword, NodePasswords } from "./node-password.ts";
import { settleSecrets } from "./secrets.ts";
import { answerSupervisor, type SupervisorDependencies, type SupervisorRequest } from "./supervisor.ts";

const dir = mkdtempSync(join(tmpdir(), "twill-join-"));
let authority: Authority;
let deps: SupervisorDependencies;
const client = openFakeClient();

before(async () => {
  authority = await openAuthority(join(dir, "tls"), { sans: ["localhost", "127.0.0.1"], now: Date.now() });
  deps = {
    authority,
    client,
    passwords: new NodePasswords(client),
    secrets: { node: "for-agents", server: "for-servers" },
    cluster: {
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
    },
    clock: systemClock,
    log: silentLog,
    isReady: () => true,
  };
});
after(() => rmSync(dir, { recursive: true }));

function ask(over: Partial<SupervisorRequest>): Promise<Awaited<ReturnType<typeof answerSupervisor>>> {
  return answerSupervisor(
    { method: "GET", path: "/ping", headers: {}, body: new Uint8Array(), certificate: undefined, ...over },
    deps,
  );
}

function basic(user: string, password: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` };
}

async function register(name: string, password: string, auth = basic("node", "for-agents")) {
  const key = createKey();
  const body = await createRequest(key, name);
  const headers = {
    ...auth,
    "k3s-node-name": name,
    "k3s-node-password": password,
    "k3s-node-ip": "192.0.2.7,2001:db8::7",
  };
  const client = await ask({ method: "POST", path: "/v1-k3s/client-kubelet.crt", headers, body });
  const serving = await ask({ method: "POST", path: "/v1-k3s/serving-kubelet.crt", headers, body });
  return { key, client, serving };
}

test("anyone may ask for the CA and whether we live; other paths are the API's", async () => {
  assert.equal((await ask({ path: "/cacerts" }))?.body, authority.serverCa.certPem);
  assert.equal((await ask({ path: "/ping" }))?.body, "pong");
  assert.equal(await ask({ path: "/api/v1/nodes" }), undefined);
});

for (const [who, headers, status] of [
  ["nobody", {}, 401],
  ["a wrong password", basic("node", "wrong"), 401],
  ["a server's name with an agent's password", basic("server", "for-agents"), 401],
  ["an agent", basic("node", "for-agents"), 200],
  ["an agent with the server's token", basic("node", "for-servers"), 200],
  ["a server", basic("server", "for-servers"), 200],
] as const) {
  test(`${who} asking for the configuration gets ${status}`, async () => {
    const reply = await ask({ path: "/v1-k3s/config", headers });
    assert.equal(reply?.status, status);
    if (status === 401) assert.match(reply?.body ?? "", /node-token/);
  });
}

test("a node gets certificates for its own key, in its own name and addresses", async () => {
  const { key, client, serving } = await register("n1", "p1");
  const kubelet = new X509Certificate(client?.body ?? "");
  assert.equal(kubelet.subject, "O=system:nodes\nCN=system:node:n1");
  assert.ok(kubelet.verify(new X509Certificate(authority.clientCa.certPem).publicKey));
  assert.deepEqual(
    kubelet.publicKey.export({ type: "spki", format: "der" }),
    Buffer.from(spkiOf(key.keyPem)),
  );
  const server = new X509Certificate(serving?.body ?? "");
  assert.equal(server.checkIP("192.0.2.7"), "192.0.2.7");
  assert.equal(server.checkHost("n1"), "n1");
  assert.ok(server.checkIP("2001:db8::7"));
});

test("a node name belongs to whoever registered it first", async () => {
  assert.equal((await register("n2", "first")).client?.status, 200);
  assert.equal((await register("n2", "first")).client?.status, 200);
  const stranger = (await register("n2", "second")).client;
  assert.equal(stranger?.status, 403);
  assert.match(stranger?.body ?? "", /already registered with another password.*--node-name/);
  const secret = await client.get(SECRETS, { namespace: "kube-system", name: "n2.node-password.k3s" });
  assert.match(
    Buffer.from(secret.data?.["hash"] ?? "", "base64").toString(),
    /^\$1:[0-9a-f]{16}:15:8:1:[A-Za-z0-9+/]{86}$/,
  );
});

test("bad names, missing passwords and forged requests are refused with what is wrong", async () => {
  const auth = basic("node", "for-agents");
  const path = "/v1-k3s/client-kubelet.crt";
  const noName = await ask({
    method: "POST",
    path,
    headers: { ...auth, "k3s-node-name": "../x", "k3s-node-password": "p" },
  });
  assert.match(noName?.body ?? "", /\.\.\/x/);
  const noPassword = await ask({ method: "POST", path, headers: { ...auth, "k3s-node-name": "n9" } });
  assert.match(noPassword?.body ?? "", /k3s-Node-Password is missing/);
  const rubbish = await ask({
    method: "POST",
    path,
    headers: { ...auth, "k3s-node-name": "n9", "k3s-node-password": "p" },
    body: Buffer.from("rubbish"),
  });
  assert.equal(rubbish?.status, 400);
  const request = await createRequest(createKey(), "n9");
  request[request.length - 1] = (request[request.length - 1] ?? 0) ^ 1;
  const forged = await ask({
    method: "POST",
    path,
    headers: { ...auth, "k3s-node-name": "n9", "k3s-node-password": "p" },
    body: request,
  });
  assert.equal(forged?.status, 400);
});

test("a node's certificate lets it act for itself only", async () => {
  const certificate = { commonName: "system:node:n3", organizations: ["system:nodes"] };
  const headers = { "k3s-node-name": "n4", "k3s-node-password": "p" };
  const reply = await ask({ method: "POST", path: "/v1-k3s/client-kubelet.crt", headers, certificate });
  assert.match(reply?.body ?? "", /the client certificate is node n3's/);
});

test("bootstrap tokens work until they expire, and then say so", async () => {
  const put = (id: string, data: Record<string, string>) =>
    client.create(SECRETS, {
      metadata: { namespace: "kube-system", name: `bootstrap-token-${id}` },
      type: "bootstrap.kubernetes.io/token",
      data: Object.fromEntries(
        Object.entries({ "token-id": id, "token-secret": "0123456789abcdef", ...data }).map(([k, v]) => [
          k,
          Buffer.from(v).toString("base64"),
        ]),
      ),
    });
  const good = { "usage-bootstrap-authentication": "true" };
  await put("aaaaaa", good);
  await put("bbbbbb", { ...good, expiration: "2001-01-01T00:00:00Z" });
  await put("cccccc", { ...good, expiration: "not a time" });
  await put("dddddd", {});
  const bearer = async (id: string, secret = "0123456789abcdef") =>
    await ask({ path: "/v1-k3s/config", headers: { authorization: `Bearer ${id}.${secret}` } });
  assert.equal((await bearer("aaaaaa"))?.status, 200);
  assert.match((await bearer("aaaaaa", "fedcba9876543210"))?.body ?? "", /unknown/);
  assert.match((await bearer("eeeeee"))?.body ?? "", /unknown/);
  assert.match((await bearer("bbbbbb"))?.body ?? "", /expired at 2001-01-01T00:00:00Z.*twill token create/);
  assert.match((await bearer("cccccc"))?.body ?? "", /expired/);
  assert.match((await bearer("dddddd"))?.body ?? "", /may not be used to join/);
});

test("certificates and secrets stand across restarts, are private, and grow new names when asked", async () => {
  const again = await openAuthority(join(dir, "tls"), { sans: ["localhost"], now: Date.now() });
  assert.equal(again.serving.certPem, authority.serving.certPem);
  const more = await openAuthority(join(dir, "tls"), { sans: ["localhost", "192.0.2.1"], now: Date.now() });
  assert.notEqual(more.serving.certPem, authority.serving.certPem);
  assert.equal(more.serverCa.certPem, authority.serverCa.certPem);
  assert.equal(statSync(join(dir, "tls/server-ca.key")).mode & 0o777, 0o600);
});

test("the cluster's token is made once, kept, and another is refused", () => {
  const at = join(dir, "server");
  const made = settleSecrets(at, authority.serverCa.certPem, { token: undefined, agentToken: undefined });
  assert.match(made.server, /^[0-9a-f]{32}$/);
  assert.deepEqual(
    settleSecrets(at, authority.serverCa.certPem, { token: undefined, agentToken: undefined }),
    made,
  );
  assert.deepEqual(
    settleSecrets(at, authority.serverCa.certPem, { token: made.server, agentToken: "other" }),
    { server: made.server, node: "other" },
  );
  assert.throws(
    () => settleSecrets(at, authority.serverCa.certPem, { token: "another", agentToken: undefined }),
    /made with another one/,
  );
  assert.equal(statSync(join(at, "token")).mode & 0o777, 0o600);
});

test("node passwords match K3s's form and nothing else", async () => {
  const stored = await hashNodePassword("secret", Buffer.from("0011223344556677", "hex"));
  assert.equal(await matchesNodePassword("secret", stored), true);
  assert.equal(await matchesNodePassword("other", stored), false);
  for (const text of ["", "$2:x", stored.replace(":15:", ":30:"), `${stored}\n$`])
    assert.equal(await matchesNodePassword("secret", text), false, text);
});
