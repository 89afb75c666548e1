/** Who may: the API with its controllers, asked by kubectl as different people would. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SigningKeys } from "#apiserver/auth/signing-keys";
import { type Answer, ask, MERGE } from "#apiserver/testing/client";
import { openRig, type Rig, type Run } from "#apiserver/testing/rig";
import { type Harness, openHarness } from "#controllers/harness";
import { signRequest } from "#join/sign-request";
import type { KubeClient } from "#kube/client";
import { openClient } from "#kube/http-client";
import { CERTIFICATE_SIGNING_REQUESTS, CLUSTER_ROLES, CONFIG_MAPS, SECRETS } from "#kube/resources";

let rig: Rig;
let client: KubeClient & AsyncDisposable;
let harness: Harness;

before(async () => {
  rig = await openRig();
  client = openClient({ server: rig.url, ca: rig.ca, ...rig.admin, userAgent: "controllers" });
  const read = (name: string) => readFileSync(join(rig.directory, name), "utf8");
  const authority = { certPem: read("ca.crt"), keyPem: read("ca.key") };
  const keys = new SigningKeys({ privateKey: read("sa.key"), publicKey: "" });
  harness = await openHarness({
    client,
    signing: {
      serverCa: rig.ca,
      certificates: { sign: (order) => signRequest(authority, order) },
      signToken: (claims) => keys.sign(claims),
    },
  });
});
after(async () => {
  await harness[Symbol.asyncDispose]();
  await client[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

/** What kubectl prints, whether or not it is happy. */
async function said(...args: string[]): Promise<string> {
  const { stdout, stderr }: Run = await rig.kubectl(args);
  return `${stdout}${stderr}`.trim();
}

