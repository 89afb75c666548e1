/** Which client addresses a service's pods see, as a person reads it. */
import type { Case, ClientKind, Explanation, WayKind } from "../explain/model.ts";
import type { Connection, ExplainAnswer } from "./model.ts";
import { lines, table, wrapped } from "./page.ts";
import { stateLines } from "./print-list.ts";

const MOST_CONNECTIONS = 20;

/** One service, by what the nodes that were asked say: the first tells the rules, and each its own connections. */
export function printExplanation(answers: readonly ExplainAnswer[]): string {
  const [first] = answers;
  if (first === undefined) return "";
  const { explanation } = first;
  const asked = [...new Set(answers.flatMap(({ explanation: { asked = [] } }) => asked))];
  const problems = new Set(
    answers.flatMap((answer) => answer.problems.map(({ reason, message }) => `${reason}: ${message}`)),
  );
  return lines([
    headLine(explanation),
    ...readyLine(explanation),
    ...answers.flatMap((answer) => stateLines(answer).map((line) => `${answer.node}: ${line}`)),
    ...[...problems].flatMap((problem) => wrapped(problem, 0)),
    ...(explanation.notRouted === undefined
      ? []
      : wrapped(`Not routed by Twill. ${explanation.notRouted}`, 0)),
    ...asked.flatMap((sentence) => ["", ...wrapped(sentence, 0)]),
    ...CLIENT_TITLES.flatMap(([client, title]) => clientLines(title, explanation.cases, client)),
    ...connectionLines(answers),
    "",
    "ALSO",
    ...explanation.notes.flatMap(({ about, text }) => [`  ${about}`, ...wrapped(text, 4)]),
  ]);
}

function headLine({ service, type, ...policies }: Explanation): string {
  const { externalTrafficPolicy, internalTrafficPolicy, clientAddress } = policies;
  const parts = [service, type];
  if (type !== "ExternalName") parts.push(`internalTrafficPolicy ${internalTrafficPolicy}`);
  if (type === "NodePort" || type === "LoadBalancer")
    parts.push(`externalTrafficPolicy ${externalTrafficPolicy}`);
  if (clientAddress === "masquerade") parts.push("client-address masquerade");
  return parts.join("   ");
}

function readyLine({ ready, type }: Explanation): readonly string[] {
  if (type === "ExternalName") return [];
  const { total, byNode, nodeCount } = ready;
  const where = byNode.map(({ node, count }) => `${count} on ${node}`).join(", ");
  const more = nodeCount > byNode.length ? ` and ${nodeCount - byNode.length} nodes more` : "";
  return [`${total} ready ${total === 1 ? "endpoint" : "endpoints"}${where ? `: ${where}` : ""}${more}`];
}

const CLIENT_TITLES: readonly (readonly [ClientKind, string])[] = [
  ["outside", "CLIENTS OUTSIDE THE CLUSTER"],
  ["pod", "PODS"],
  ["this-node", "A NODE ITSELF, AND PODS ON ITS NETWORK"],
  ["other-node", "OTHER NODES"],
];

const WAY_NAMES: Readonly<Record<WayKind, string>> = {
  "cluster-ip": "ClusterIP",
  "node-port": "node port",
  "load-balancer": "load balancer",
  "external-ip": "external IP",
};

function clientLines(title: string, cases: readonly Case[], client: ClientKind): readonly string[] {
  const own = Map.groupBy(
    cases.filter((each) => each.client === client),
    ({ reason, sees, outcome, nodes, sources }) => JSON.stringify([reason, sees, outcome, nodes, sources]),
  );
  const families = new Set(cases.flatMap(({ families }) => families)).size;
  const told = [...own.values()].flatMap((same) => caseLines(same, { isBoth: families > 1 }));
  return told.length === 0 ? [] : ["", title, ...told];
}

/** Several ways with one outcome. Of a service of both families it is said where only one is meant. */
function caseLines(same: readonly Case[], { isBoth }: { readonly isBoth: boolean }): readonly string[] {
  const [first] = same;
  if (first === undefined) return [];
  const entries = same.map(({ way, entries, families }) => {
    const over = isBoth && way === "node-port" && families.length === 1 ? `, IPv${families[0]}` : "";
    return `${entries.join(", ")} (${WAY_NAMES[way]}${over})`;
  });
  const only = first.sources.length > 0 ? [`only from ${first.sources.join(", ")}; others are dropped`] : [];
  return [
    ...wrapped(`to ${entries.join(", ")} at ${nodesText(first)}: ${seenText(first)}`, 2),
    ...wrapped(first.why, 6),
    ...only.flatMap((text) => wrapped(text, 6)),
    ...(first.remedy === "" ? [] : wrapped(`To have the client's address: ${first.remedy}.`, 6)),
  ];
}

function nodesText({ nodes, nodeCount }: Case): string {
  return nodeCount > nodes.length
    ? `${nodes.join(", ")} and ${nodeCount - nodes.length} more`
    : nodes.join(", ");
}

function seenText({ outcome, sees, client }: Case): string {
  if (outcome === "refused") return "REFUSED";
  if (outcome === "dropped") return "DROPPED";
  if (client === "this-node") return "the pod sees the node";
  return sees === "client"
    ? "the pod sees the client's own address"
    : "the pod sees THE NODE, not the client";
}

const CONNECTION_HEADINGS = ["NODE", "CLIENT", "ENTERED AT", "ENDPOINT", "POD SEES", ""];

function connectionLines(answers: readonly ExplainAnswer[]): readonly string[] {
  const all = answers.flatMap(({ node, connections }) =>
    connections.listed.map((connection) => ({ node, connection })),
  );
  const total = answers.reduce((sum, { connections }) => sum + connections.total, 0);
  const masqueraded = answers.reduce((sum, { connections }) => sum + connections.masqueraded, 0);
  const unread = answers.flatMap(({ node, connections: { unread } }) =>
    unread === null ? [] : [`${node}: connections could not be read: ${unread}`],
  );
  const shown = all.slice(0, MOST_CONNECTIONS);
  const takers = new Set(
    all.flatMap(({ connection: { by, endpoint } }) => (by === "host-port" ? [hostOf(endpoint)] : [])),
  );
  const rows = shown.map(({ node, connection }) => connectionRow(node, connection, takers));
  return [
    "",
    total === 0
      ? "CONNECTIONS NOW: none"
      : `CONNECTIONS NOW: ${total}, of which ${masqueraded} are masqueraded`,
    ...unread,
    ...(rows.length > 0 ? table([CONNECTION_HEADINGS, ...rows]).map((row) => `  ${row}`) : []),
    ...(total > shown.length ? [`  and ${total - shown.length} more`] : []),
  ];
}

/** `takers`: addresses of pods that hold the service's ports on nodes. */
function connectionRow(node: string, connection: Connection, takers: ReadonlySet<string>): readonly string[] {
  const { protocol, client, entry, endpoint, seenAs, isMasqueraded, by } = connection;
  const remarks = [
    ...(isMasqueraded ? ["masqueraded"] : []),
    ...(by === "host-port" ? ["taken by a pod's host port (svclb)"] : []),
    ...(takers.has(client) ? ["from the pod with the host port"] : []),
  ];
  return [node, client, `${entry}/${protocol.toUpperCase()}`, endpoint, seenAs, remarks.join(", ")];
}

function hostOf(endpoint: string): string {
  return endpoint.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
}
