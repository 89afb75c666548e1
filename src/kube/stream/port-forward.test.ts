import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { after, before, test } from "node:test";
import { type RawData, WebSocket } from "ws";
import { PortClient } from "./ask-port.ts";
import { askUpgrade } from "./ask-upgrade.ts";
import { servePortForward, TUNNEL_PROTOCOL } from "./serve-port-forward.ts";
import { SpdyConnection } from "./spdy-connection.ts";
import { openSpdyClient, openUpgradeServer, type UpgradeServer } from "./testing/upgrade-server.ts";
import { IDLE_MS } from "./upgrade.ts";
import { tunnelOf } from "./websocket-tunnel.ts";

const pod = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket).on("error", () => {}));
let server: UpgradeServer;
before(async () => {
  pod.listen(0, "127.0.0.1");
  await once(pod, "listening");
  server = await openUpgradeServer((upgrade) =>
    servePortForward(upgrade, {
      pod: "web/p",
      signal: new AbortController().signal,
      dial: async (port) => {
        if (port !== 80) throw new Error(`dial tcp 127.0.0.1:${port}: connect: connection refused`);
        return connect({ host: "127.0.0.1", port: (pod.address() as AddressInfo).port, allowHalfOpen: true });
      },
    }),
  );
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await new Promise((resolve) => pod.close(resolve));
});

async function overSpdy(): Promise<SpdyConnection> {
  const { connection, protocol } = await openSpdyClient(server.port, { protocols: ["portforward.k8s.io"] });
  assert.equal(protocol, "portforward.k8s.io");
  return connection;
}

/** What the library's own client sets once its handshake is over. */
type Inside = WebSocket & {
  _isServer: boolean;
  setSocket(socket: unknown, head: Buffer, options: object): void;
};

async function overTunnel(): Promise<SpdyConnection> {
  const answer = await askUpgrade(connect({ host: "127.0.0.1", port: server.port }), {
    method: "GET",
    path: "/",
    headers: {
      Host: "test",
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
      "Sec-WebSocket-Protocol": TUNNEL_PROTOCOL,
    },
    signal: new AbortController().signal,
  });
  assert.equal(answer.answer.headers["sec-websocket-protocol"], TUNNEL_PROTOCOL);
  assert.ok(answer.kind === "agreed");
  // The library's own client refuses the protocol's name; only its handshake stands in the way.
  const Unopened = WebSocket as unknown as new (...args: readonly unknown[]) => Inside;
  const webSocket = new Unopened(null, undefined, { autoPong: true });
  webSocket._isServer = false;
  webSocket.setSocket(answer.socket, answer.head, {
    maxPayload: 0,
    skipUTF8Validation: false,
    allowSynchronousEvents: true,
  });
  return new SpdyConnection(tunnelOf(webSocket), { side: "client", head: Buffer.alloc(0), idleMs: IDLE_MS });
}

for (const [way, open] of [
  ["SPDY", overSpdy],
  ["SPDY in WebSocket", overTunnel],
] as const) {
  test(`${way}: many connections at once, each with its own bytes`, async () => {
    const connection = await open();
    const ports = new PortClient(connection);
    const block = randomBytes(256 * 1024);
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const stream = await ports.open(80);
        const [want, got] = [createHash("sha256"), createHash("sha256")];
        const own = Buffer.concat([Buffer.from(`connection ${i}`), block]);
        for (let j = 0; j < 3; j++) want.update(own);
        await Promise.all([
          pipeline(Readable.from([own, own, own]), stream, { end: true }),
          pipeline(stream, got),
        ]);
        assert.equal(got.digest("hex"), want.digest("hex"), `connection ${i}`);
      }),
    );
    connection.end();
    await connection.closed;
    await server.idle();
    assert.equal(await server.connections(), 0);
  });

  test(`${way}: that nobody listens is told, and others go on`, async () => {
    const connection = await open();
    const ports = new PortClient(connection);
    const good = await ports.open(80);
    good.write("before ");
    const [error] = await once(await ports.open(81), "error").catch((why: unknown) => [why]);
    assert.equal(
      error.message,
      "error forwarding port 81 to pod web/p: dial tcp 127.0.0.1:81: connect: connection refused",
    );
    good.end("after");
    assert.equal(await text(good), "before after");
    connection.destroy();
    await server.idle();
  });
}

test("a client that leaves closes its connections to the pod", async () => {
  const connection = await overSpdy();
  const stream = await new PortClient(connection).open(80);
  stream.write("x");
  await once(stream, "data");
  connection.destroy();
  await server.idle();
  while ((await new Promise((resolve) => pod.getConnections((_error, count) => resolve(count)))) !== 0)
    await new Promise((resolve) => setImmediate(resolve));
});

test("a client that resets its stream closes that connection alone", async () => {
  const connection = await overSpdy();
  const ports = new PortClient(connection);
  const [one, other] = await Promise.all([ports.open(80), ports.open(80)]);
  one.write("x");
  await once(one, "data");
  one.destroy();
  while ((await new Promise((resolve) => pod.getConnections((_error, count) => resolve(count)))) !== 1)
    await new Promise((resolve) => setImmediate(resolve));
  other.end("still");
  assert.equal(await text(other), "still");
  connection.end();
  await server.idle();
});

for (const [name, headers] of [
  ["no port", { streamtype: "data", requestid: "1" }],
  ["port 0", { streamtype: "data", requestid: "1", port: "0" }],
  ["port 65536", { streamtype: "error", requestid: "1", port: "65536" }],
  ["another type", { streamtype: "stdin", requestid: "1", port: "80" }],
] as const)
  test(`a stream with ${name} is reset`, async () => {
    const connection = await overSpdy();
    const stream = await connection.open(new Map(Object.entries(headers)));
    assert.equal(await text(stream), "");
    connection.end();
    await server.idle();
  });

test("clients that number no requests pair streams by their ids", async () => {
  const connection = await overSpdy();
  const [error, data] = await Promise.all(
    ["error", "data"].map((streamtype) =>
      connection.open(
        new Map([
          ["streamtype", streamtype],
          ["port", "80"],
        ]),
      ),
    ),
  );
  data?.end("hello");
  assert.ok(error && data);
  assert.deepEqual(await Promise.all([text(data), text(error)]), ["hello", ""]);
  connection.end();
  await server.idle();
});

test("the old channels: each begins with its port; an error has its own", async () => {
  const webSocket = new WebSocket(`ws://127.0.0.1:${server.port}/?port=80,81`, ["v4.channel.k8s.io"]);
  const said: Buffer[] = [];
  const heard = Promise.withResolvers<void>();
  webSocket.on("message", (message: RawData) => {
    const [channel = 0, ...bytes] = message as Buffer;
    said[channel] = Buffer.concat([said[channel] ?? Buffer.alloc(0), Buffer.from(bytes)]);
    if (said[0]?.length === 7 && (said[3]?.length ?? 0) > 2) heard.resolve();
  });
  await once(webSocket, "open");
  webSocket.send(Buffer.from("\0hello"));
  await heard.promise;
  assert.equal(said[0]?.toString("latin1"), "P\0hello");
  assert.equal(said[1]?.toString("latin1"), "P\0");
  assert.match(said[3]?.toString("latin1") ?? "", /^Q\0error forwarding port 81 to pod/);
  webSocket.close();
  await server.idle();
});

test("the old channels without ports are refused", async () => {
  const webSocket = new WebSocket(`ws://127.0.0.1:${server.port}/?port=x`, ["v4.channel.k8s.io"]);
  const [error] = await once(webSocket, "error").catch((why: unknown) => [why]);
  assert.match(String(error), /400/);
});
