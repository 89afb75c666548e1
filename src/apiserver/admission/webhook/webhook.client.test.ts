import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openLog } from "#telemetry/log";
import type { JsonObject } from "../../json.ts";
import type { KeyPair } from "../../testing/authority.ts";
import { ask, create, createNamespace } from "../../testing/client.ts";
import { openRig, type Rig } from "../../testing/rig.ts";
import { say } from "../../testing/say.ts";
import {
  openWebhookServer,
  patchAnswer,
  type WebhookAnswer,
  type WebhookServer,
} from "../../testing/webhook-server.ts";

let rig: Rig;
let hooks: WebhookServer;
let answer: WebhookAnswer = () => ({ allowed: true });

before(async () => {
  rig = await openRig({ log: openLog({ write: () => {}, level: "error" }) });
  await say(rig, "POST", `${DEFAULT}/serviceaccounts`, { metadata: { name: "default" } });
  hooks = await openWebhookServer(serviceCertificate(rig), (request, path) => answer(request, path));
});

after(async () => {
  await hooks[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

/** A certificate for `hook.default.svc` and the loopback, by the rig's authority. */
function serviceCertificate({ directory }: Rig): KeyPair {
  const openssl = (...args: string[]) =>
    execFileSync("openssl", args, { cwd: directory, stdio: ["ignore", "pipe", "pipe"] });
  writeFileSync(join(directory, "hook.ext"), "subjectAltName=DNS:hook.default.svc,IP:127.0.0.1\n");
  openssl(
    "req",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-keyout",
    "hook.key",
    "-out",
    "hook.csr",
    "-subj",
    "/CN=hook",
  );
  openssl(
    "x509",
    "-req",
    "-in",
    "hook.csr",
    "-CA",
    "ca.crt",
    "-CAkey",
    "ca.key",
    "-CAcreateserial",
    "-out",
    "hook.crt",
    "-days",
    "2",
    "-extfile",
    "hook.ext",
  );
  return {
    cert: readFileSync(join(directory, "hook.crt"), "utf8"),
    key: readFileSync(join(directory, "hook.key"), "utf8"),
  };
}

const CONFIG_MAPS = { apiGroups: [""], apiVersions: ["v1"], operations: ["*"], resources: ["configmaps"] };

interface HookGiven extends JsonObject {
  name?: string;
}

function hook(given: HookGiven = {}): JsonObject {
  return {
    name: "check.example.com",
    admissionReviewVersions: ["v1"],
    sideEffects: "None",
    clientConfig: {
      url: `https://127.0.0.1:${hooks.port}/check`,
      caBundle: Buffer.from(rig.ca).toString("base64"),
    },
    rules: [CONFIG_MAPS],
    ...given,
  };
}

const REGISTRATION = "/apis/admissionregistration.k8s.io/v1";
const DEFAULT = "/api/v1/namespaces/default";

/** Runs `work` while webhooks of a kind are configured. */
async function withHooks(
  kind: "Validating" | "Mutating",
  webhooks: readonly JsonObject[],
  work: () => Promise<void>,
): Promise<void> {
  const path = `${REGISTRATION}/${kind.toLowerCase()}webhookconfigurations`;
  assert.equal(await say(rig, "POST", path, { metadata: { name: "test" }, webhooks }), "created");
  try {
    await work();
  } finally {
    answer = () => ({ allowed: true });
    hooks.asked.length = 0;
    await say(rig, "DELETE", `${path}/test`);
  }
}

let count = 0;
async function createConfigMap(
  metadata: object = {},
  query = "",
): Promise<{ readonly name: string; readonly said: string }> {
  const name = `cm-${++count}`;
  const object = { metadata: { name, ...metadata }, data: { a: "b" } };
  return { name, said: await say(rig, "POST", `${DEFAULT}/configmaps${query}`, object) };
}

test("a webhook is told of a write, and its warnings come through", async () => {
  await withHooks("Validating", [hook()], async () => {
    answer = () => ({ allowed: true, warnings: ["mind the gap"] });
    const { name, said } = await createConfigMap();
    assert.match(said, /Warning: mind the gap/);
    const [request] = hooks.asked;
    assert.equal(request.operation, "CREATE");
    assert.deepEqual(request.kind, { group: "", version: "v1", kind: "ConfigMap" });
    assert.deepEqual(request.resource, { group: "", version: "v1", resource: "configmaps" });
    assert.deepEqual([request.name, request.namespace, request.dryRun], [name, "default", false]);
    assert.equal(request.object.data.a, "b");
    assert.equal(request.oldObject, null);
    assert.equal(request.userInfo.username, "admin");
    assert.ok(request.userInfo.groups.includes("system:masters"));
    assert.equal(request.options.kind, "CreateOptions");
  });
});

test("a refusal comes through with its message and code", async () => {
  await withHooks("Validating", [hook()], async () => {
    answer = () => ({ allowed: false, status: { message: "not today", code: 403 } });
    const { said } = await createConfigMap();
    assert.match(said, /admission webhook "check\.example\.com" denied the request: not today/);
    answer = () => ({ allowed: false });
    assert.match((await createConfigMap()).said, /denied the request without explanation/);
  });
});

test("a delete is told with the old object, one by one in a collection", async () => {
  await createNamespace(rig, "many");
  for (const name of ["one", "two"]) await create(rig, "/api/v1/namespaces/many/configmaps", name);
  await withHooks(
    "Validating",
    [
      hook({
        rules: [{ ...CONFIG_MAPS, operations: ["DELETE"] }],
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "many" } },
      }),
    ],
    async () => {
      answer = (request) => ({ allowed: request.name !== "two", status: { message: "two stays" } });
      const { stderr } = await rig.kubectl(["-n", "many", "delete", "configmaps", "one", "two"]);
      assert.match(stderr, /two stays/);
      assert.deepEqual(
        hooks.asked.map(({ operation, object, oldObject }) => [operation, object, oldObject.metadata.name]),
        [
          ["DELETE", null, "one"],
          ["DELETE", null, "two"],
        ],
      );
    },
  );
});

test("what is not matched costs no call", async () => {
  const webhooks = [
    hook({ name: "a.example.com", objectSelector: { matchLabels: { app: "x" } } }),
    hook({ name: "b.example.com", namespaceSelector: { matchLabels: { team: "none" } } }),
    hook({ name: "c.example.com", rules: [{ ...CONFIG_MAPS, scope: "Cluster" }] }),
    hook({ name: "d.example.com", rules: [{ ...CONFIG_MAPS, operations: ["DELETE"] }] }),
    hook({
      name: "e.example.com",
      matchConditions: [{ name: "c", expression: "object.metadata.name == 'other'" }],
    }),
    hook({ name: "f.example.com", rules: [{ ...CONFIG_MAPS, resources: ["configmaps/status"] }] }),
  ];
  await withHooks("Validating", webhooks, async () => {
    assert.match((await createConfigMap()).said, /created/);
    assert.equal(hooks.asked.length, 0);
    await createConfigMap({ labels: { app: "x" } });
    assert.equal(hooks.asked.length, 1);
  });
});

test("a match condition that cannot be evaluated follows the failure policy", async () => {
  const matchConditions = [{ name: "c", expression: "object.spec.nope == 1" }];
  await withHooks("Validating", [hook({ matchConditions })], async () => {
    const { name, said } = await createConfigMap();
    assert.match(
      said,
      new RegExp(
        `configmaps "${name}" is forbidden: expression 'object.spec.nope == 1' resulted in error: no such key: spec`,
      ),
    );
  });
  await withHooks("Validating", [hook({ matchConditions, failurePolicy: "Ignore" })], async () => {
    assert.match((await createConfigMap()).said, /created/);
  });
});

test("a webhook that is not there follows the failure policy", async () => {
  const clientConfig = { url: "https://127.0.0.1:1/x" };
  await withHooks("Validating", [hook({ clientConfig })], async () => {
    const { said } = await createConfigMap();
    assert.match(
      said,
      /Internal error occurred: failed calling webhook "check\.example\.com": failed to call webhook: Post "https:\/\/127\.0\.0\.1:1\/x\?timeout=10s": dial tcp 127\.0\.0\.1:1: connect: connection refused/,
    );
  });
  await withHooks("Validating", [hook({ clientConfig, failurePolicy: "Ignore" })], async () => {
    assert.match((await createConfigMap()).said, /created/);
  });
});

test("a webhook that is slow, unknown or confused has failed", async () => {
  await withHooks("Validating", [hook({ timeoutSeconds: 1 })], async () => {
    const { promise, resolve } = Promise.withResolvers<JsonObject>();
    answer = () => promise;
    assert.match((await createConfigMap()).said, /\/check\?timeout=1s": context deadline exceeded/);
    resolve({ allowed: true });
  });
  await withHooks(
    "Validating",
    [hook({ clientConfig: { url: `https://127.0.0.1:${hooks.port}/` } })],
    async () => {
      assert.match((await createConfigMap()).said, /certificate signed by unknown authority/);
    },
  );
  await withHooks("Validating", [hook()], async () => {
    answer = () => ({ allowed: true, uid: "other" });
    assert.match(
      (await createConfigMap()).said,
      /received invalid webhook response: expected response\.uid="/,
    );
    answer = () => ({ httpCode: 500 });
    assert.match((await createConfigMap()).said, /an error on the server/);
    answer = () => ({ httpCode: 404 });
    assert.match((await createConfigMap()).said, /the server could not find the requested resource/);
  });
});

test("a dry run is told; a webhook that may do more is not asked then", async () => {
  await withHooks("Validating", [hook({ sideEffects: "NoneOnDryRun" })], async () => {
    assert.equal((await createConfigMap({}, "?dryRun=All")).said, "created");
    assert.equal(hooks.asked[0].dryRun, true);
  });
});

test("webhooks change objects one after the other, and are asked again where they wish", async () => {
  const mutating = (name: string, given: JsonObject = {}) =>
    hook({
      name: `${name}.example.com`,
      clientConfig: {
        url: `https://127.0.0.1:${hooks.port}/${name}`,
        caBundle: Buffer.from(rig.ca).toString("base64"),
      },
      ...given,
    });
  const webhooks = [
    mutating("first", { reinvocationPolicy: "IfNeeded" }),
    mutating("second"),
    mutating("third", { reinvocationPolicy: "IfNeeded" }),
  ];
  await withHooks("Mutating", webhooks, async () => {
    const paths: string[] = [];
    answer = (request, path) => {
      paths.push(path);
      const seen = Object.keys(request.object.data).length;
      if (path === "/third") return { allowed: true };
      return patchAnswer([{ op: "add", path: `/data/${path.slice(1)}${seen}`, value: String(seen) }]);
    };
    const { name } = await createConfigMap();
    const { body } = await ask(rig, "GET", `${DEFAULT}/configmaps/${name}`);
    assert.deepEqual(paths, ["/first", "/second", "/third", "/first", "/third"]);
    assert.deepEqual(body.data, { a: "b", first1: "1", second2: "2", first3: "3" });
  });
});

test("a pod that a webhook changed gets its defaults", async () => {
  const rules = [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }];
  await withHooks("Mutating", [hook({ rules })], async () => {
    answer = () =>
      patchAnswer([
        { op: "add", path: "/spec/containers/-", value: { name: "sidecar", image: "sidecar:1" } },
      ]);
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p" },
      spec: { containers: [{ name: "c", image: "i" }] },
    };
    assert.equal(await say(rig, "POST", `${DEFAULT}/pods`, pod), "created");
    const { body } = await ask(rig, "GET", `${DEFAULT}/pods/p`);
    const [, sidecar] = body.spec.containers;
    assert.equal(sidecar.imagePullPolicy, "IfNotPresent");
    assert.equal(sidecar.terminationMessagePath, "/dev/termination-log");
    assert.equal(sidecar.volumeMounts[0].mountPath, "/var/run/secrets/kubernetes.io/serviceaccount");
  });
});

