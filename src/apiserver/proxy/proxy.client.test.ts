import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { request } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { after, before, test } from "node:test";
import { ask, createNamespace, type Line } from "../testing/client.ts";
import { openRig, type Rig } from "../testing/rig.ts";
import { mayReach, parseNamed, restOf } from "./address.ts";
import { rewriteHtml, rewriteLink } from "./rewrite.ts";

const POD_IP = "10.42.0.7";
const BASE = "/api/v1/namespaces/web";
const PAGE = '<html><a href="/next">n</a><img alt="/x" src=\'/i.png\'><a href="//else.where/x">e</a></html>';

let rig: Rig;
let backend: Server;
before(async () => {
  backend = createServer((incoming, answer) => {
    if (incoming.url === "/page") answer.writeHead(200, { "content-type": "text/html" }).end(PAGE);
    else if (incoming.url === "/away") answer.writeHead(302, { location: "/next?a=b" }).end();
    else incoming.pipe(answer.setHeader("x-asked", describe(incoming)));
  });
  backend.on("upgrade", (_incoming, socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello ");
    socket.pipe(socket);
  });
  backend.listen(0, "127.0.0.1");
  await once(backend, "listening");
  const { port } = backend.address() as AddressInfo;
  rig = await openRig({
    dialPod: async ({ host, port: asked }) => {
      if (host !== POD_IP || asked !== 8080) throw new Error(`connect ECONNREFUSED ${host}:${asked}`);
      return connect({ host: "127.0.0.1", port });
    },
  });
  await createNamespace(rig, "web");
  await makePod("p", { ip: POD_IP });
  await post("services", {
    metadata: { name: "s" },
    spec: { clusterIP: "None", ports: [{ name: "http", port: 80, targetPort: 8080 }] },
  });
  await post("services", { metadata: { name: "idle" }, spec: { ports: [{ port: 80 }] } });
  await post("endpoints", { metadata: { name: "idle" } });
  const targetRef = { kind: "Pod", namespace: "web", name: "p" };
  await post("endpoints", {
    metadata: { name: "s" },
    subsets: [{ addresses: [{ ip: POD_IP, targetRef }], ports: [{ name: "http", port: 8080 }] }],
  });
});
after(async () => {
  await rig[Symbol.asyncDispose]();
  backend.closeAllConnections();
  backend.close();
});

function describe({ method, url, headers }: IncomingMessage): string {
  return [method, url, headers.authorization ?? "", headers["x-forwarded-uri"]].join(" ");
}

async function post(plural: string, body: Line): Promise<void> {
  const { code, text } = await ask(rig, "POST", `${BASE}/${plural}`, { body });
  assert.equal(code, 201, text);
}

async function makePod(name: string, { ip }: { ip: string }): Promise<void> {
  const ports = [{ containerPort: 8080 }];
  await post("pods", { metadata: { name }, spec: { containers: [{ name: "c", image: "i", ports }] } });
  const body = { status: { phase: "Running", podIP: ip, podIPs: [{ ip }] } };
  const headers = { "content-type": "application/merge-patch+json" };
  assert.equal((await ask(rig, "PATCH", `${BASE}/pods/${name}/status`, { body, headers })).code, 200);
}

for (const [place, through] of [
  ["a pod by its first port", `${BASE}/pods/p/proxy`],
  ["a pod by number", `${BASE}/pods/http:p:8080/proxy`],
  ["a service by its port's name", `${BASE}/services/s:http/proxy`],
  ["a service by its port's number", `${BASE}/services/s:80/proxy`],
] as const)
  test(`${place} is asked in the client's stead`, async () => {
    const { code, headers, text } = await ask(rig, "POST", `${through}/a%20b//c?x=y`, { body: { hello: 1 } });
    assert.deepEqual([code, text], [200, '{"hello":1}']);
    assert.equal(headers["x-asked"], `POST /a%20b//c?x=y  ${through}/a%20b//c`);
    const page = await ask(rig, "GET", `${through}/page`);
    assert.match(page.text, new RegExp(`href="${through}/next"`));
    assert.match(page.text, new RegExp(`alt="/x" src='${through}/i.png'`));
    assert.match(page.text, /href="\/\/else.where\/x"/);
    assert.equal((await ask(rig, "GET", `${through}/away`)).headers["location"], `${through}/next?a=b`);
    const bare = await ask(rig, "GET", `${through}?x=y`);
    assert.deepEqual([bare.code, bare.headers["location"]], [301, `${through}/?x=y`]);
  });

