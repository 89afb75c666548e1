/** `twill bench fabric`: pod to pod across two machines through our fabric, and through the same backend typed by hand on two
 *  machines of the same build, turn by turn in one run; how soon a node that joins is reached; and what a thousand peers cost. Ours
 *  carries its nftables tables and connection tracking, the other none. Needs root, iperf3 and wireguard-go; leaves nothing
 *  behind. */
import { benchJoin } from "./fabric-join.ts";
import { median, packetRate, roundTrip, throughput } from "./fabric-load.ts";
import { openPairs, type Pair, type Path } from "./fabric-paths.ts";
import { benchPeers } from "./fabric-peers.ts";

const ROUNDS = 6;
const SECONDS = 2;
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
  const pairs = await openPairs(stack);
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
  for (const pair of pairs)
    for (const measure of measures) report(pair, measure, await compare(pair, measure, rounds));
}

type Round = ReadonlyMap<Path, number>;

/** Turn by turn, each first in every other round. The first round warms both up, and is thrown away. */
async function compare({ ours, byHand }: Pair, { take }: Measure, rounds: number): Promise<readonly Round[]> {
  const results: Round[] = [];
  for (let round = 0; round <= rounds; round++) {
    const taken = new Map<Path, number>();
    for (const path of round % 2 === 0 ? [ours, byHand] : [byHand, ours]) taken.set(path, await take(path));
    if (round > 0) results.push(taken);
  }
  return results;
}

function report({ kind, mtuBytes, ours, byHand }: Pair, measure: Measure, rounds: readonly Round[]): void {
  const { name, unit, perUnit, target } = measure;
  const of = (path: Path) => rounds.map((round) => round.get(path) ?? Number.NaN);
  const ratios = of(ours).map((value, i) => value / (of(byHand)[i] ?? Number.NaN));
  const show = (path: Path) => (median(of(path)) / perUnit).toFixed(2);
  const ratio = median(ratios);
  const spread = `${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)}`;
  const verdict =
    target === undefined ? "" : `; target >= ${target}: ${ratio >= target ? "reached" : "missed"}`;
  say(
    `${kind}, ${name}: ${show(ours)} ${unit}, by hand ${show(byHand)}; ratio ${ratio.toFixed(3)} (${spread}, ${rounds.length} rounds, MTU ${mtuBytes})${verdict}`,
  );
}

function say(text: string): void {
  process.stdout.write(`fabric  ${text}\n`);
}

if (import.meta.main) await benchFabric();
