/** What the servers of this room answer, as plain values. */
import type { ProxyHealth } from "./proxy-health.ts";

export interface Answer {
  readonly status: number;
  readonly type:
    | "application/json"
    | "text/plain; charset=utf-8"
    | "text/plain; version=0.0.4; charset=utf-8";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

/** From the path of a request, without its query. */
export type Answerer = (path: string) => Answer;

export const NOT_FOUND: Answer = plain("404 page not found\n", 404);

export function plain(body: string, status = 200): Answer {
  return { status, type: "text/plain; charset=utf-8", body };
}

export function json(body: unknown, status: number): Answer {
  return { status, type: "application/json", body: JSON.stringify(body) };
}

/** `/healthz` is for load balancers, `/livez` for whoever would restart this program.
 *  @param counted hears each answer */
export function healthAnswers(
  health: ProxyHealth,
  isNodeEligible: () => boolean,
  counted: (which: "healthz" | "livez", status: number) => void,
): Answerer {
  return (path) => {
    if (path !== "/healthz" && path !== "/livez") return NOT_FOUND;
    const isFor = path === "/healthz" ? "healthz" : "livez";
    const body = health.body(isFor === "healthz" ? isNodeEligible() : undefined);
    const status = body.healthy && body.nodeEligible !== false ? 200 : 503;
    counted(isFor, status);
    return json(body, status);
  };
}

/** What kube-proxy serves beside its metrics. */
export function metricsAnswers(expose: () => string): Answerer {
  return (path) => {
    switch (path) {
      case "/metrics":
        return { ...plain(expose()), type: "text/plain; version=0.0.4; charset=utf-8" };
      case "/proxyMode":
        return plain("nftables");
      case "/healthz":
        return plain("ok");
      default:
        return NOT_FOUND;
    }
  };
}

/** What a load balancer asks on a healthCheckNodePort, whatever the path. @see service_health.go */
export function checkAnswer(
  { namespace, name }: { readonly namespace: string; readonly name: string },
  { localEndpoints, isProxyHealthy }: { readonly localEndpoints: number; readonly isProxyHealthy: boolean },
): Answer {
  const body = {
    service: { namespace, name },
    localEndpoints,
    serviceProxyHealthy: isProxyHealthy,
  };
  return {
    status: localEndpoints > 0 && isProxyHealthy ? 200 : 503,
    type: "application/json",
    headers: { "X-Load-Balancing-Endpoint-Weight": String(localEndpoints) },
    body: JSON.stringify(body, undefined, "\t"),
  };
}