test("a webhook behind a Service is known by the Service's name", async () => {
  const service = { metadata: { name: "hook" } };
  await say(rig, "POST", `${DEFAULT}/services`, { ...service, spec: { ports: [{ port: 443 }] } });
  const clientConfig = {
    service: { name: "hook", namespace: "default", path: "/svc" },
    caBundle: Buffer.from(rig.ca).toString("base64"),
  };
  await withHooks("Validating", [hook({ clientConfig })], async () => {
    assert.match(
      (await createConfigMap()).said,
      /Post "https:\/\/hook\.default\.svc:443\/svc\?timeout=10s": no endpoints available for service "hook"/,
    );
  });
  await say(rig, "DELETE", `${DEFAULT}/services/hook`);
  const named = { ...service, spec: { type: "ExternalName", externalName: "localhost" } };
  await say(rig, "POST", `${DEFAULT}/services`, named);
  const outside = { ...clientConfig, service: { ...clientConfig.service, port: hooks.port } };
  await withHooks("Validating", [hook({ clientConfig: outside })], async () => {
    answer = (_request, path) => ({ allowed: false, status: { message: `asked at ${path}` } });
    assert.match((await createConfigMap()).said, /asked at \/svc/);
  });
});

test("connections are kept", async () => {
  await withHooks("Validating", [hook()], async () => {
    await createConfigMap();
    const connectionsBefore = hooks.connections();
    for (let i = 0; i < 3; i++) await createConfigMap();
    assert.equal(hooks.connections(), connectionsBefore);
    assert.equal(hooks.asked.length, 4);
  });
});

