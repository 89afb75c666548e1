import type { PeerCertificate } from "node:tls";
import type { Route } from "./route.ts";

type Client = Pick<PeerCertificate, "subject"> | undefined;

/** Whether the holder of a client certificate may use the kubelet server: the API server or a cluster administrator. The chain
 *  was verified against the client CA before. Nobody else gets anything, not even what a kubelet would show by
 *  SubjectAccessReview: whoever may reads it through the API server, which asks for the right on `nodes/proxy` first. */
export function isTrustedClient(certificate: Client): boolean {
  const subject = certificate?.subject;
  if (!subject) return false;
  return names(subject.CN).includes("system:apiserver") || names(subject.O).includes("system:masters");
}

/** The words of the refusal, as a kubelet's: `Forbidden (user=system:node:a, verb=get, resource=nodes, subresource(s)=[stats])`. */
export function forbidden(certificate: Client, method: string, route: Route): string {
  const user = names(certificate?.subject?.CN)[0] ?? "";
  const verb = VERBS[method] ?? "get";
  return `Forbidden (user=${user}, verb=${verb}, resource=nodes, subresource(s)=[${subresourcesOf(route).join(" ")}])`;
}

const VERBS: Readonly<Record<string, string>> = {
  POST: "create",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};

/** @see GetRequestAttributes in pkg/kubelet/server/auth.go */
function subresourcesOf(route: Route): readonly string[] {
  if (route.kind === "files") return ["log"];
  if (route.kind !== "page") return ["proxy"];
  const { page } = route;
  if (page === "stats-summary") return ["stats"];
  if (page.startsWith("metrics")) return ["metrics"];
  if (page === "healthz" || page === "configz") return [page, "proxy"];
  return ["pods", "proxy"];
}

/** A name part that occurs several times comes as a list. */
function names(part: string | readonly string[] | undefined): readonly string[] {
  if (part === undefined) return [];
  return typeof part === "string" ? [part] : part;
}