const refusals: readonly [string, number, RegExp][] = [
  [`${BASE}/pods/nobody/proxy/`, 404, /pods "nobody" not found/],
  [`${BASE}/pods/a:b:c:d/proxy/`, 400, /invalid pod request "a:b:c:d"/],
  [`${BASE}/pods/p:9/proxy/`, 503, /error trying to reach service: .*ECONNREFUSED/],
  [`${BASE}/services/nobody/proxy/`, 404, /services "nobody" not found/],
  [`${BASE}/services/idle/proxy/`, 503, /no endpoints available for service "idle"/],
  [`${BASE}/services/s:81/proxy/`, 503, /no service port 81 found for service "s"/],
  [`${BASE}/services/s:other/proxy/`, 503, /no endpoints available for service "s:other"/],
  ["/api/v1/nodes/nobody/proxy/", 404, /nodes "nobody" not found/],
];
for (const [path, code, message] of refusals)
  test(`refused: ${path}`, async () => {
    const answer = await ask(rig, "GET", path);
    assert.equal(answer.code, code, answer.text);
    assert.match(answer.body.message, message);
  });

test("a pod may not lead the API server to itself", async () => {
  await makePod("local", { ip: "127.0.0.1" });
  const { code, body } = await ask(rig, "GET", `${BASE}/pods/local/proxy/`);
  assert.deepEqual([code, body.message], [400, "address not allowed"]);
});

test("a connection goes on in another protocol", async () => {
  const asking = request(`${rig.url}${BASE}/pods/p/proxy/socket`, {
    ...rig.admin,
    ca: rig.ca,
    headers: { connection: "Upgrade", upgrade: "echo" },
  });
  asking.end();
  const [answer, socket, head] = await once(asking, "upgrade");
  assert.equal(answer.statusCode, 101);
  let heard = head.toString("utf8");
  socket.write("there");
  while (heard !== "hello there") heard += String((await once(socket, "data"))[0]);
  socket.end();
  await once(socket, "close");
});

test("an upgrade of what has none is refused like any request", async () => {
  const asking = request(`${rig.url}${BASE}/pods/p/exec?command=ls`, {
    ...rig.admin,
    ca: rig.ca,
    headers: { connection: "Upgrade", upgrade: "SPDY/3.1" },
  });
  asking.end();
  const [answer] = await once(asking, "response");
  answer.resume();
  assert.equal(answer.statusCode, 400);
});

test("what stands in a path", () => {
  assert.deepEqual(parseNamed("https:a:x", "pod"), { scheme: "https", name: "a", port: "x" });
  assert.throws(() => parseNamed("ftp:a:x", "pod"), /invalid pod request/);
  assert.deepEqual(restOf("/api/v1/nodes/n/proxy/a/b"), { prefix: "/api/v1/nodes/n/proxy", rest: "/a/b" });
  const addresses = {
    "10.0.0.1": true,
    "fd00::1": true,
    "127.0.0.1": false,
    "169.254.1.1": false,
    "ff02::1": false,
  };
  for (const [address, want] of Object.entries(addresses)) assert.equal(mayReach(address), want, address);
});

test("links lead back, and only those of the backend", () => {
  const place = { prefix: "/p", host: "api:6443", backend: "10.0.0.1:80" };
  for (const [link, want] of [
    ["/a", "/p/a"],
    ["/p/a", "/p/a"],
    ["a", "a"],
    ["http://10.0.0.1:80/a", "/p/a"],
    ["https://api:6443/a", "https://api:6443/p/a"],
    ["https://other/a", "https://other/a"],
  ])
    assert.equal(rewriteLink(link ?? "", place), want);
  assert.equal(rewriteHtml('<a href="/x', place), '<a href="/x');
  assert.equal(rewriteHtml("a < b", place), "a < b");
});
