import { join } from "node:path";
import { FAMILIES, type Family } from "#addr/family";
import { familyOf, formatEndpoint } from "#addr/ip";
import { explain, Fault, isFault } from "#fault/fault";
import { openNft } from "#kernel/nft";
import { openSysctl } from "#kernel/sysctl";
import { PAUSE_FILE } from "../catalog.ts";
import type { ImageContext } from "../preamble.ts";
import { type Forwarding, readForwarding } from "./environment.ts";
import { forwardingProgram } from "./program.ts";

const FORWARDING: Readonly<Record<Family, string>> = {
  4: "net.ipv4.ip_forward",
  6: "net.ipv6.conf.all.forwarding",
};

/** Makes the pod forward its port, and then becomes a process that only waits for SIGTERM: a node has one for each port of each
 *  load balancer. @returns 1 with a sentence on standard error, or does not return */
export async function klipperLb(
  _argv: readonly string[],
  { signal }: Pick<ImageContext, "signal">,
): Promise<number> {
  try {
    const forwarding = readForwarding(process.env);
    const families = forwardingFamilies();
    program(forwarding, families);
    process.stdout.write(describe(forwarding, families));
    await new Promise((resolve) => setImmediate(resolve)); // Signals are heard between turns only.
    return signal.aborted ? 0 : wait(forwarding);
  } catch (error) {
    if (!isFault(error)) throw error;
    process.stderr.write(`klipper-lb: ${explain(error)}\n`);
    return 1;
  }
}

/** Those whose packets the pod's namespace forwards. */
function forwardingFamilies(): readonly Family[] {
  const sysctl = openSysctl((f) => f());
  return FAMILIES.filter((family) => {
    try {
      return sysctl.read(FORWARDING[family]) === "1";
    } catch (error) {
      if (isFault(error)) return false; // A kernel without IPv6.
      throw error;
    }
  });
}

function program(forwarding: Forwarding, families: readonly Family[]): void {
  try {
    using nft = openNft();
    nft.run(forwardingProgram(forwarding, families));
  } catch (cause) {
    if (!isFault(cause)) throw cause;
    const { protocol, port } = forwarding;
    const advice = cause.code === "EPERM" ? " (the container needs the capability NET_ADMIN)" : "";
    throw new Fault("NotProgrammed", `Cannot forward ${protocol} port ${port}${advice}`, { cause });
  }
}

function describe(forwarding: Forwarding, families: readonly Family[]): string {
  const { protocol, port, destinations, destinationPort, sources } = forwarding;
  return destinations
    .map((ip) =>
      families.includes(familyOf(ip))
        ? `${protocol} port ${port} leads to ${formatEndpoint(ip, destinationPort)}, for ${sources.join(", ")}\n`
        : `nothing leads to ${ip}: ${FORWARDING[familyOf(ip)]} is not 1 in this pod\n`,
    )
    .join("");
}

function wait({ protocol, port }: Forwarding): never {
  if (!process.execve) throw new Error("broken invariant: this Node cannot become another program");
  return process.execve(join(import.meta.dirname, PAUSE_FILE), ["klipper-lb", protocol, String(port)], {});
}
