import { constants } from "node:os";

/** Second names of numbers, on Linux. */
const ALIASES = new Set(["EWOULDBLOCK", "ENOTSUP"]);

const NAMES = new Map<number, string>(
  Object.entries(constants.errno)
    .filter(([name]) => !ALIASES.has(name))
    .map(([name, number]) => [number, name]),
);

/** `ENOENT` for 2; an unknown number keeps its digits. */
export function errnoName(errno: number): string {
  return NAMES.get(Math.abs(errno)) ?? `errno ${Math.abs(errno)}`;
}

/** What a person would call the number: a short phrase for the ones networking meets. */
export function errnoText(errno: number): string {
  const name = errnoName(errno);
  return TEXT[name] ?? name;
}

const TEXT: Readonly<Record<string, string>> = {
  EPERM: "operation not permitted",
  ENOENT: "not found",
  EEXIST: "already exists",
  EBUSY: "in use",
  EINVAL: "refused as invalid by the kernel",
  ENODEV: "no such device",
  ENETUNREACH: "network unreachable",
  EOPNOTSUPP: "not supported by this kernel",
  EADDRNOTAVAIL: "no such address",
  ENOBUFS: "netlink queue overflowed",
  EAFNOSUPPORT: "address family not supported by this kernel",
};

const TRANSIENT = new Set([
  "EINTR",
  "EAGAIN",
  "EBUSY",
  "ENOBUFS",
  "ENOMEM",
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_SOCKET",
  "UND_ERR_CLOSED",
]);

/** Whether trying the same thing again later can help. */
export function isTransient(error: unknown): boolean {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    const code: unknown = "code" in at ? at.code : undefined;
    if (typeof code === "string" && TRANSIENT.has(code)) return true;
  }
  return false;
}
