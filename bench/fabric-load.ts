/** What a path carries: bytes, packets, and how soon an answer is back. Needs iperf3 and ping. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import type { Path } from "./fabric-paths.ts";

/** Bits per second that arrive by one TCP stream. */
export async function throughput(path: Path, seconds: number): Promise<number> {
  const { end } = await iperf(path, ["-t", String(seconds)]);
  return end?.sum_received?.bits_per_second ?? Number.NaN;
}

/** Datagrams of 64 bytes a second that arrive, of one sender that sends as many as it can. */
export async function packetRate(path: Path, seconds: number): Promise<number> {
  const { end } = await iperf(path, ["-t", String(seconds), "-u", "-b", "0", "-l", "64"]);
  const { packets = Number.NaN, lost_packets = 0, seconds: took = seconds } = end?.sum ?? {};
  return (packets - lost_packets) / took;
}

/** Median of so many echoes, one each millisecond, in microseconds. */
export async function roundTrip({ client, address }: Path, count: number): Promise<number> {
  const args = ["netns", "exec", client, "ping", "-c", String(count), "-i", "0.001", "-s", "64", address];
  const { stdout } = await promisify(execFile)("ip", args);
  const times = [...stdout.matchAll(/time=([\d.]+) ms/g)].map(([, ms]) => Number(ms) * 1000);
  return median(times);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

interface Report {
  readonly error?: string;
  readonly end?: {
    readonly sum_received?: { readonly bits_per_second?: number };
    readonly sum?: { readonly packets?: number; readonly lost_packets?: number; readonly seconds?: number };
  };
}

async function iperf({ client, server, address }: Path, words: readonly string[]): Promise<Report> {
  const listening = spawn("ip", ["netns", "exec", server, "iperf3", "-s", "-1", "--forceflush"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const gone = once(listening, "exit");
  await once(listening.stdout, "data");
  const asking = spawn("ip", ["netns", "exec", client, "iperf3", "-c", address, "-J", ...words], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  asking.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  await once(asking, "close");
  await gone;
  const report = JSON.parse(text) as Report;
  if (report.error !== undefined || report.end === undefined)
    throw new Error(`iperf3: ${report.error ?? text.slice(0, 200)}`);
  return report;
}
