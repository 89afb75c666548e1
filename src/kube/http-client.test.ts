import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { KubeClient } from "./client.ts";
import { openClient } from "./http-client.ts";
import { CONFIG_MAPS, PODS } from "./resources.ts";

type Answer = (req: IncomingMessage & { text: string }, res: ServerResponse) => void;

/** Runs `body` against a server that gives the scripted answers in turn, and returns what was asked of it. */
async function withServer(
  answers: readonly Answer[],
  body: (client: KubeClient) => Promise<void>,
): Promise<string[]> {
  const asked: string[] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      asked.push(`${req.method} ${req.url}`);
      answers[asked.length - 1]?.(Object.assign(req, { text: Buffer.concat(chunks).toString() }), res);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const options = { server: `http://127.0.0.1:${port}`, ca: "", token: "secret", userAgent: "test" };
  try {
    await using client = openClient(options);
    await body(client);
  } finally {
    server.closeAllConnections();
    server.close();
  }
  return asked;
}

function json(status: number, value: unknown, headers: Record<string, string> = {}): Answer {
  return (_req, res) => {
    res.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
  };
}
const ref = { namespace: "default", name: "a" };
const object = { metadata: { namespace: "default", name: "a" } };

test("a Status becomes a fault with its reason, code and sentence", async () => {
  const status = {
    kind: "Status",
    reason: "AlreadyExists",
    code: 409,
    message: 'configmaps "a" already exists',
  };
  await withServer([json(409, status)], async (client) => {
    await assert.rejects(client.create(CONFIG_MAPS, object), {
      code: "AlreadyExists",
      status: 409,
      message: 'Cannot create configmaps "default/a": configmaps "a" already exists',
    });
  });
});

test("an answer without a Status is named by its HTTP status", async () => {
  await withServer([(_req, res) => res.writeHead(404).end("404 page not found")], async (client) => {
    await assert.rejects(client.get(CONFIG_MAPS, ref), { code: "NotFound", message: /404 page not found/ });
  });
});

test("no server is Unreachable, and the sentence names it", async () => {
  await using client = openClient({ server: "http://127.0.0.1:1", ca: "", userAgent: "test" });
  await assert.rejects(client.get(CONFIG_MAPS, ref), {
    code: "Unreachable",
    message: /http:\/\/127\.0\.0\.1:1/,
  });
});

test("repeats when the server asks for it, and only then", async () => {
  const busy = { kind: "Status", reason: "TooManyRequests", code: 429, message: "later" };
  const asked = await withServer(
    [json(429, busy, { "retry-after": "0" }), json(200, object)],
    async (client) => {
      await client.create(CONFIG_MAPS, object);
    },
  );
  assert.equal(asked.length, 2);
  const once = await withServer([json(500, { kind: "Status", code: 500, message: "no" })], async (client) => {
    await assert.rejects(client.create(CONFIG_MAPS, object), { code: "InternalError" });
  });
  assert.equal(once.length, 1);
});

test("a read survives a connection that died while idle", async () => {
  const asked = await withServer([(req) => req.socket.destroy(), json(200, object)], async (client) => {
    assert.equal((await client.get(CONFIG_MAPS, ref)).metadata.name, "a");
  });
  assert.equal(asked.length, 2);
});

test("lists page by page, and gives items their type", async () => {
  const page = (name: string, next?: string) =>
    json(200, { metadata: { resourceVersion: "7", continue: next }, items: [{ metadata: { name } }] });
  const asked = await withServer([page("a", "token"), page("b")], async (client) => {
    const list = await client.list(PODS, { namespace: "default", labelSelector: "a=b" });
    assert.deepEqual(
      list.items.map((item) => `${item.apiVersion} ${item.kind} ${item.metadata.name}`),
      ["v1 Pod a", "v1 Pod b"],
    );
  });
  assert.deepEqual(asked, [
    "GET /api/v1/namespaces/default/pods?labelSelector=a%3Db&limit=1000",
    "GET /api/v1/namespaces/default/pods?labelSelector=a%3Db&limit=1000&continue=token",
  ]);
});

test("watch yields events, then throws the error event", async () => {
  const lines = [
    { type: "ADDED", object },
    { type: "BOOKMARK", object: { metadata: { resourceVersion: "9" } } },
    { type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired", message: "too old" } },
  ];
  const stream: Answer = (_req, res) => {
    res.writeHead(200, { "content-type": "application/json" });
    res.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  };
  await withServer([stream], async (client) => {
    const seen: string[] = [];
    const { signal } = new AbortController();
    await assert.rejects(
      async () => {
        for await (const event of client.watch(CONFIG_MAPS, { resourceVersion: "1", signal }))
          seen.push(event.type);
      },
      { code: "Expired" },
    );
    assert.deepEqual(seen, ["ADDED", "BOOKMARK"]);
  });
});

test("sends credentials, media types and preconditions as the API wants them", async () => {
  const sent: unknown[] = [];
  const record: Answer = (req, res) => {
    sent.push([req.headers.authorization, req.headers["content-type"], JSON.parse(req.text)]);
    json(200, object)(req, res);
  };
  const asked = await withServer([record, record, record], async (client) => {
    await client.patch(CONFIG_MAPS, ref, { a: 1 }, { type: "apply", fieldManager: "me", force: true });
    await client.delete(CONFIG_MAPS, ref, { uid: "u", propagationPolicy: "Background" });
    await client.create(CONFIG_MAPS, { metadata: { namespace: "default", name: "", generateName: "a-" } });
  });
  assert.deepEqual(asked, [
    "PATCH /api/v1/namespaces/default/configmaps/a?fieldManager=me&force=true",
    "DELETE /api/v1/namespaces/default/configmaps/a",
    "POST /api/v1/namespaces/default/configmaps",
  ]);
  const options = { propagationPolicy: "Background", preconditions: { uid: "u" } };
  assert.deepEqual(sent, [
    ["Bearer secret", "application/apply-patch+yaml", { a: 1 }],
    ["Bearer secret", "application/json", { apiVersion: "v1", kind: "DeleteOptions", ...options }],
    [
      "Bearer secret",
      "application/json",
      { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "default", generateName: "a-" } },
    ],
  ]);
});
