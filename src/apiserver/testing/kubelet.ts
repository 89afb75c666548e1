import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import { type AddressInfo, connect, createServer as createPlain } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type CommandWants, serveCommand } from "#kube/stream/serve-command";
import { servePortForward } from "#kube/stream/serve-port-forward";
import type { CommandEnd, CommandStreams } from "#kube/stream/session";
import { refuseUpgrade } from "#kube/stream/upgrade";
import type { Rig } from "./rig.ts";

/** A node's kubelet with one trick for each command, on the loopback. Its pods' port 80 gives back what it is told; nobody listens on others. */
export interface TestKubelet extends AsyncDisposable {
  readonly port: number;
  /** `METHOD path` of each upgrade, newest last. */
  readonly asked: string[];
  /** How many bytes the newest flood has got rid of. */
  flooded(): number;
  /** Resolves when nothing is served any more. */
  idle(): Promise<void>;
}

export async function openTestKubelet(rig: Rig): Promise<TestKubelet> {
  const { cert, key } = rig.certificate("system:node:n1", "system:nodes");
  const echo = createPlain({ allowHalfOpen: true }, (socket) => socket.pipe(socket).on("error", () => {}));
  echo.listen(0, "127.0.0.1");
  await once(echo, "listening");
  const closing = new AbortController();
  const running = new Set<Promise<void>>();
  const asked: string[] = [];
  const flood = { bytes: 0 };
  const server = createServer({ cert, key, ca: rig.ca, requestCert: true, rejectUnauthorized: true });
  server.on("request", (request, response) => response.end(`${request.method} ${request.url}\n`));
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    asked.push(`${request.method} ${request.url}`);
    const run = serve(
      { request, socket, head },
      { echo: echo.address() as AddressInfo, flood, signal: closing.signal },
    );
    running.add(run);
    void run.then(() => running.delete(run));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    flooded: () => flood.bytes,
    idle: async () => {
      await Promise.all(running);
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await Promise.all(running);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await new Promise((resolve) => echo.close(resolve));
    },
  };
}

const FLOOD_BYTES = 32 * 1024;

type Asked = Parameters<typeof serveCommand>[0];

interface Pod {
  readonly echo: AddressInfo;
  readonly flood: { bytes: number };
  readonly signal: AbortSignal;
}

async function serve(upgrade: Asked, { echo, flood, signal }: Pod): Promise<void> {
  const { pathname, searchParams: query } = new URL(upgrade.request.url ?? "/", "https://kubelet");
  if (pathname.endsWith("/absent")) return refuseUpgrade(upgrade, 500, 'container not found ("absent")');
  if (pathname.startsWith("/portForward/")) {
    const dial = async (port: number) => {
      if (port !== 80) throw new Error(`dial tcp4 127.0.0.1:${port}: connect: connection refused`);
      return connect({ host: "127.0.0.1", port: echo.port, allowHalfOpen: true });
    };
    return await servePortForward(upgrade, { dial, pod: "streams/p", signal });
  }
  const has = (name: string) => query.get(name) === "1";
  const wants: CommandWants = {
    stdin: has("input"),
    stdout: has("output"),
    stderr: has("error"),
    tty: has("tty"),
  };
  const words = pathname.startsWith("/attach/") ? ["cat"] : query.getAll("command");
  await serveCommand(upgrade, {
    wants,
    signal,
    run: (streams, options) => runTrick(words, streams, { ...options, flood }),
  });
}

async function runTrick(
  [name = "", word = ""]: readonly string[],
  { stdin, stdout, stderr, resizes }: CommandStreams,
  { signal, flood }: Pick<Pod, "signal" | "flood">,
): Promise<CommandEnd> {
  switch (name) {
    case "cat":
      if (stdin && stdout) await pipeline(stdin, stdout, { end: false });
      return { code: 0 };
    case "exit":
      stdout?.write("out\n");
      stderr?.write("err\n");
      return { code: Number(word) };
    case "size":
      for await (const { columns, rows } of resizes) {
        stdout?.write(`${columns}x${rows}\n`);
        break;
      }
      return { code: 0 };
    case "flood":
      flood.bytes = 0;
      while (!signal.aborted && stdout) {
        flood.bytes += FLOOD_BYTES;
        if (!stdout.write(Buffer.alloc(FLOOD_BYTES)))
          await Promise.race([once(stdout, "drain"), once(signal, "abort")]);
      }
      return { code: 0 };
    default:
      throw new Error(`exec: "${name}": executable file not found in $PATH`);
  }
}
