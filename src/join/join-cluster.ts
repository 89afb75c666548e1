import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import type { Ip } from "#addr/ip";
import { explain, Fault } from "#fault/fault";
import { retry } from "#life/backoff";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { randomSecret } from "./authority.ts";
import {
  type Certified,
  coversNames,
  createKey,
  createRequest,
  prepareCertificates,
  spkiOf,
} from "./certificate.ts";
import { type ClusterConfig, decodeClusterConfig } from "./cluster-config.ts";
import { readIfThere, writeFileAtomic } from "./file.ts";
import { openServerLink, type ServerLink } from "./server-link.ts";
import { parseToken } from "./token.ts";

/** What a node holds once it has joined: the cluster's settings and its own certificates. */
export interface Membership {
  readonly serverUrl: string;
  readonly serverCaPem: string;
  readonly clientCaPem: string;
  readonly cluster: ClusterConfig;
  /** CN system:node:NAME: towards the API. */
  readonly kubelet: Certified;
  /** CN system:kube-proxy: what follows services. */
  readonly proxy: Certified;
  /** CN system:k3s-controller: what follows all nodes, for the fabric. */
  readonly controller: Certified;
  /** Names the node and its addresses: on the kubelet's port. */
  readonly serving: Certified;
}

export interface JoinOptions {
  readonly serverUrl: string;
  readonly token: string;
  readonly nodeName: string;
  readonly nodeIps: readonly Ip[];
  /** `$DATA/agent`. */
  readonly dir: string;
  /** `/etc/rancher/node/password`: kept when everything else is removed, so that a reinstalled node is known. */
  readonly passwordFile: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Close together at first: in a new cluster the server is only a moment behind. */
const RETRY = { firstMs: 40, maxMs: 2000, factor: 1.3 };

/** Joins the cluster, waiting for a server that is away (said once) and giving up on one that refuses.
 *  @throws {Fault} BadToken, WrongCa, Refused, BadServer: trying again would not help */
export async function joinCluster(options: JoinOptions): Promise<Membership> {
  const token = parseToken(options.token);
  let isSaid = false;
  // A node that has none yet will have to make a request; the wait for the server is a good time to get ready for it.
  if (readIfThere(join(options.dir, "client-kubelet.crt")) === undefined) await prepareCertificates();
  return await retry(
    async () => {
      await using link = await openServerLink(options.serverUrl, token, options.signal);
      return await collect(link, options);
    },
    {
      clock: options.clock,
      shape: RETRY,
      signal: options.signal,
      onFailure: (error) => {
        if (!(error instanceof Fault) || error.code !== "Unreachable") throw error;
        if (!isSaid) options.log.warn("waiting for the server; will keep trying", { error: explain(error) });
        isSaid = true;
      },
    },
  );
}

async function collect(link: ServerLink, options: JoinOptions): Promise<Membership> {
  const cluster = decodeClusterConfig(await link.ask("GET", "/v1-k3s/config"));
  const clientCaPem = await link.ask("GET", "/v1-k3s/client-ca.crt");
  const password = nodePassword(options.passwordFile);
  const headers = {
    "k3s-node-name": options.nodeName,
    "k3s-node-password": password,
    "k3s-node-ip": options.nodeIps.join(","),
  };
  const get = (name: string, want: { commonName: string; caPem: string; sans: readonly string[] }) =>
    ensureCertificate(link, {
      ...want,
      path: join(options.dir, name),
      name,
      headers,
      now: options.clock.now(),
    });
  const { nodeName, nodeIps } = options;
  const kubelet = await get("client-kubelet", {
    commonName: `system:node:${nodeName}`,
    caPem: clientCaPem,
    sans: [],
  });
  const serving = await get("serving-kubelet", {
    commonName: nodeName,
    caPem: link.serverCaPem,
    sans: [nodeName, ...nodeIps],
  });
  const client = (name: string, commonName: string) =>
    get(name, { commonName, caPem: clientCaPem, sans: [] });
  const proxy = await client("client-kube-proxy", "system:kube-proxy");
  const controller = await client("client-k3s-controller", "system:k3s-controller");
  writeFileAtomic(join(options.dir, "server-ca.crt"), link.serverCaPem, 0o644);
  writeFileAtomic(join(options.dir, "client-ca.crt"), clientCaPem, 0o644);
  return {
    serverUrl: link.url,
    serverCaPem: link.serverCaPem,
    clientCaPem,
    cluster,
    kubelet,
    proxy,
    controller,
    serving,
  };
}

const RENEW_MS = 120 * 24 * 3600 * 1000;

interface WantedCertificate {
  /** Without its ending. */
  readonly path: string;
  /** Of the route that signs it. */
  readonly name: string;
  readonly commonName: string;
  readonly caPem: string;
  readonly sans: readonly string[];
  readonly headers: Record<string, string>;
  readonly now: number;
}

/** Keeps a good certificate; otherwise makes a key here and has the server sign it. */
async function ensureCertificate(link: ServerLink, want: WantedCertificate): Promise<Certified> {
  const standing = { certPem: readIfThere(`${want.path}.crt`), keyPem: readIfThere(`${want.path}.key`) };
  if (standing.certPem !== undefined && standing.keyPem !== undefined) {
    const pair = { certPem: standing.certPem, keyPem: standing.keyPem };
    if (isGood(pair, want)) return pair;
  }
  const key = createKey();
  const body = await createRequest(key, want.headers["k3s-node-name"] ?? "");
  const certPem = await link.ask("POST", `/v1-k3s/${want.name}.crt`, { headers: want.headers, body });
  writeFileAtomic(`${want.path}.key`, key.keyPem, 0o600);
  writeFileAtomic(`${want.path}.crt`, certPem, 0o644);
  return { ...key, certPem };
}

/** A damaged file is as good as none: the server signs another. */
function isGood(pair: Certified, want: WantedCertificate): boolean {
  try {
    return fits(pair, want);
  } catch {
    return false;
  }
}

function fits(pair: Certified, want: WantedCertificate): boolean {
  const leaf = new X509Certificate(pair.certPem);
  const ca = new X509Certificate(want.caPem);
  const isOurs = leaf.publicKey
    .export({ type: "spki", format: "der" })
    .equals(Buffer.from(spkiOf(pair.keyPem)));
  // A line for each part of the name.
  const isNamed = leaf.subject.split("\n").includes(`CN=${want.commonName}`) && coversNames(leaf, want.sans);
  return isOurs && isNamed && leaf.verify(ca.publicKey) && leaf.validToDate.getTime() - want.now > RENEW_MS;
}

function nodePassword(path: string): string {
  const standing = readIfThere(path)?.trim();
  if (standing) return standing;
  const made = randomSecret();
  writeFileAtomic(path, `${made}\n`, 0o600);
  return made;
}
