import { Fault } from "#fault/fault";

export interface CommandLine {
  readonly wants: "serve" | "version" | "plugins";
  readonly file: string | undefined;
  /** For addresses in the Corefile that name no port. */
  readonly port: number;
  readonly isQuiet: boolean;
}

const VALUES = new Set(["conf", "dns.port", "p", "pidfile"]);
const SWITCHES = new Set(["quiet", "version", "plugins"]);

/** Reads flags with one dash or two, values after `=` or a space. @throws {Fault} "Usage" */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const given = new Map<string, string>();
  const rest = [...argv];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const match = /^--?([a-z.]+)(?:=(.*))?$/.exec(word);
    const name = match?.[1] ?? "";
    if (!VALUES.has(name) && !SWITCHES.has(name))
      throw new Fault(
        "Usage",
        `flag provided but not defined: ${word}; use -conf FILE, -dns.port N, -quiet, -plugins, -version`,
      );
    const value = match?.[2] ?? (VALUES.has(name) ? rest.shift() : "true");
    if (value === undefined) throw new Fault("Usage", `flag needs an argument: -${name}`);
    given.set(name, value);
  }
  const port = given.get("dns.port") ?? given.get("p") ?? "53";
  if (!/^\d{1,5}$/.test(port))
    throw new Fault("Usage", `-dns.port has to be a port, not ${JSON.stringify(port)}`);
  return {
    wants: given.has("version") ? "version" : given.has("plugins") ? "plugins" : "serve",
    file: given.get("conf"),
    port: Number(port),
    isQuiet: given.get("quiet") === "true",
  };
}
