import { type Cidr, hostCidr, parseCidr } from "#addr/cidr";
import { type Ip, isIp, parseIp } from "#addr/ip";
import { explain, Fault } from "#fault/fault";

/** What one container of a svclb pod is to do, as K3s says it. */
export interface Forwarding {
  readonly protocol: "tcp" | "udp" | "sctp";
  /** The pod's own port. */
  readonly port: number;
  /** Whose packets go on; those of others are dropped. */
  readonly sources: readonly Cidr[];
  readonly destinationPort: number;
  /** Of several of one family the last one gets the packets. */
  readonly destinations: readonly Ip[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads `SRC_PORT`, `SRC_RANGES`, `DEST_PROTO`, `DEST_PORT` and `DEST_IPS`; lists have commas or blanks between.
 *  @throws {Fault} "BadEnvironment", naming the variable @see k3s-io/klipper-lb, entry */
export function readForwarding(env: Environment): Forwarding {
  return {
    protocol: readProtocol(required(env, "DEST_PROTO")),
    port: readPort(env, "SRC_PORT"),
    sources: readList(env, "SRC_RANGES", (text) => (isIp(text) ? hostCidr(text) : cidrOf(text))),
    destinationPort: readPort(env, "DEST_PORT"),
    destinations: readList(env, "DEST_IPS", parseIp),
  };
}

function readProtocol(text: string): Forwarding["protocol"] {
  const name = text.toLowerCase();
  if (name === "tcp" || name === "udp" || name === "sctp") return name;
  throw bad("DEST_PROTO", text, "expected TCP, UDP or SCTP");
}

function readPort(env: Environment, name: string): number {
  const text = required(env, name);
  if (/^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535) return Number(text);
  const why =
    text === "0" && name === "DEST_PORT"
      ? "the Service has no node port, which externalTrafficPolicy Local needs here (allocateLoadBalancerNodePorts)"
      : "expected a port from 1 to 65535";
  throw bad(name, text, why);
}

function readList<T>(env: Environment, name: string, read: (text: string) => T): readonly T[] {
  return required(env, name)
    .split(/[\s,]+/)
    .filter((text) => text !== "")
    .map((text) => {
      try {
        return read(text);
      } catch (error) {
        throw new Fault("BadEnvironment", `Cannot use the variable ${name}: ${explain(error)}`, {
          cause: error,
        });
      }
    });
}

/** Host bits may be set, as iptables takes them. */
function cidrOf(text: string): Cidr {
  return parseCidr(text, { hostBits: "clear" });
}

function required(env: Environment, name: string): string {
  const text = env[name]?.trim() ?? "";
  if (/^[\s,]*$/.test(text)) throw new Fault("BadEnvironment", `The variable ${name} is not set`);
  return text;
}

function bad(name: string, text: string, why: string): Fault {
  return new Fault("BadEnvironment", `Cannot use ${name}=${JSON.stringify(text)}: ${why}`);
}
