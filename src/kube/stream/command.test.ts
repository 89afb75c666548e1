import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import { type RawData, WebSocket } from "ws";
import { askUpgrade } from "./ask-upgrade.ts";
import { serveCommand } from "./serve-command.ts";
import type { CommandEnd, CommandStreams, TerminalSize } from "./session.ts";
import {
  openSpdyClient,
  openUpgradeServer,
  startCommand,
  type UpgradeServer,
} from "./testing/upgrade-server.ts";

const ALL = { stdin: true, stdout: true, stderr: true, tty: false };
const never = new AbortController().signal;

type Run = (streams: CommandStreams, options: { signal: AbortSignal }) => Promise<CommandEnd>;

async function serving(run: Run, wants = ALL): Promise<UpgradeServer> {
  return await openUpgradeServer((upgrade) => serveCommand(upgrade, { wants, run, signal: never }));
}

/** Gives back what it is told, once on each output. */
const echo: Run = async ({ stdin, stdout, stderr }) => {
  for await (const bytes of stdin ?? []) {
    stdout?.write(bytes);
    stderr?.write(bytes);
  }
  return { code: 3 };
};

const EXIT_3 = {
  metadata: {},
  status: "Failure",
  message: "command terminated with non-zero exit code: exit status 3",
  reason: "NonZeroExitCode",
  details: { causes: [{ reason: "ExitCode", message: "3" }] },
};

test("SPDY: what is said comes back on both outputs, then the exit code", async () => {
  await using server = await serving(echo);
  const { stdin, stdout, stderr, error, connection } = await startCommand(server.port, ALL);
  stdin?.write("hello ");
  stdin?.end("there");
  assert.deepEqual(
    await Promise.all([text(stdout ?? Readable.from([])), text(stderr ?? Readable.from([])), text(error)]),
    ["hello there", "hello there", JSON.stringify(EXIT_3)],
  );
  await connection.closed;
  await server.idle();
  assert.equal(await server.connections(), 0);
});

test("SPDY: tens of megabytes both ways, byte for byte", async () => {
  const cat: Run = async ({ stdin, stdout }) => {
    if (stdin && stdout) await pipeline(stdin, stdout);
    return { code: 0 };
  };
  await using server = await serving(cat);
  const { stdin, stdout, stderr, error } = await startCommand(server.port, ALL);
  stderr?.resume();
  const block = randomBytes(1024 * 1024);
  const [want, got] = [createHash("sha256"), createHash("sha256")];
  const source = Readable.from(
    (function* () {
      for (let i = 0; i < 32; i++) {
        want.update(block);
        yield block;
      }
    })(),
  );
  assert.ok(stdin && stdout);
  await Promise.all([pipeline(source, stdin), pipeline(stdout, got)]);
  assert.equal(got.digest("hex"), want.digest("hex"));
  assert.equal(JSON.parse(await text(error)).status, "Success");
});

const NEWEST = ["v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"];
for (const [offered, chosen, failure] of [
  [NEWEST, "v4.channel.k8s.io", JSON.stringify(EXIT_3)],
  [["v9", "v3.channel.k8s.io"], "v3.channel.k8s.io", EXIT_3.message],
  [["v2.channel.k8s.io"], "v2.channel.k8s.io", EXIT_3.message],
  [["channel.k8s.io"], "channel.k8s.io", EXIT_3.message],
] as const)
  test(`SPDY: ${chosen} tells a failure its own way`, async () => {
    await using server = await serving(async () => ({ code: 3 }), { ...ALL, stdin: false, stderr: false });
    const { connection, protocol } = await openSpdyClient(server.port, { protocols: offered });
    assert.equal(protocol, chosen);
    const [error, stdout] = await Promise.all(
      ["error", "stdout"].map((type) => connection.open(new Map([["streamtype", type]]))),
    );
    assert.deepEqual(
      await Promise.all([text(error ?? Readable.from([])), text(stdout ?? Readable.from([]))]),
      [failure, ""],
    );
  });

test("SPDY: no protocol in common is refused, and told what there is", async () => {
  await using server = await serving(echo);
  await assert.rejects(openSpdyClient(server.port, { protocols: ["v9.channel.k8s.io"] }), /refused: 403/);
});

