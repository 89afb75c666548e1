/** Puts together what the routing of this node says of itself, when somebody asks. */
import { explain, isFault } from "#fault/fault";
import type { NetKernel } from "#kernel/kernel";
import type { EndpointSlice, Node, Service } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import type { Clock } from "#life/clock";
import { explainService } from "../explain/explain.ts";
import { frontendsOf } from "../explain/frontends.ts";
import type { Place, ServiceConfig } from "../model.ts";
import type { ServiceProblem } from "../problems.ts";
import { SERVICE_NAME } from "../slice-index.ts";
import { Surroundings } from "../surroundings.ts";
import { connectionsOf, type OnlyThose, type ServiceFrontends } from "./connections.ts";
import { listServices } from "./list.ts";
import type { Answer, Connections, Question, RoutingStatus, UnknownAnswer } from "./model.ts";
import type { RoundTally } from "./rounds.ts";

export interface RoutingSourceOptions {
  readonly kernel: Pick<NetKernel, "netlink" | "conntrack">;
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  readonly nodes: Informer<Node>;
  readonly nodeName: string;
  readonly config: ServiceConfig;
  readonly clock: Pick<Clock, "now">;
  readonly rounds: RoundTally;
  readonly problems: () => readonly ServiceProblem[];
}

/** Of names that may have been meant, so many are told. */
const MOST_CANDIDATES = 8;
const MOST_PROBLEMS = 200;

export function answer(question: Question, source: RoutingSourceOptions): Answer {
  switch (question.ask) {
    case "list": {
      const problems = source.problems();
      const listed = listServices({ ...source, slices: slicesByService(source), problems });
      const told = problems.slice(0, MOST_PROBLEMS);
      return { kind: "list", ...statusOf(source), ...listed, problems: told, problemCount: problems.length };
    }
    case "explain":
      return explainOne(question, source);
    default:
      return question satisfies never;
  }
}

function explainOne(question: Extract<Question, { ask: "explain" }>, source: RoutingSourceOptions): Answer {
  const found = find(question.service, source);
  if (found.service === undefined) return { kind: "unknown", node: source.nodeName, ...found.unknown };
  const { service } = found;
  const name = nameOf(service);
  const slices = source.endpointSlices.list().filter((slice) => serviceOf(slice) === name);
  const { nodes, config } = source;
  const here = placeNow(source);
  const { from, to, port } = question;
  const asked = { ...(from && { from }), ...(to && { to }), ...(port && { port }) };
  const explanation = explainService({
    ...{ service, slices, nodes: nodes.list(), config, here },
    ...(Object.keys(asked).length > 0 ? { asked } : {}),
  });
  const problems = source.problems().filter((problem) => problem.service === name);
  const connections = readConnections(source, frontendsOf(here, { service, slices, config }), asked);
  return { kind: "explain", ...statusOf(source), explanation, problems, connections };
}

function statusOf({ nodeName, clock, rounds, ...informers }: RoutingSourceOptions): RoutingStatus {
  const { services, endpointSlices, nodes } = informers;
  const waits: readonly [string, { readonly isSynced: boolean }][] = [
    ["the API's Services", services],
    ["the API's EndpointSlices", endpointSlices],
    ["the API's Nodes", nodes],
  ];
  const status = rounds.status();
  const waitingFor = waits.flatMap(([what, { isSynced }]) => (isSynced ? [] : [what]));
  if (waitingFor.length === 0 && status.total === 0) waitingFor.push("the first look at this machine");
  return { node: nodeName, at: new Date(clock.now()).toISOString(), waitingFor, rounds: status };
}

/** As the routing itself sees this node. */
function placeNow({ nodes, kernel: { netlink }, nodeName, config }: RoutingSourceOptions): Place {
  using surroundings = new Surroundings({ nodes, netlink, nodeName, config }, () => {});
  return surroundings.place;
}

function readConnections(
  { kernel }: RoutingSourceOptions,
  frontends: ServiceFrontends,
  asked: OnlyThose,
): Connections {
  try {
    return { ...connectionsOf(kernel.conntrack, frontends, asked), unread: null };
  } catch (error) {
    if (!isFault(error)) throw error;
    return { listed: [], total: 0, masqueraded: 0, unread: explain(error) };
  }
}

type Found =
  | { readonly service: Service }
  | { readonly service?: never; readonly unknown: Pick<UnknownAnswer, "candidates" | "isAmbiguous"> };

/** The service of that name, in its namespace or in the only one that has it. */
function find(name: string, { services }: Pick<RoutingSourceOptions, "services">): Found {
  const exact = services.get(name);
  if (exact) return { service: exact };
  const bare = name.slice(name.indexOf("/") + 1);
  const same = services.list().filter(({ metadata }) => metadata.name === bare);
  const [only] = same;
  if (only && same.length === 1 && !name.includes("/")) return { service: only };
  const near = same.length > 0 ? same : services.list().filter((service) => nameOf(service).includes(bare));
  const candidates = near.map(nameOf).sort().slice(0, MOST_CANDIDATES);
  return { unknown: { candidates, isAmbiguous: same.length > 1 && !name.includes("/") } };
}

function slicesByService({
  endpointSlices,
}: RoutingSourceOptions): ReadonlyMap<string, readonly EndpointSlice[]> {
  const byService = new Map<string, EndpointSlice[]>();
  for (const slice of endpointSlices.list()) {
    const name = serviceOf(slice);
    const of = byService.get(name);
    if (of) of.push(slice);
    else byService.set(name, [slice]);
  }
  return byService;
}

function serviceOf({ metadata }: EndpointSlice): string {
  return `${metadata.namespace}/${metadata.labels?.[SERVICE_NAME] ?? ""}`;
}

function nameOf({ metadata }: Service): string {
  return `${metadata.namespace}/${metadata.name}`;
}