async function kubectl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await rig.kubectl(args);
  assert.equal(code, 0, `kubectl ${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

async function apply(...manifests: unknown[]): Promise<void> {
  const input = JSON.stringify({ apiVersion: "v1", kind: "List", items: manifests });
  const { code, stderr } = await rig.kubectl(["apply", "-f", "-"], { input });
  assert.equal(code, 0, stderr);
}

function get(path: string, token: string): Promise<Answer> {
  return ask(rig, "GET", path, { as: { token } });
}

function openssl(...args: string[]): void {
  execFileSync("openssl", args, { cwd: rig.directory, stdio: "ignore" });
}

function requestFor(subject: string, name: string): string {
  openssl(
    "req",
    "-new",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-keyout",
    `${name}.key`,
    "-out",
    `${name}.csr`,
    "-subj",
    subject,
  );
  return readFileSync(join(rig.directory, `${name}.csr`)).toString("base64");
}

const signingRequest = (name: string, request: string, more: object = {}) => ({
  apiVersion: "certificates.k8s.io/v1",
  kind: "CertificateSigningRequest",
  metadata: { name },
  spec: { request, signerName: "kubernetes.io/kube-apiserver-client", usages: ["client auth"], ...more },
});

test("the three roles for people are right, and gather what is labelled for them", async () => {
  await kubectl("create", "rolebinding", "v", "--clusterrole=view", "--user=vera");
  await kubectl("create", "rolebinding", "e", "--clusterrole=edit", "--user=edith");
  assert.equal(await said("auth", "can-i", "list", "pods", "--as=vera"), "yes");
  assert.equal(await said("auth", "can-i", "get", "secrets", "--as=vera"), "no");
  assert.equal(await said("auth", "can-i", "create", "deployments.apps/scale", "--as=edith"), "yes");
  assert.equal(await said("auth", "can-i", "create", "roles", "--as=edith"), "no");
  assert.equal(await said("auth", "can-i", "list", "pods", "-n", "kube-system", "--as=vera"), "no");
  const labels = { "rbac.authorization.k8s.io/aggregate-to-view": "true" };
  const rules = [{ apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get"] }];
  await apply({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: { name: "lease-readers", labels },
    rules,
  });
  const canGet = async () =>
    (await said("auth", "can-i", "get", "leases.coordination.k8s.io", "--as=vera")).endsWith("yes");
  await harness.until("the new rule reaches view", canGet);
  const view = await client.get(CLUSTER_ROLES, { name: "view" });
  assert.equal(
    view.metadata.managedFields?.find(({ operation }) => operation === "Apply")?.manager,
    "clusterrole-aggregation-controller",
  );
  await kubectl("delete", "clusterrole", "lease-readers");
  await harness.until("the rule is gone again", async () => !(await canGet()));
});

test("can-i --list and whoami tell what roles say", async () => {
  const list = await said("auth", "can-i", "--list", "--as=vera");
  assert.match(list, /^pods\s+\[\]\s+\[\]\s+\[get list watch\]$/m);
  assert.match(list, /^selfsubjectreviews\.authentication\.k8s\.io\s+\[\]\s+\[\]\s+\[create\]$/m);
  assert.match(list, /\[\/healthz\]/);
  assert.doesNotMatch(list, /^secrets/m);
  assert.match(await said("auth", "can-i", "--list"), /^\*\.\*\s+\[\]\s+\[\]\s+\[\*\]$/m);
  const who = await said("auth", "whoami", "--as=vera", "--as-group=dev", "--as-uid=7");
  assert.match(who, /Username\s+vera/);
  assert.match(who, /UID\s+7/);
  assert.match(who, /Groups\s+\[dev system:authenticated\]/);
});

test("acting as somebody else takes a right for every part of them", async () => {
  const rules = (names: string[]) => [
    { apiGroups: [""], resources: ["users"], verbs: ["impersonate"], resourceNames: names },
  ];
  await apply({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: { name: "actor" },
    rules: rules(["vera"]),
  });
  await kubectl("create", "clusterrolebinding", "actor", "--clusterrole=actor", "--user=adam");
  const as = rig.certificate("adam", "stage");
  const list = (headers: Record<string, string>) =>
    ask(rig, "GET", "/api/v1/namespaces/default/pods", { as, headers });
  assert.equal((await list({ "impersonate-user": "vera" })).code, 200);
  assert.equal(
    (await list({ "impersonate-user": "edith" })).body.message,
    'users "edith" is forbidden: User "adam" cannot impersonate resource "users" in API group "" at the cluster scope',
  );
  assert.equal(
    (await list({ "impersonate-user": "vera", "impersonate-group": "system:masters" })).body.message,
    'groups "system:masters" is forbidden: User "adam" cannot impersonate resource "groups" in API group "" at the cluster scope',
  );
  assert.equal(
    (await list({ "impersonate-user": "vera", "impersonate-extra-scopes": "all" })).body.message,
    'userextras.authentication.k8s.io "all" is forbidden: User "adam" cannot impersonate resource "userextras/scopes" in API group "authentication.k8s.io" at the cluster scope',
  );
  assert.equal(
    (await list({ "impersonate-user": "system:serviceaccount:default:default" })).body.message,
    'serviceaccounts "default" is forbidden: User "adam" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "default"',
  );
  assert.equal((await list({ "impersonate-group": "dev" })).code, 400);
});

test("nobody grants what they do not hold", async () => {
  await kubectl(
    "create",
    "role",
    "granter",
    "--verb=create,update,patch,get",
    "--resource=roles.rbac.authorization.k8s.io,rolebindings.rbac.authorization.k8s.io",
  );
  await kubectl("create", "rolebinding", "granter", "--role=granter", "--user=vera");
  assert.match(
    await said("create", "role", "r", "--verb=get,delete", "--resource=pods", "--as=vera"),
    /roles\.rbac\.authorization\.k8s\.io "r" is forbidden: user "vera" \(groups=\["system:authenticated"\]\) is attempting to grant RBAC permissions not currently held:\n\{APIGroups:\[""\], Resources:\["pods"\], Verbs:\["delete"\]\}$/,
  );
  await kubectl("create", "role", "r", "--verb=get,list", "--resource=pods", "--as=vera");
  assert.match(
    await said("create", "rolebinding", "b", "--clusterrole=edit", "--user=eve", "--as=vera"),
    /is attempting to grant RBAC permissions not currently held/,
  );
  assert.match(
    await said("create", "rolebinding", "b", "--role=nowhere", "--user=eve", "--as=vera"),
    /rolebindings\.rbac\.authorization\.k8s\.io "nowhere" not found/,
  );
  await kubectl("create", "rolebinding", "b", "--role=r", "--user=eve", "--as=vera");
  assert.match(
    await said("patch", "rolebinding", "b", "-p", '{"roleRef":{"name":"granter"}}'),
    /roleRef: Invalid value: .*: cannot change roleRef/,
  );
  const input = JSON.stringify({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    metadata: { name: "r", namespace: "default" },
    rules: [{ apiGroups: [""], resources: ["services"], verbs: ["get"] }],
  });
  assert.match((await rig.kubectl(["auth", "reconcile", "-f", "-"], { input })).stdout, /role.*r reconciled/);
  assert.equal(await said("auth", "can-i", "get", "services", "--as=eve"), "yes");
});

test("a token is good for its audience, its time and as long as what it is bound to", async () => {
  await kubectl("create", "serviceaccount", "robot");
  await kubectl("create", "rolebinding", "robot", "--clusterrole=view", "--serviceaccount=default:robot");
  const token = await kubectl("create", "token", "robot", "--duration=1h");
  assert.equal((await get("/api/v1/namespaces/default/pods", token)).code, 200);
  const foreign = await kubectl("create", "token", "robot", "--audience=vault");
  assert.equal((await get("/api/v1/namespaces/default/pods", foreign)).code, 401);
  const review = await ask(rig, "POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
    body: { spec: { token: foreign, audiences: ["vault", "other"] } },
  });
  assert.deepEqual(review.body.status.audiences, ["vault"]);
  assert.equal(review.body.status.user.username, "system:serviceaccount:default:robot");
  assert.match(
    await said("create", "token", "robot", "--duration=5m"),
    /may not specify a duration less than 10 minutes/,
  );
  await kubectl("create", "secret", "generic", "anchor");
  const bound = await kubectl(
    "create",
    "token",
    "robot",
    "--bound-object-kind=Secret",
    "--bound-object-name=anchor",
  );
  assert.equal((await get("/api/v1/namespaces/default/pods", bound)).code, 200);
  await kubectl("delete", "secret", "anchor");
  assert.equal((await get("/api/v1/namespaces/default/pods", bound)).code, 401);
  await kubectl("delete", "serviceaccount", "robot");
  await kubectl("create", "serviceaccount", "robot");
  assert.equal((await get("/api/v1/namespaces/default/pods", token)).code, 401);
});

test("a token in a secret lasts as long as the secret", async () => {
  await kubectl("create", "serviceaccount", "old");
  const annotations = { "kubernetes.io/service-account.name": "old" };
  const type = "kubernetes.io/service-account-token";
  await apply({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "old", namespace: "default", annotations },
    type,
  });
  const data = await harness.until("the secret is filled", async () => {
    const secret = await client.get(SECRETS, { namespace: "default", name: "old" });
    return secret.data?.["token"] ? secret.data : undefined;
  });
  const text = (key: string) => Buffer.from(data[key] ?? "", "base64").toString();
  assert.deepEqual([text("namespace"), text("ca.crt")], ["default", rig.ca]);
  const whoAmI = () =>
    ask(rig, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {
      as: { token: text("token") },
      body: {},
    });
  assert.equal((await whoAmI()).body.status.userInfo.username, "system:serviceaccount:default:old");
  await kubectl("delete", "serviceaccount", "old");
  assert.equal((await whoAmI()).code, 401);
  await harness.until("the secret goes with the account", async () =>
    (await said("get", "secret", "old")).includes("not found"),
  );
});

test("a bootstrap token lets its holder ask for a certificate until it ends", async () => {
  const bootstrap = (id: string, more: object) => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: `bootstrap-token-${id}`, namespace: "kube-system" },
    type: "bootstrap.kubernetes.io/token",
    stringData: {
      "token-id": id,
      "token-secret": "0123456789abcdef",
      "usage-bootstrap-authentication": "true",
      "usage-bootstrap-signing": "true",
      "auth-extra-groups": "system:bootstrappers:nodes",
      ...more,
    },
  });
  await apply(
    bootstrap("aaaaaa", {}),
    bootstrap("bbbbbb", { expiration: new Date(Date.now() - 1000).toISOString() }),
    bootstrap("cccccc", { "usage-bootstrap-authentication": "false" }),
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "cluster-info", namespace: "kube-public" },
      data: { kubeconfig: "{}" },
    },
  );
  const self = (token: string) =>
    ask(rig, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", { as: { token }, body: {} });
  assert.deepEqual((await self("aaaaaa.0123456789abcdef")).body.status.userInfo, {
    username: "system:bootstrap:aaaaaa",
    groups: ["system:bootstrappers", "system:bootstrappers:nodes", "system:authenticated"],
  });
  for (const token of [
    "aaaaaa.0123456789abcdee",
    "bbbbbb.0123456789abcdef",
    "cccccc.0123456789abcdef",
    "zzzzzz.0123456789abcdef",
  ])
    assert.equal((await self(token)).code, 401, token);
  await harness.until("the one that has ended is removed", async () =>
    (await said("get", "secret", "-n", "kube-system", "bootstrap-token-bbbbbb")).includes("not found"),
  );
  const data = await harness.until("the cluster's information is signed", async () => {
    const info = await client.get(CONFIG_MAPS, { namespace: "kube-public", name: "cluster-info" });
    return info.data?.["jws-kubeconfig-aaaaaa"] ? info.data : undefined;
  });
  assert.deepEqual(Object.keys(data).sort(), [
    "jws-kubeconfig-aaaaaa",
    "jws-kubeconfig-cccccc",
    "kubeconfig",
  ]);
});

test("an approved request becomes a certificate that logs in", async () => {
  await apply(signingRequest("jane", requestFor("/O=dev/CN=jane", "jane"), { expirationSeconds: 3600 }));
  assert.match(
    await kubectl("get", "csr", "jane"),
    /kubernetes\.io\/kube-apiserver-client\s+admin\s+60m\s+Pending/,
  );
  await kubectl("certificate", "approve", "jane");
  const encoded = await harness.until("the certificate is issued", async () => {
    const { status } = await client.get(CERTIFICATE_SIGNING_REQUESTS, { name: "jane" });
    return status?.certificate;
  });
  assert.match(await kubectl("get", "csr", "jane"), /Approved,Issued/);
  const cert = Buffer.from(encoded, "base64").toString();
  const leaf = new X509Certificate(cert);
  assert.ok(leaf.verify(new X509Certificate(rig.ca).publicKey));
  assert.deepEqual(leaf.keyUsage, ["1.3.6.1.5.5.7.3.2"]);
  assert.ok(leaf.validToDate.getTime() - Date.now() <= 3_600_000);
  const as = { cert, key: readFileSync(join(rig.directory, "jane.key"), "utf8") };
  const self = await ask(rig, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", { as, body: {} });
  assert.equal(self.body.status.userInfo.username, "jane");
  assert.deepEqual(self.body.status.userInfo.groups, ["dev", "system:authenticated"]);
  assert.match(
    self.body.status.userInfo.extra["authentication.kubernetes.io/credential-id"][0],
    /^X509SHA256=[0-9a-f]{64}$/,
  );
});

test("what no signer signs, and what nobody may decide, is refused", async () => {
  await apply(
    signingRequest("bad", requestFor("/CN=bad", "bad"), { usages: ["client auth", "server auth"] }),
  );
  await kubectl("certificate", "approve", "bad");
  await harness.until("it is marked as failed", async () =>
    (await kubectl("get", "csr", "bad")).includes("Approved,Failed"),
  );
  const { status } = await client.get(CERTIFICATE_SIGNING_REQUESTS, { name: "bad" });
  const failure = status?.conditions?.find(({ type }) => type === "Failed");
  assert.deepEqual(
    [failure?.reason, failure?.message],
    ["SignerValidationFailure", "invalid usage for client certificate: server auth"],
  );
  const post = (manifest: object, as = rig.admin) =>
    ask(rig, "POST", "/apis/certificates.k8s.io/v1/certificatesigningrequests", { body: manifest, as });
  assert.equal(
    (await post(signingRequest("root", requestFor("/O=system:masters/CN=root", "root")))).body.message,
    'certificatesigningrequests.certificates.k8s.io "root" is forbidden: use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed',
  );
  assert.match(
    (
      await post(
        signingRequest("junk", Buffer.from("junk").toString("base64"), {
          usages: ["tea"],
          expirationSeconds: 5,
        }),
      )
    ).body.message,
    /spec\.request: Invalid value: .*PEM block type must be CERTIFICATE REQUEST, spec\.usages\[0\]: Unsupported value: "tea": .*spec\.expirationSeconds: Invalid value: 5: may not specify a duration less than 600 seconds/,
  );
  await apply(signingRequest("waits", requestFor("/CN=waits", "waits")));
  await kubectl(
    "create",
    "clusterrole",
    "decider",
    "--verb=get,list,update,patch",
    "--resource=certificatesigningrequests,certificatesigningrequests/approval",
  );
  await kubectl("create", "clusterrolebinding", "decider", "--clusterrole=decider", "--user=vera");
  assert.match(
    await said("certificate", "approve", "waits", "--as=vera"),
    /user not permitted to approve requests with signerName "kubernetes.io\/kube-apiserver-client"/,
  );
  await kubectl(
    "create",
    "clusterrolebinding",
    "approver",
    "--clusterrole=system:certificates.k8s.io:kube-apiserver-client-approver",
    "--user=vera",
  );
  await kubectl("certificate", "deny", "waits", "--as=vera");
  const both = { status: { conditions: [{ type: "Approved", status: "True", reason: "r", message: "m" }] } };
  const flip = await ask(
    rig,
    "PATCH",
    "/apis/certificates.k8s.io/v1/certificatesigningrequests/waits/approval",
    { headers: MERGE, body: both },
  );
  assert.match(flip.body.message, /Forbidden: updates may not remove a condition of type "Denied"/);
});

test("a node that may ask for its own certificate gets it without anybody's doing", async () => {
  await kubectl(
    "create",
    "clusterrolebinding",
    "nodes",
    "--clusterrole=system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
    "--group=system:nodes",
  );
  const as = rig.certificate("system:node:n9", "system:nodes");
  const body = signingRequest("renewal", requestFor("/O=system:nodes/CN=system:node:n9", "renewal"), {
    signerName: "kubernetes.io/kube-apiserver-client-kubelet",
    usages: ["digital signature", "key encipherment", "client auth"],
  });
  const path = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
  assert.equal((await ask(rig, "POST", path, { body, as })).code, 201);
  await harness.until("the renewal is issued", async () =>
    (await kubectl("get", "csr", "renewal")).includes("Approved,Issued"),
  );
});
