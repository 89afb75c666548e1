/** A real etcd beside us in `bench/api.ts`: one member on the same disk, written to over gRPC. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { closedLoop, type Load, paced } from "./api-load.ts";

const START_MS = 10_000;

export interface EtcdFigures {
  readonly version: string;
  readonly one: Load;
  readonly fifty: Load;
  readonly paced: Load;
}

/** A running etcd of one member. */
export interface Etcd extends AsyncDisposable {
  readonly url: string;
  readonly version: string;
  readonly pid: number;
}

/** Durable puts of `value`; undefined when there is no etcd to be had. */
export async function measureEtcd(
  directory: string,
  { value, runMs, perSecond }: { readonly value: string; readonly runMs: number; readonly perSecond: number },
): Promise<EtcdFigures | undefined> {
  await using etcd = await startEtcd(directory);
  if (etcd === undefined) return undefined;
  const sessions: ClientHttp2Session[] = [];
  try {
    for (let i = 0; i < 50; i++) sessions.push(connect(etcd.url));
    let turn = 0;
    const put = (i: number, run: string) =>
      // A client has one request under way; of fifty clients, the next in line has been answered.
      sendPut(sessions[turn++ % sessions.length], `/registry/pods/default/${run}-${i}`, value);
    const one = await closedLoop((i) => put(i, "one"), { clients: 1, runMs });
    const fifty = await closedLoop((i) => put(i, "fifty"), { clients: 50, runMs });
    const steady = await paced((i) => put(i, "paced"), { perSecond, runMs });
    return { version: etcd.version, one, fifty, paced: steady };
  } finally {
    for (const session of sessions) session.destroy();
  }
}

/** Starts etcd with its files under `directory`; undefined when there is none to be had. */
export async function startEtcd(directory: string): Promise<Etcd | undefined> {
  const program = findEtcd(directory);
  if (program === undefined) return undefined;
  const version = /etcd Version: (\S+)/.exec(spawnSync(program, ["--version"], { encoding: "utf8" }).stdout);
  const url = `http://127.0.0.1:${await freePort()}`;
  const words = ["--data-dir", join(directory, "etcd"), "--listen-client-urls", url];
  words.push("--advertise-client-urls", url, "--listen-peer-urls", `http://127.0.0.1:${await freePort()}`);
  words.push("--logger", "zap", "--log-level", "error");
  const server = spawn(program, words, { stdio: "ignore" });
  const gone = once(server, "exit");
  const end = async () => {
    server.kill();
    await gone;
  };
  try {
    await Promise.race([answering(url), gone.then(() => Promise.reject(new Error("etcd ended")))]);
  } catch (error) {
    await end();
    throw error;
  }
  return { url, version: version?.[1] ?? "", pid: server.pid ?? 0, [Symbol.asyncDispose]: end };
}

/** The program installed here, or Debian's, unpacked beside the files of the run. */
function findEtcd(directory: string): string | undefined {
  const installed = spawnSync("sh", ["-c", "command -v etcd"], { encoding: "utf8" }).stdout.trim();
  if (installed !== "") return installed;
  const debian = join(directory, "debian");
  mkdirSync(debian, { recursive: true });
  spawnSync("apt-get", ["download", "etcd-server"], { cwd: debian });
  const file = readdirSync(debian).find((name) => name.endsWith(".deb"));
  if (file !== undefined) spawnSync("dpkg", ["-x", file, debian], { cwd: debian });
  const program = join(debian, "usr/bin/etcd");
  return existsSync(program) ? program : undefined;
}

export async function freePort(): Promise<number> {
  await using server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function answering(url: string): Promise<void> {
  const until = performance.now() + START_MS;
  while (performance.now() < until) {
    try {
      if ((await fetch(`${url}/health`)).ok) return;
    } catch {
      // Not listening yet.
    }
    await wait(50);
  }
  throw new Error("etcd does not answer");
}

/** One `etcdserverpb.KV/Put`. */
function sendPut(session: ClientHttp2Session | undefined, key: string, value: string): Promise<void> {
  const message = Buffer.concat([encodeBytes(1, key), encodeBytes(2, value)]);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  return new Promise((resolve, reject) => {
    const stream = session?.request({
      ":method": "POST",
      ":path": "/etcdserverpb.KV/Put",
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream?.once("trailers", (trailers) =>
      trailers["grpc-status"] === "0" ? resolve() : reject(new Error(String(trailers["grpc-message"]))),
    );
    stream?.once("error", reject);
    stream?.resume();
    stream?.end(Buffer.concat([frame, message]));
  });
}

/** A length-delimited field of a protobuf message. */
function encodeBytes(field: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  const head = [(field << 3) | 2];
  let length = bytes.length;
  for (; length > 127; length >>>= 7) head.push((length & 127) | 128);
  return Buffer.concat([Buffer.from([...head, length]), bytes]);
}
