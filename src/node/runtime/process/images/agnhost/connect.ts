import dgram from "node:dgram";
import { lookup } from "node:dns/promises";
import { connect as connectSocket } from "node:net";
import { asError } from "#fault/fault";
import type { Target } from "./dial.ts";
import type { Subcommand } from "./subcommand.ts";

/** The word that tests look for: DNS, TIMEOUT, REFUSED, OTHER, UNKNOWN; nothing when the connection worked. */
type Outcome = string | undefined;

export const connect: Subcommand = {
  summary: "Attempts a TCP or UDP connection and names what went wrong",
  usage: "HOST:PORT",
  flags: [
    { name: "timeout", kind: "duration", fallback: "0s", help: "Longest wait; 0 for the system's own" },
    { name: "protocol", kind: "text", fallback: "tcp", help: "tcp or udp" },
    { name: "udp-data", kind: "text", fallback: "hostname", help: "What to send over UDP" },
  ],
  async run({ flags, args }) {
    const outcome = await attempt(args[0] ?? "", {
      protocol: flags.text("protocol"),
      timeoutMs: flags.durationMs("timeout"),
      data: flags.text("udp-data"),
    });
    if (outcome === undefined) return 0;
    process.stderr.write(`${outcome}\n`);
    return 1;
  },
};

interface Attempt {
  readonly protocol: string;
  readonly timeoutMs: number;
  readonly data: string;
}

async function attempt(destination: string, wanted: Attempt): Promise<Outcome> {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:]*)):(?<port>\d{1,5})$/.exec(destination);
  if (match === null) return `UNKNOWN: address ${destination}: missing port in address`;
  const host = match.groups?.["v6"] ?? (match.groups?.["host"] || "localhost");
  let target: Target;
  try {
    target = { ...(await lookup(host)), port: Number(match.groups?.["port"]) };
  } catch (error) {
    return `DNS: ${asError(error).message}`;
  }
  if (wanted.protocol === "udp") return connectUdp(target, wanted);
  if (wanted.protocol === "tcp" || wanted.protocol === "") return connectTcp(target, wanted);
  return `Unsupported protocol\n${wanted.protocol}`;
}

function connectTcp({ address, port }: Target, { timeoutMs }: Attempt): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = connectSocket({ host: address, port });
    const finish = (outcome: Outcome) => {
      socket.destroy();
      resolve(outcome);
    };
    if (timeoutMs > 0) socket.setTimeout(timeoutMs, () => finish("TIMEOUT"));
    socket.on("connect", () => finish(undefined));
    socket.on("error", (error) => finish(wordFor(error)));
  });
}

function connectUdp({ address, family, port }: Target, { timeoutMs, data }: Attempt): Promise<Outcome> {
  const socket = dgram.createSocket(family === 6 ? "udp6" : "udp4");
  return new Promise<Outcome>((resolve) => {
    const timer = timeoutMs > 0 ? setTimeout(resolve, timeoutMs, "TIMEOUT: i/o timeout") : undefined;
    socket.on("close", () => clearTimeout(timer));
    socket.on("message", (bytes) =>
      resolve(bytes.length > 0 ? undefined : "OTHER: No data received from the server."),
    );
    socket.on("error", (error) => resolve(wordFor(error)));
    socket.connect(port, address, (error?: Error) => {
      if (error) resolve(wordFor(error));
      else socket.send(`${data}\n`);
    });
  }).finally(() => socket.close());
}

function wordFor(error: Error): string {
  const code: unknown = "code" in error ? error.code : undefined;
  if (code === "ECONNREFUSED") return "REFUSED";
  if (code === "ETIMEDOUT") return "TIMEOUT";
  return `OTHER: ${error.message}`;
}
