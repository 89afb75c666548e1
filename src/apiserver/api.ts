import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { Metrics } from "#telemetry/metrics";
import type { AuditLog } from "./audit/audit.ts";
import type { Authenticator } from "./auth/authenticate.ts";
import type { Authorizer } from "./auth/authorize.ts";
import type { Impersonator } from "./auth/impersonate.ts";
import type { TokenIssuer } from "./auth/token.ts";
import type { World } from "./cache/world.ts";
import type { Health } from "./discovery/health.ts";
import type { ApiServerOptions } from "./options.ts";
import type { KubeletProxy } from "./sub/kubelet.ts";
import type { RequestMeter } from "./traffic/request-meter.ts";
import type { Writer } from "./verbs/writer.ts";

/** Everything a request handler may need, made once when the server opens. */
export interface Api {
  readonly options: ApiServerOptions;
  readonly world: World;
  readonly writer: Writer;
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly impersonator: Impersonator;
  /** Undefined when nothing is written down. */
  readonly audit: AuditLog | undefined;
  readonly tokens: TokenIssuer;
  readonly kubelets: KubeletProxy;
  /** What is told at /metrics. */
  readonly metrics: Metrics;
  readonly meter: RequestMeter;
  readonly health: Health;
  readonly clock: Clock;
  readonly log: Logger;
  /** Aborts when the server closes: long-running answers end then. */
  readonly signal: AbortSignal;
}
