import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { request } from "node:https";
import { connect } from "node:net";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { Attach, Exec, KubeConfig, PortForward, type V1Status } from "@kubernetes/client-node";
import { WebSocket } from "ws";
import { parseAuditPolicy } from "../audit/parse-policy.ts";
import { ask, createNamespace, MERGE } from "../testing/client.ts";
import { openTestKubelet, type TestKubelet } from "../testing/kubelet.ts";
import { KUBECTL, OLD_KUBECTL, openRig, type Rig } from "../testing/rig.ts";

const BASE = "/api/v1/namespaces/streams";
const POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- {level: Metadata, resources: [{resources: [pods/exec]}]}
- {level: None}
`;
const audited: { stage: string; verb: string; responseStatus?: { code: number } }[] = [];
let rig: Rig;
let kubelet: TestKubelet;

before(async () => {
  const sink = {
    write: (line: string) => void audited.push(JSON.parse(line)),
    [Symbol.asyncDispose]: async () => {},
  };
  rig = await openRig({ audit: { policy: parseAuditPolicy(POLICY), sink } });
  kubelet = await openTestKubelet(rig);
  await createNamespace(rig, "streams");
  await makeNode("n1", kubelet.port);
  await makePod("p", "n1", ["c"]);
});
after(async () => {
  await kubelet[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

async function makeNode(name: string, port: number, features: readonly string[] = []): Promise<void> {
  const created = await ask(rig, "POST", "/api/v1/nodes", { body: { metadata: { name } } });
  assert.equal(created.code, 201, created.text);
  const status = {
    addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
    ...(features.length > 0 && { declaredFeatures: features }),
  };
  const told = await ask(rig, "PATCH", `/api/v1/nodes/${name}/status`, { headers: MERGE, body: { status } });
  assert.equal(told.code, 200, told.text);
}

async function makePod(
  name: string,
  nodeName: string | undefined,
  containers: readonly string[],
): Promise<void> {
  const spec = { nodeName, containers: containers.map((each) => ({ name: each, image: "i", stdin: true })) };
  const created = await ask(rig, "POST", `${BASE}/pods`, { body: { metadata: { name }, spec } });
  assert.equal(created.code, 201, created.text);
  const running = containers.map((each) => ({
    name: each,
    image: "i",
    imageID: "i",
    ready: true,
    restartCount: 0,
    state: { running: { startedAt: "2025-01-01T00:00:00Z" } },
  }));
  const status = { phase: "Running", containerStatuses: running };
  const told = await ask(rig, "PATCH", `${BASE}/pods/${name}/status`, { headers: MERGE, body: { status } });
  assert.equal(told.code, 200, told.text);
}

const SPDY_ONLY = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "false", KUBECTL_PORT_FORWARD_WEBSOCKETS: "false" };
const CLIENTS = [
  ["kubectl over WebSocket", KUBECTL, {}, true],
  ["kubectl over SPDY", KUBECTL, SPDY_ONLY, false],
  ["an old kubectl", OLD_KUBECTL, {}, false],
] as const;

for (const [client, program, env, isTranslated] of CLIENTS) {
  const skip = existsSync(program) ? false : `${program} is not here`;
  const kubectl = (args: readonly string[], input = "") =>
    rig.kubectl(["-n", "streams", ...args], { program, env, input });

  test(`${client}: output, errors and the exit code`, { skip }, async () => {
    audited.length = 0;
    const { code, stdout, stderr } = await kubectl(["exec", "p", "--", "exit", "7"]);
    assert.deepEqual([code, stdout], [7, "out\n"], stderr);
    assert.match(stderr, /^err\n.*exit code 7/s);
    assert.equal(kubelet.asked.at(-1), "POST /exec/streams/p/c?command=exit&command=7&error=1&output=1");
    while (audited.at(-1)?.stage !== "ResponseComplete")
      await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(
      audited.slice(-3).map(({ stage, verb, responseStatus }) => [stage, verb, responseStatus?.code]),
      [
        ["RequestReceived", isTranslated ? "get" : "create", undefined],
        ["ResponseStarted", isTranslated ? "get" : "create", 101],
        ["ResponseComplete", isTranslated ? "get" : "create", 101],
      ],
    );
  });

  test(`${client}: megabytes through stdin and back, and its end`, { skip }, async () => {
    const input = randomBytes(8 * 1024 * 1024).toString("base64");
    const { code, stdout, stderr } = await kubectl(["exec", "-i", "p", "-c", "c", "--", "cat"], input);
    assert.equal(code, 0, stderr);
    assert.equal(stdout.length, input.length);
    assert.ok(stdout === input);
  });

  test(`${client}: attaches`, { skip }, async () => {
    const { code, stdout, stderr } = await kubectl(["attach", "-i", "p"], "hello\n");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /hello\n$/);
  });

  test(`${client}: what the kubelet says against it`, { skip }, async () => {
    await makePod(`gone-${program.length}${isTranslated}`, "n1", ["absent"]);
    const refused = await kubectl(["exec", `gone-${program.length}${isTranslated}`, "--", "cat"]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /unable to upgrade connection: container not found \("absent"\)/);
    const unknown = await kubectl(["exec", "p", "--", "nothing"]);
    assert.match(unknown.stderr, /exec: "nothing": executable file not found in \$PATH/);
  });

  test(`${client}: forwards a port for many connections`, { skip }, async () => {
    const args = [
      "--kubeconfig",
      join(rig.directory, "kubeconfig"),
      "-n",
      "streams",
      "port-forward",
      "p",
      ":80",
    ];
    const child = spawn(program, args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    // Its output is read on: it says something of each connection.
    const said = await new Promise<string>((resolve) => {
      let all = "";
      child.stdout.on("data", (bytes) => {
        all += String(bytes);
        if (all.includes("\n")) resolve(all);
      });
    });
    const port = Number(/127\.0\.0\.1:(\d+) -> 80/.exec(said)?.[1]);
    await Promise.all(
      Array.from({ length: 12 }, async (_, i) => {
        const block = Buffer.concat([Buffer.from(`${i}`), randomBytes(300_000)]);
        const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
        socket.end(block);
        const got = createHash("sha256");
        for await (const bytes of socket) got.update(bytes);
        assert.equal(got.digest("hex"), createHash("sha256").update(block).digest("hex"));
      }),
    );
    assert.equal(kubelet.asked.at(-1), "POST /portForward/streams/p");
    child.kill("SIGTERM");
    await once(child, "close");
    await kubelet.idle();
  });
}

function config(): KubeConfig {
  const kube = new KubeConfig();
  kube.loadFromFile(join(rig.directory, "kubeconfig"));
  return kube;
}

test("client-node: exec, its status and its output", async () => {
  const out: Buffer[] = [];
  const stdout = new Writable({
    write: (bytes, _encoding, done) => {
      out.push(bytes);
      done();
    },
  });
  const status = await new Promise<V1Status>((resolve, reject) => {
    new Exec(config())
      .exec("streams", "p", "c", ["exit", "3"], stdout, null, null, false, resolve)
      .catch(reject);
  });
  assert.equal(status.details?.causes?.[0]?.message, "3");
  assert.equal(Buffer.concat(out).toString(), "out\n");
});

test("client-node: attach", async () => {
  const out: Buffer[] = [];
  const heard = Promise.withResolvers<void>();
  const stdout = new Writable({
    write: (bytes, _encoding, done) => {
      out.push(bytes);
      if (Buffer.concat(out).toString() === "hello") heard.resolve();
      done();
    },
  });
  const webSocket = await new Attach(config()).attach(
    "streams",
    "p",
    "c",
    stdout,
    null,
    Readable.from(["hello"]),
    false,
  );
  await heard.promise;
  webSocket.close();
});

test("client-node: port forward, by the old channels", async () => {
  const out: Buffer[] = [];
  const heard = Promise.withResolvers<void>();
  const output = new Writable({
    write: (bytes, _encoding, done) => {
      out.push(bytes);
      if (Buffer.concat(out).toString() === "hello") heard.resolve();
      done();
    },
  });
  const open = await new PortForward(config()).portForward(
    "streams",
    "p",
    [80],
    output,
    null,
    Readable.from(["hello"]),
  );
  await heard.promise;
  assert.equal(kubelet.asked.at(-1), "GET /portForward/streams/p?port=80");
  (typeof open === "function" ? open() : open)?.close();
  await kubelet.idle();
});

for (const [protocol, isBase64] of [
  [undefined, false],
  ["binary.k8s.io", false],
  ["base64.binary.k8s.io", true],
] as const)
  test(`logs over WebSocket, ${protocol ?? "without a protocol"}`, async () => {
    const url = `${rig.url.replace("https", "wss")}${BASE}/pods/p/log?tailLines=5`;
    const webSocket = new WebSocket(url, protocol ? [protocol] : [], { ...rig.admin, ca: rig.ca });
    const messages: string[] = [];
    webSocket.on("message", (data: Buffer) => {
      messages.push(isBase64 ? Buffer.from(String(data), "base64").toString() : String(data));
    });
    await once(webSocket, "close");
    assert.equal(messages[0], "");
    assert.equal(messages.join(""), "GET /containerLogs/streams/p/c?tailLines=5\n");
  });

test("a client that leaves in the middle of a flood ends it at the kubelet", async () => {
  for (const env of [{}, SPDY_ONLY]) {
    const args = [
      "--kubeconfig",
      join(rig.directory, "kubeconfig"),
      "-n",
      "streams",
      "exec",
      "p",
      "--",
      "flood",
    ];
    const child = spawn(KUBECTL, args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "ignore"],
    });
    await once(child.stdout, "data");
    child.kill("SIGKILL");
    await kubelet.idle();
  }
});

test("a client that stops reading holds the container up, not the server's memory", async () => {
  for (const env of [{}, SPDY_ONLY]) {
    const args = [
      "--kubeconfig",
      join(rig.directory, "kubeconfig"),
      "-n",
      "streams",
      "exec",
      "p",
      "--",
      "flood",
    ];
    const child = spawn(KUBECTL, args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "ignore"],
    });
    await once(child.stdout, "data");
    child.stdout.pause();
    let before = -1;
    for (let quiet = 0; quiet < 10; ) {
      await ask(rig, "GET", "/version");
      quiet = kubelet.flooded() === before ? quiet + 1 : 0;
      before = kubelet.flooded();
    }
    assert.ok(before < 48 * 1024 * 1024, `${before} bytes were taken`);
    child.kill("SIGKILL");
    await kubelet.idle();
  }
});

test("a node that speaks WebSocket itself is given it", async () => {
  await makeNode("n2", kubelet.port, ["ExtendWebSocketsToKubelet"]);
  await makePod("modern", "n2", ["c"]);
  const { code, stdout, stderr } = await rig.kubectl(["-n", "streams", "exec", "-i", "modern", "--", "cat"], {
    input: "hi",
  });
  assert.deepEqual([code, stdout], [0, "hi"], stderr);
  assert.match(kubelet.asked.at(-1) ?? "", /^GET \/exec\//);
});

test("a kubelet that is not there", async () => {
  await makeNode("n3", 1);
  await makePod("lost", "n3", ["c"]);
  for (const env of [{}, SPDY_ONLY]) {
    const { code, stderr } = await rig.kubectl(["-n", "streams", "exec", "lost", "--", "cat"], { env });
    assert.equal(code, 1);
    assert.match(stderr, /error dialing backend: dial tcp 127\.0\.0\.1:1: connect: connection refused/);
  }
});

const SPDY = { connection: "Upgrade", upgrade: "SPDY/3.1", "x-stream-protocol-version": "v4.channel.k8s.io" };

async function refusal(
  path: string,
  headers: Readonly<Record<string, string>> = SPDY,
): Promise<[number, string]> {
  const asking = request(`${rig.url}${path}`, {
    method: "POST",
    ...rig.admin,
    ca: rig.ca,
    agent: false,
    headers,
  });
  asking.end();
  const [answer] = await once(asking, "response");
  const body = await text(answer);
  return [answer.statusCode, body.startsWith("{") ? JSON.parse(body).message : body];
}

test("refusals, in kube-apiserver's words", async () => {
  await makePod("two", "n1", ["a", "b"]);
  await makePod("nowhere", undefined, ["c"]);
  await makePod("stray", "n9", ["c"]);
  const cases: readonly [string, number, string][] = [
    [`${BASE}/pods/nobody/exec?command=ls`, 404, 'pods "nobody" not found'],
    [
      `${BASE}/pods/two/exec?command=ls`,
      400,
      "a container name must be specified for pod two, choose one of: [a b]",
    ],
    [`${BASE}/pods/two/attach?container=x`, 400, "container x is not valid for pod two"],
    [`${BASE}/pods/nowhere/portforward`, 400, "pod nowhere does not have a host assigned"],
    [`${BASE}/pods/stray/exec?command=ls`, 404, 'nodes "n9" not found'],
  ];
  for (const [path, code, message] of cases) assert.deepEqual(await refusal(path), [code, message], path);
  assert.deepEqual(await refusal(`${BASE}/pods/p/exec?command=ls&stdout=true`, {}), [
    400,
    "Upgrade request required",
  ]);
  const [code, why] = await refusal(`${BASE}/pods/p/exec?command=ls&stdout=true`, {
    ...SPDY,
    "x-stream-protocol-version": "v9",
  });
  assert.equal(code, 403);
  assert.match(why, /unable to negotiate protocol: client supports \[v9\]/);
});

test("whoever may only read pods may not run anything in them, by whatever method", async () => {
  const role = { rules: [{ apiGroups: [""], resources: ["pods", "pods/exec"], verbs: ["get"] }] };
  const rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/streams";
  await ask(rig, "POST", `${rbac}/roles`, { body: { metadata: { name: "reader" }, ...role } });
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "reader" };
  const subjects = [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "ann" }];
  await ask(rig, "POST", `${rbac}/rolebindings`, {
    body: { metadata: { name: "reader" }, roleRef, subjects },
  });
  const { code, body } = await ask(rig, "GET", `${BASE}/pods/p/exec?command=ls&stdout=true`, {
    as: rig.certificate("ann", "people"),
  });
  assert.equal(code, 403);
  assert.match(body.message, /User "ann" cannot create resource "pods\/exec"/);
});
