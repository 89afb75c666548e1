import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { passUpgrade } from "./pass-upgrade.ts";

/** A runtime's streaming server that answers as it is told, and a server in front of it that passes upgrades on. */
async function passing(answer: (asked: string, socket: Socket) => void): Promise<Passing> {
  const backend = createServer((socket) => {
    let asked = "";
    const hear = (data: Buffer) => {
      asked += data.toString("latin1");
      if (!asked.includes("\r\n\r\n")) return;
      socket.off("data", hear);
      answer(asked, socket);
    };
    socket.on("data", hear);
    socket.on("error", () => socket.destroy());
  });
  const port = await listening(backend);
  const stop = new AbortController();
  const front = createHttpServer();
  front.on("upgrade", (request, socket, head) => {
    socket.on("error", () => socket.destroy());
    const url = `http://127.0.0.1:${port}/exec/abc`;
    void passUpgrade({ request, socket, head }, { url, signal: stop.signal, idleMs: 60_000 });
  });
  const frontPort = await listening(front);
  return {
    port: frontPort,
    stop: () => stop.abort(),
    endBackend: () => new Promise((resolve) => backend.close(() => resolve())),
    async [Symbol.asyncDispose]() {
      stop.abort();
      front.close();
      front.closeAllConnections();
      backend.close();
    },
  };
}

interface Passing extends AsyncDisposable {
  readonly port: number;
  readonly stop: () => void;
  readonly endBackend: () => Promise<void>;
}

async function listening(server: ReturnType<typeof createServer>): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

function ask(port: number, then = ""): Socket {
  const socket = connect({ host: "127.0.0.1", port });
  const headers =
    "Host: kubelet\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Odd: a\r\nX-Odd: b\r\nAuthorization: secret\r\n";
  socket.write(`POST /exec/ns/pod/c?command=ls HTTP/1.1\r\n${headers}\r\n${then}`);
  return socket;
}

test("an upgrade reaches the runtime with its headers, and bytes go both ways", async () => {
  let heard = "";
  await using server = await passing((asked, socket) => {
    heard = asked;
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\n\r\n");
    const [, early = ""] = asked.split("\r\n\r\n");
    if (early !== "") socket.write(early);
    socket.pipe(socket);
  });
  const socket = ask(server.port, "early,");
  socket.end("late");
  const got = await text(socket);
  assert.equal(got, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\n\r\nearly,late");
  assert.match(heard, /^POST \/exec\/abc HTTP\/1.1\r\nHost: 127.0.0.1:\d+\r\n/);
  assert.match(heard, /\r\nX-Odd: a\r\nX-Odd: b\r\n/);
  assert.doesNotMatch(heard, /secret/);
});

test("what the runtime refuses is the client's answer, word for word", async () => {
  const refusal = "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nConnection: close\r\n\r\ngone";
  await using server = await passing((_asked, socket) => socket.end(refusal));
  assert.equal(await text(ask(server.port)), refusal);
});

test("a runtime that is not there is told with 500", async () => {
  await using server = await passing(() => {});
  await server.endBackend();
  assert.match(
    await text(ask(server.port)),
    /^HTTP\/1.1 500 [\s\S]*error dialing backend: connect ECONNREFUSED/,
  );
});

test("a stream ends when the server does", async () => {
  await using server = await passing((_asked, socket) =>
    socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
  );
  const socket = ask(server.port);
  await once(socket, "data");
  server.stop();
  await once(socket, "close");
});
