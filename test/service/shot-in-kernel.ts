/** The table's packets, sent by real sockets. All at once: what must stay silent is told by the witness and not by waiting. */
import type { Family } from "#addr/family";
import { ENDPOINTS } from "./cases.ts";
import { addressIn } from "./scene-objects.ts";
import { endpointName, type Shot } from "./walked.ts";
import { flowName, type Witness } from "./witness.ts";
import type { ServiceWorld } from "./world.ts";

const PATIENCE_MS = 4_000;

interface Flight {
  readonly shot: Shot;
  readonly flow: string;
  answer: string | undefined;
  readonly done: Promise<unknown>;
}

/** Sends all of them. @returns those that did not come out as the table says */
export async function shootAll(
  world: ServiceWorld,
  witness: Witness,
  shots: readonly Shot[],
): Promise<readonly string[]> {
  const flights = shots.map((shot) => launch(world, shot));
  const speaking = flights.filter(({ shot }) => !isSilent(shot));
  await inTime(Promise.all(speaking.map(({ done }) => done)));
  const silent = flights.filter(({ shot }) => isSilent(shot));
  await arrived(witness, silent);
  // Whatever still was on its way then has arrived before what is sent now comes back.
  await Promise.all(
    silent
      .map(({ shot }) => shot)
      .filter(onePerHost(world))
      .map((shot) => roundTrip(world, shot)),
  );
  const left = seenBy(witness);
  const misses = flights.flatMap((flight) => {
    const gives = outcomeOf(world, flight, left);
    return gives === undefined ? [] : [`${flight.shot.name}: ${gives}; not ${flight.shot.gives}`];
  });
  for (const host of world.hosts()) await host.giveUp();
  await Promise.all(flights.map(({ done }) => done));
  return misses;
}

function isSilent({ gives }: Shot): boolean {
  return gives === "dropped" || gives === "left alone";
}

function launch(world: ServiceWorld, shot: Shot): Flight {
  const host = world.host(shot.from);
  const fromPort = host.nextPort();
  const { protocol, source, to } = shot;
  if (protocol === "sctp") throw new Error("no sockets of SCTP here");
  const { answer } = host.ask({ protocol, from: source, fromPort, to: to.ip, port: to.port });
  const flow = flowName(source, protocol, fromPort);
  const flight: Flight = {
    shot,
    flow,
    answer: undefined,
    done: answer.then((text) => (flight.answer = text)),
  };
  return flight;
}

async function inTime(all: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, PATIENCE_MS);
  await Promise.race([all, late.promise]);
  clearTimeout(timer);
}

async function arrived(witness: Witness, flights: readonly Flight[]): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const seen = { 4: witness.seen("in", 4), 6: witness.seen("in", 6) };
    if (flights.every(({ flow, shot }) => seen[shot.family].has(flow)) || Date.now() > deadline) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function onePerHost(world: ServiceWorld) {
  const hosts = new Set<unknown>();
  return ({ from, family }: Shot) => {
    const key = `${family} ${[...world.hosts()].indexOf(world.host(from))}`;
    return !hosts.has(key) && hosts.add(key);
  };
}

/** Asks a pod of this node by its own address; or, from there, the other one. */
async function roundTrip(world: ServiceWorld, { from, source, family }: Shot): Promise<void> {
  const to = addressIn((from === "a" ? ENDPOINTS.b : ENDPOINTS.a).ip, family);
  const host = world.host(from);
  const isLoopback = source === "::1" || source.startsWith("127.");
  if (isLoopback) return;
  const question = { protocol: "tcp", from: source, fromPort: host.nextPort(), to, port: 8080 } as const;
  await inTime(host.ask(question).answer);
}

function seenBy(witness: Witness) {
  const of = (family: Family) => ({
    in: witness.seen("in", family),
    left: witness.seen("left", family),
    translated: witness.seen("translated", family),
  });
  return { 4: of(4), 6: of(6) };
}

/** What came of it, or undefined when that is what the table says. */
function outcomeOf(
  world: ServiceWorld,
  { shot, flow, answer }: Flight,
  seen: ReturnType<typeof seenBy>,
): string | undefined {
  const { in: entered, left, translated } = seen[shot.family];
  if (!entered.has(flow)) return "never came in";
  const fate = `${left.has(flow) ? "left" : "went nowhere"}${translated.has(flow) ? " translated" : ""}, ${answer ?? "silence"}`;
  switch (shot.gives) {
    case "dropped":
      return fate === "went nowhere, silence" || fate === "went nowhere, EPERM" ? undefined : fate;
    case "left alone":
      return left.has(flow) && !translated.has(flow) ? undefined : fate;
    case "refused":
      return isRefusal(shot, answer) && !left.has(flow) ? undefined : fate;
    default:
      return translated.has(flow) && isAnswer(world, shot, answer) ? undefined : fate;
  }
}

/** A datagram of the node itself is refused on its way out: its sender hears that rather than the ICMP error. */
function isRefusal({ from, protocol }: Shot, answer: string | undefined): boolean {
  return answer === "ECONNREFUSED" || (from === "node" && protocol === "udp" && answer === "EPERM");
}

function isAnswer(world: ServiceWorld, { gives, family, from, source }: Shot, answer = ""): boolean {
  const [server = "", client = "", port = ""] = answer.split(" ");
  const words = gives.split(" ");
  const isMasqueraded = words[0] === "masq";
  const names = isMasqueraded ? words.slice(1) : words;
  if (!names.includes(endpointName(server, Number(port), family))) return false;
  if (from !== "node" && !isMasqueraded) return client === source;
  return world.ownAddresses(family).some((own) => own === client);
}