test("SPDY: a terminal's sizes, and no stderr", async () => {
  const sizes: TerminalSize[] = [];
  const run: Run = async ({ resizes, stderr }) => {
    assert.equal(stderr, undefined);
    for await (const size of resizes) {
      sizes.push(size);
      if (size.columns === 200) break;
    }
    return { code: 0 };
  };
  const wants = { ...ALL, tty: true };
  await using server = await serving(run, wants);
  const { resize, error } = await startCommand(server.port, wants);
  resize?.write('{"Width":80,"Height":24}\n{"Width":0,"Height":');
  resize?.write('0}{"height":50,"width":200}');
  assert.equal(JSON.parse(await text(error)).status, "Success");
  assert.deepEqual(sizes.at(-1), { columns: 200, rows: 50 });
});

test("a client that leaves ends the command", async () => {
  const left = Promise.withResolvers<void>();
  const run: Run = async (_streams, { signal }) => {
    await once(signal, "abort");
    left.resolve();
    return { code: 0 };
  };
  await using server = await serving(run);
  const { connection } = await startCommand(server.port, ALL);
  connection.destroy();
  await left.promise;
  const webSocket = await openClient(server, "v5.channel.k8s.io");
  webSocket.terminate();
  await server.idle();
  assert.equal(await server.connections(), 0);
});

test("a reader that is slow holds the writer up", async () => {
  let written = 0;
  const run: Run = async ({ stdout }, { signal }) => {
    while (!signal.aborted) {
      written += 65536;
      if (stdout?.write(Buffer.alloc(65536)) === false)
        await Promise.race([once(stdout, "drain"), once(signal, "abort")]);
    }
    return { code: 0 };
  };
  await using server = await serving(run);
  const { connection, stdout } = await startCommand(server.port, ALL);
  stdout?.once("data", () => stdout.pause());
  let before = -1;
  // It goes on until every buffer on the way is full, and then no further.
  for (let quiet = 0; quiet < 20; ) {
    await new Promise((resolve) => setImmediate(resolve));
    await server.connections();
    quiet = written === before ? quiet + 1 : 0;
    before = written;
  }
  assert.ok(written < 32 * 1024 * 1024, `${written} bytes were taken`);
  connection.destroy();
  await server.idle();
});

/** A client that has been greeted: the first message is on the channel it is told to expect. */
async function openClient(server: UpgradeServer, protocol: string | undefined): Promise<WebSocket> {
  const webSocket = new WebSocket(`ws://127.0.0.1:${server.port}/`, protocol === undefined ? [] : [protocol]);
  webSocket.on("error", () => {});
  const [greeting] = await once(webSocket, "message");
  assert.equal(String(greeting), protocol?.includes("base64") ? "1" : "\u0001");
  return webSocket;
}

/** What comes on each channel until the end. */
async function hearAll(webSocket: WebSocket, isBase64 = false): Promise<readonly string[]> {
  const said: string[] = [];
  webSocket.on("message", (data: RawData) => {
    const bytes = data as Buffer;
    const channel = isBase64 ? bytes.readUInt8() - 0x30 : bytes.readUInt8();
    const rest = bytes.subarray(1);
    const plain = isBase64 ? Buffer.from(rest.toString("latin1"), "base64") : rest;
    said[channel] = (said[channel] ?? "") + plain.toString("utf8");
  });
  await once(webSocket, "close");
  return said;
}

test("WebSocket v5: closing channel 0 ends stdin", async () => {
  await using server = await serving(echo);
  const webSocket = await openClient(server, "v5.channel.k8s.io");
  assert.equal(webSocket.protocol, "v5.channel.k8s.io");
  const heard = hearAll(webSocket);
  webSocket.send(Buffer.from("\0hello ", "latin1"));
  webSocket.send(Buffer.from([0]));
  webSocket.send(Buffer.from("\0there", "latin1"));
  webSocket.send(Buffer.from([255, 0]));
  const said = await heard;
  assert.deepEqual(said.slice(1, 4), ["hello there", "hello there", JSON.stringify(EXIT_3)]);
});