test("a connection is told with its options", async () => {
  const pod = { metadata: { name: "shell" }, spec: { containers: [{ name: "c", image: "i" }] } };
  await say(rig, "POST", `${DEFAULT}/pods`, pod);
  const rules = [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CONNECT"], resources: ["pods/exec"] }];
  await withHooks("Validating", [hook({ rules })], async () => {
    answer = () => ({ allowed: false, status: { message: "no shells" } });
    const said = await say(rig, "POST", `${DEFAULT}/pods/shell/exec?command=sh&stdout=true&container=c`);
    assert.match(said, /denied the request: no shells/);
    const [request] = hooks.asked;
    assert.deepEqual([request.operation, request.subResource, request.name], ["CONNECT", "exec", "shell"]);
    assert.deepEqual(request.object, {
      kind: "PodExecOptions",
      apiVersion: "v1",
      stdout: true,
      container: "c",
      command: ["sh"],
    });
  });
});

test("webhooks do not decide on webhooks", async () => {
  const rules = [{ apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["*/*"] }];
  await withHooks("Validating", [hook({ rules })], async () => {
    answer = () => ({ allowed: false });
    assert.match((await createConfigMap()).said, /denied the request/);
    hooks.asked.length = 0;
    assert.equal(await say(rig, "DELETE", `${REGISTRATION}/validatingwebhookconfigurations/test`), "deleted");
    assert.equal(hooks.asked.length, 0);
  });
});

/** Configurations that are refused. */
const REFUSED: readonly (readonly [JsonObject, RegExp])[] = [
  [
    { name: "short" },
    /webhooks\[0\]\.name: Invalid value: "short": should be a domain with at least three segments separated by dots/,
  ],
  [
    { sideEffects: "Some" },
    /webhooks\[0\]\.sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"/,
  ],
  [
    { timeoutSeconds: 31 },
    /webhooks\[0\]\.timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds/,
  ],
  [
    { clientConfig: {} },
    /webhooks\[0\]\.clientConfig: Required value: exactly one of url or service is required/,
  ],
  [
    { clientConfig: { url: "http://x.y" } },
    /'https' is the only allowed URL scheme; desired format: https:\/\/host\[\/path\]/,
  ],
  [
    { rules: [{ ...CONFIG_MAPS, operations: ["PATCH"] }] },
    /webhooks\[0\]\.rules\[0\]\.operations\[0\]: Unsupported value: "PATCH"/,
  ],
  [{ admissionReviewVersions: ["v2"] }, /must include at least one of v1, v1beta1/],
  [
    { matchConditions: [{ name: "c", expression: "object.x +" }] },
    /matchConditions\[0\]\.expression: Invalid value: "object\.x \+": compilation failed: ERROR: <input>:1:11: Syntax error/,
  ],
  [{ matchConditions: [{ name: "c", expression: "1" }] }, /must evaluate to bool/],
];

for (const [given, expected] of REFUSED)
  test(`a configuration is refused: ${JSON.stringify(given)}`, async () => {
    const configuration = { metadata: { name: "refused" }, webhooks: [hook(given)] };
    const said = await say(rig, "POST", `${REGISTRATION}/validatingwebhookconfigurations`, configuration);
    assert.match(said, expected);
  });
