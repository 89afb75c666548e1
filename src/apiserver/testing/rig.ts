import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { type Clock, systemClock } from "#life/clock";
import { type Logger, openLog } from "#telemetry/log";
import type { AuditOptions } from "../audit/audit.ts";
import type { AnonymousAccess } from "../auth/authenticate.ts";
import { openKinds } from "../kinds/all.ts";
import { openApiServer } from "../open.ts";
import type { DialPod } from "../proxy/backend.ts";
import { type InFlightLimits, MAX_HEADER_BYTES } from "../traffic/traffic.ts";
import { type KeyPair, openAuthority } from "./authority.ts";

export const KUBECTL = "/usr/bin/kubectl";
/** Debian 12's kubectl, from before server-side field validation. */
export const OLD_KUBECTL = fileURLToPath(
  new URL("../../../.twill/debian-kubectl/usr/bin/kubectl", import.meta.url),
);

export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface KubectlOptions {
  readonly input?: string;
  readonly program?: string;
  /** Beside the test's own. */
  readonly env?: Readonly<Record<string, string>>;
}

/** An API server behind a real TLS listener on the loopback, with credentials for it; everything goes when it is disposed. */
export interface Rig extends AsyncDisposable {
  readonly url: string;
  readonly directory: string;
  readonly ca: string;
  /** An administrator's. */
  readonly admin: KeyPair;
  certificate(name: string, organization: string): KeyPair;
  /** Runs kubectl as the administrator. */
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<Run>;
}

export interface RigOptions {
  readonly log?: Logger;
  readonly clock?: Clock;
  /** Where store and certificates are. Left behind, for the next rig to go on with; a fresh one is removed at the end. */
  readonly directory?: string;
  /** A free one by default. */
  readonly port?: number;
  /** The networks services get addresses from, the primary family's first. One of IPv4 by default. */
  readonly serviceCidrs?: readonly string[];
  readonly audit?: AuditOptions;
  readonly anonymous?: AnonymousAccess;
  readonly inFlight?: InFlightLimits;
  readonly dialPod?: DialPod;
}

export async function openRig(options: RigOptions = {}): Promise<Rig> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), "apiserver-"));
  mkdirSync(directory, { recursive: true });
  const authority = openAuthority(directory);
  const closing = new AbortController();
  const cidrs = {
    serviceCidrs: (options.serviceCidrs ?? ["10.43.0.0/16"]).map((text) => parseCidr(text)),
    nodePortRange: { from: 30000, to: 32767 },
    clusterDomain: "cluster.local",
  };
  const api = await openApiServer({
    storePath: join(directory, "db", "state.db"),
    ...cidrs,
    advertise: { ip: parseIp("192.0.2.1"), port: 6443 },
    serverCa: authority.ca,
    clientCa: authority.ca,
    serviceAccount: { issuer: "https://kubernetes.default.svc.cluster.local", ...authority.signer },
    kubelet: { ca: authority.ca, ...authority.certificate("system:kube-apiserver", "system:masters") },
    ...(options.audit === undefined ? {} : { audit: options.audit }),
    ...(options.anonymous === undefined ? {} : { anonymous: options.anonymous }),
    kinds: openKinds(cidrs).kinds,
    ...(options.dialPod && { dialPod: options.dialPod }),
    ...(options.inFlight && { inFlight: options.inFlight }),
    clock: options.clock ?? systemClock,
    log: options.log ?? openLog({ write: (line) => process.stderr.write(line), level: "error" }),
    signal: closing.signal,
  });
  const server = createServer(
    {
      ...authority.certificate("127.0.0.1", "twill"),
      ca: authority.ca,
      requestCert: true,
      rejectUnauthorized: false,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
    (request, response) => api.handle(request, response),
  );
  server.on("upgrade", (request, socket, head) => api.upgrade(request, socket, head));
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const url = `https://127.0.0.1:${port}`;
  const admin = authority.certificate("admin", "system:masters");
  const kubeconfig = join(directory, "kubeconfig");
  writeFileSync(kubeconfig, formatConfig(url, authority.ca, admin));
  return {
    url,
    directory,
    ca: authority.ca,
    admin,
    certificate: authority.certificate,
    kubectl: async (args, { input = "", program = KUBECTL, env = {} } = {}) => {
      const cache = join(directory, `cache-${program.length}`);
      mkdirSync(cache, { recursive: true });
      return await run(program, ["--kubeconfig", kubeconfig, "--cache-dir", cache, ...args], { input, env });
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await api[Symbol.asyncDispose]();
      if (options.directory === undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Runs a program to its end; twenty seconds at most. */
export async function run(
  program: string,
  args: readonly string[],
  { input = "", env = {} }: Pick<KubectlOptions, "input" | "env"> = {},
): Promise<Run> {
  const child = spawn(program, args, { timeout: 20_000, env: { ...process.env, HOME: tmpdir(), ...env } });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const code = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve(status ?? -1));
  });
  return { code, stdout: Buffer.concat(out).toString("utf8"), stderr: Buffer.concat(err).toString("utf8") };
}

function formatConfig(server: string, ca: string, { cert, key }: KeyPair): string {
  const data = (pem: string) => Buffer.from(pem).toString("base64");
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "test",
    clusters: [{ name: "test", cluster: { server, "certificate-authority-data": data(ca) } }],
    users: [{ name: "test", user: { "client-certificate-data": data(cert), "client-key-data": data(key) } }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
  });
}