const line: Run = async ({ stdin, stdout }) => {
  for await (const bytes of stdin ?? []) {
    stdout?.write(bytes);
    return { error: "no such command" };
  }
  return { code: 0 };
};
const refused = "Internal error occurred: no such command";
for (const [protocol, isBase64, form] of [
  ["v4.channel.k8s.io", false, "json"],
  ["v4.base64.channel.k8s.io", true, "json"],
  ["channel.k8s.io", false, "text"],
  ["base64.channel.k8s.io", true, "text"],
  [undefined, false, "text"],
] as const)
  test(`WebSocket ${protocol ?? "without a protocol"}: one line there and back`, async () => {
    await using server = await serving(line);
    const webSocket = await openClient(server, protocol);
    const heard = hearAll(webSocket, isBase64);
    webSocket.send(isBase64 ? `0${Buffer.from("hello\xff").toString("base64")}` : Buffer.from("\0hello\xff"));
    const said = await heard;
    assert.equal(said[1], "hello\xff");
    assert.equal(form === "json" ? JSON.parse(said[3] ?? "").message : said[3], refused);
  });

test("WebSocket: tens of megabytes both ways, byte for byte", async () => {
  await using server = await serving(async ({ stdin, stdout }) => {
    if (stdin && stdout) await pipeline(stdin, stdout);
    return { code: 0 };
  });
  const webSocket = await openClient(server, "v5.channel.k8s.io");
  const [want, got] = [createHash("sha256"), createHash("sha256")];
  webSocket.on("message", (data: RawData) => {
    const bytes = data as Buffer;
    if (bytes[0] === 1) got.update(bytes.subarray(1));
  });
  const closed = once(webSocket, "close");
  const block = Buffer.concat([Buffer.from([0]), randomBytes(512 * 1024)]);
  for (let i = 0; i < 64; i++) {
    want.update(block.subarray(1));
    await new Promise((resolve) => webSocket.send(block, resolve));
  }
  webSocket.send(Buffer.from([255, 0]));
  await closed;
  assert.equal(got.digest("hex"), want.digest("hex"));
});

test("a session on which nobody says anything ends", async () => {
  const run: Run = async (_streams, { signal }) => {
    await once(signal, "abort");
    return { code: 0 };
  };
  const idle = { wants: ALL, run, signal: never, idleMs: 30 };
  await using server = await openUpgradeServer((upgrade) => serveCommand(upgrade, idle));
  const { connection } = await startCommand(server.port, ALL);
  await connection.closed;
  const webSocket = await openClient(server, "v5.channel.k8s.io");
  await once(webSocket, "close");
  await server.idle();
});

test("a server that ends takes its sessions along", async () => {
  const closing = new AbortController();
  const run: Run = async (_streams, { signal }) => {
    await once(signal, "abort");
    return { code: 0 };
  };
  const service = { wants: ALL, run, signal: closing.signal };
  await using server = await openUpgradeServer((upgrade) => serveCommand(upgrade, service));
  const { connection } = await startCommand(server.port, ALL);
  const webSocket = await openClient(server, "v4.channel.k8s.io");
  const left = once(webSocket, "close");
  closing.abort();
  await Promise.all([connection.closed, left, server.idle()]);
  assert.equal(await server.connections(), 0);
});

test("rubbish after the upgrade ends the connection, and nothing else", async () => {
  await using server = await serving(echo);
  const { connection } = await startCommand(server.port, ALL);
  for (let seed = 1; seed < 30; seed++) {
    const answer = await askUpgrade(connect({ host: "127.0.0.1", port: server.port }), {
      method: "POST",
      path: "/",
      headers: {
        Connection: "Upgrade",
        Upgrade: "SPDY/3.1",
        "X-Stream-Protocol-Version": "v4.channel.k8s.io",
      },
      signal: never,
    });
    assert.ok(answer.kind === "agreed");
    answer.socket.on("error", () => {});
    answer.socket.resume();
    const rubbish = Buffer.from(Array.from({ length: 64 }, (_, i) => (seed * 7919 + i * i * 31) & 0xff));
    // A control frame of another version, whatever follows it.
    answer.socket.write(Buffer.concat([Buffer.from([0x80, 0x02]), rubbish]));
    await once(answer.socket, "close");
  }
  connection.destroy();
  await server.idle();
});

test("WebSocket: a protocol nobody has is refused", async () => {
  await using server = await serving(echo);
  const webSocket = new WebSocket(`ws://127.0.0.1:${server.port}/`, ["v9.channel.k8s.io"]);
  const [error] = await once(webSocket, "error").catch((why: unknown) => [why]);
  assert.match(String(error), /403/);
});
