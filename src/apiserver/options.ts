import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Cidr } from "#addr/cidr";
import type { Ip } from "#addr/ip";
import type { Fault } from "#fault/fault";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { Admission } from "./admit.ts";
import type { AuditOptions } from "./audit/audit.ts";
import type { AnonymousAccess } from "./auth/authenticate.ts";
import type { KindSpec } from "./kinds/kind.ts";
import type { DialPod } from "./proxy/backend.ts";
import type { DialKubelet } from "./sub/kubelet.ts";
import type { InFlightLimits } from "./traffic/traffic.ts";

export interface ApiServerOptions {
  /** The SQLite file; its folder is made when missing. */
  readonly storePath: string;
  /** The first address of the first one is the `kubernetes` Service's. */
  readonly serviceCidrs: readonly Cidr[];
  readonly nodePortRange: { readonly from: number; readonly to: number };
  readonly clusterDomain: string;
  /** Where clients inside the cluster find this server. */
  readonly advertise: { readonly ip: Ip; readonly port: number };
  /** PEM. */
  readonly serverCa: string;
  /** Of the clients whose certificates the listener lets in; PEM. */
  readonly clientCa: string;
  /** Signs and checks service account tokens; keys are PEM. */
  readonly serviceAccount: {
    readonly issuer: string;
    /** Who the API is to those who make tokens for it; the issuer when there is none. */
    readonly audiences?: readonly string[];
    /** The longest life of a token, whatever is asked for. */
    readonly maxExpirationSeconds?: number;
    /** Whether a pod's own token, asked for as nodes ask, lives for a year; it does unless told otherwise. */
    readonly extendsExpiration?: boolean;
    /** Signs; its public half is always among those that check. */
    readonly privateKey: string;
    /** One or several, one after the other: tokens signed by any of them are good. */
    readonly publicKey: string;
  };
  /** Who may ask without saying who they are; for health and the version when not given. */
  readonly anonymous?: AnonymousAccess;
  /** Writes down who asked for what. */
  readonly audit?: AuditOptions | undefined;
  /** How the server shows itself to kubelets, and the authority it expects them to show; PEM. */
  readonly kubelet: { readonly ca: string; readonly cert: string; readonly key: string };
  /** Opens a connection to a kubelet by another road (a tunnel) than plain TCP to the node's address. */
  readonly dialKubelet?: DialKubelet;
  /** The same to a pod's address, for what is proxied. */
  readonly dialPod?: DialPod;
  readonly kinds: readonly KindSpec[];
  /** Run in order on every write, after defaulting. */
  readonly admission?: readonly Admission[];
  /** How many requests are answered at once; those of kube-apiserver's flags by default. */
  readonly inFlight?: InFlightLimits;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** The Kubernetes API over one store. The caller owns the listener and its TLS: it asks for client certificates without requiring them. */
export interface ApiServer extends AsyncDisposable {
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** For requests that ask to go on in another protocol: the server's `upgrade` event. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Resolves, with why, when the store is lost: what is answered from then on is old, and nothing can be written. */
  readonly ended: Promise<Fault>;
}
