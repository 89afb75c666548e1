/** The services of a node as a person reads them. */
import type { ListAnswer, ListedService, RoutingStatus } from "./model.ts";
import { lines, table, wrapped } from "./page.ts";

const HEADINGS = ["SERVICE", "TYPE", "CLUSTER-IP", "ADDRESSES", "PORTS", "READY", "HERE", "EXTERNAL"];

/** The services as one node routes them, a row each, then what is wrong. */
export function printList(answer: ListAnswer): string {
  const { node, services, serviceCount, problems, problemCount } = answer;
  const more = serviceCount - services.length;
  const unrouted = services.filter(({ notRouted }) => notRouted !== null);
  return lines([
    `node ${node}   ${serviceCount} services   ${problemCount} ${problemCount === 1 ? "problem" : "problems"}${lastRound(answer)}`,
    ...stateLines(answer),
    ...problems.flatMap(({ service, reason, message }) => wrapped(`${service}: ${reason}: ${message}`, 0)),
    ...(problemCount > problems.length ? [`and ${problemCount - problems.length} problems more`] : []),
    "",
    ...(services.length > 0 ? table([HEADINGS, ...services.map(serviceRow)]) : ["no services"]),
    ...(more > 0 ? [`and ${more} more`] : []),
    ...(unrouted.length > 0 ? [""] : []),
    ...unrouted.flatMap(({ service, notRouted }) => wrapped(`${service}: ${notRouted ?? ""}`, 0)),
  ]);
}

function serviceRow(service: ListedService): readonly string[] {
  return [
    `${service.problems > 0 ? "! " : ""}${service.service}`,
    service.type,
    service.clusterIps.join(",") || "-",
    service.addresses.join(",") || "-",
    service.ports.join(",") || "-",
    service.notRouted === null ? String(service.ready) : "-",
    service.notRouted === null ? String(service.readyHere) : "-",
    service.type === "ClusterIP" || service.notRouted !== null ? "-" : service.externalTrafficPolicy,
  ];
}

function lastRound({ rounds }: RoutingStatus): string {
  return rounds.lastAt === null
    ? ""
    : `   synced ${rounds.lastAt} in ${((rounds.lastSeconds ?? 0) * 1000).toFixed(1)} ms`;
}

/** What routing waits for, and what failed. */
export function stateLines({ waitingFor, rounds }: RoutingStatus): readonly string[] {
  return [
    ...waitingFor.map((why) => `waiting: ${why}`),
    ...rounds.lastFaults.map((fault) => `failed, will be tried again: ${fault}`),
  ];
}
