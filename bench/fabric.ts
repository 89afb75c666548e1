/** `twill bench fabric`: pod to pod across two machines through our fabric, and through the same backend typed by hand on two
 *  machines of the same build, turn by turn in one run; how soon a node that joins is reached; and what a thousand peers cost. By
 *  hand twice: with nothing besides, and with the connection tracking that any cluster's node has. What ours loses against the
 *  first is tracking and our rules, against the second our rules. Needs root, iperf3 and wireguard-go; leaves nothing behind. */
import { benchJoin } from "./fabric-join.ts";
import { median, packetRate, roundTrip, throughput } from "./fabric-load.ts";
import { openPaths, type Path, type Paths } from "./fabric-paths.ts";
import { benchPeers } from "./fabric-peers.ts";

const ROUNDS = 5;
const SECONDS = 1;
const ECHOES = 500;
const TARGET = 0.98;

interface Measure {
  readonly name: string;
  readonly unit: string;
  readonly perUnit: number;
  /** Ours by theirs is at least this where more is better; round trips have none. */
  readonly target?: number;
  readonly take: (path: Path) => Promise<number>;
}

/** Prints what both carry, the ratios' medians, and the rest. */
export async function benchFabric({ rounds = ROUNDS, seconds = SECONDS } = {}): Promise<void> {
  await benchLoad(rounds, seconds);
  await benchJoin();
  await benchPeers();
}

async function benchLoad(rounds: number, seconds: number): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const backends = await openPaths(stack);
  const measures: readonly Measure[] = [
    { name: "TCP", unit: "Gbit/s", perUnit: 1e9, target: TARGET, take: (path) => throughput(path, seconds) },
    {
      name: "UDP of 64 bytes",
      unit: "thousand packets/s",
      perUnit: 1e3,
      take: (path) => packetRate(path, seconds),
    },
    { name: "round trip", unit: "us", perUnit: 1, take: (path) => roundTrip(path, ECHOES) },
  ];
  for (const paths of backends)
    for (const measure of measures) report(paths, measure, await compare(paths, measure, rounds));
}

type Round = ReadonlyMap<Path, number>;

/** Turn by turn, in the one order and in the other. The first round warms all up, and is thrown away. */
async function compare(
  { ours, byHand, tracked }: Paths,
  { take }: Measure,
  rounds: number,
): Promise<readonly Round[]> {
  const results: Round[] = [];
  for (let round = 0; round <= rounds; round++) {
    const taken = new Map<Path, number>();
    const order = [ours, byHand, tracked];
    for (const path of round % 2 === 0 ? order : order.reverse()) taken.set(path, await take(path));
    if (round > 0) results.push(taken);
  }
  return results;
}

function report(
  { kind, mtuBytes, ours, byHand, tracked }: Paths,
  measure: Measure,
  rounds: readonly Round[],
): void {
  const { name, unit, perUnit, target } = measure;
  const of = (path: Path) => rounds.map((round) => round.get(path) ?? Number.NaN);
  const show = (path: Path) => (median(of(path)) / perUnit).toFixed(2);
  const against = (path: Path) => {
    const ratios = of(ours).map((value, i) => value / (of(path)[i] ?? Number.NaN));
    const spread = `${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)}`;
    return {
      ratio: median(ratios),
      text: `${path.name} ${show(path)}, ratio ${median(ratios).toFixed(3)} (${spread})`,
    };
  };
  const bare = against(byHand);
  const verdict =
    target === undefined
      ? ""
      : `; target >= ${target} of by hand: ${bare.ratio >= target ? "reached" : "missed"}`;
  say(
    `${kind}, ${name}: ${show(ours)} ${unit}; ${bare.text}; ${against(tracked).text}; ${rounds.length} rounds, MTU ${mtuBytes}${verdict}`,
  );
}

function say(text: string): void {
  process.stdout.write(`fabric  ${text}\n`);
}

if (import.meta.main) await benchFabric();
