import { readFileSync } from "node:fs";
import type { Subcommand } from "./subcommand.ts";

export const dnsSuffix: Subcommand = {
  summary: "Prints the DNS search list, joined by commas",
  flags: [],
  run: async () => print(wordsOf("search").at(-1) ?? []),
};

export const dnsServerList: Subcommand = {
  summary: "Prints the DNS servers, joined by commas",
  flags: [],
  run: async () => print(wordsOf("nameserver").flat()),
};

export const etcHosts: Subcommand = {
  summary: "Prints the hosts file",
  flags: [],
  async run() {
    process.stdout.write(readFileSync("/etc/hosts", "utf8"));
    return 0;
  },
};

function print(words: readonly string[]): number {
  process.stdout.write(`${words.join(",")}\n`);
  return 0;
}

/** What follows `keyword` on each of its lines in resolv.conf. */
function wordsOf(keyword: string): string[][] {
  return readFileSync("/etc/resolv.conf", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([first]) => first === keyword)
    .map(([, ...words]) => words);
}
