import { familyOf, type Ip } from "#addr/ip";
import { CLAIMS } from "#kernel/claims";
import type { RouteSpec } from "#kernel/kernel";
import { deadEndRoute } from "./dead-end.ts";
import { memberChanges } from "./guard.ts";
import type { Op } from "./plan.ts";
import { renderProgram } from "./program.ts";
import { renderWireguardOp } from "./wireguard/render.ts";

/** The operations as one would type them (`ip`, `bridge`, `sysctl`, `nft`), one a line: for the debug log and golden files. */
export function renderFabric(ops: readonly Op[]): string {
  return ops.map((op) => `${renderOp(op)}\n`).join("");
}

function renderOp(op: Op): string {
  switch (op.op) {
    case "write-sysctl":
      return `sysctl ${op.name}=${op.value}`;
    case "load-program":
      return renderProgram(op.program, op.members)
        .trimEnd()
        .split("\n")
        .map((line) => `nft ${line}`)
        .join("\n");
    case "add-members":
    case "delete-members": {
      const verb = op.op === "add-members" ? "add" : "delete";
      return memberChanges(verb, op.family, op.ips)
        .map(
          ({ set: { family, table, set } }) =>
            `nft ${verb} element ${family} ${table} ${set} { ${op.ips.join(", ")} }`,
        )
        .join("\n");
    }
    case "add-dead-end":
    case "delete-dead-end":
      return renderDeadEnd(verb(op.op), deadEndRoute(op.to));
    case "delete-stray": {
      const { to, link, protocol, kind } = op.route;
      return kind === undefined
        ? `ip route del ${to} dev #${link} proto ${protocol}`
        : renderDeadEnd("del", op.route);
    }
    default:
      return renderEntryOp(op);
  }
}

type EntryOp = Exclude<
  Op,
  {
    op:
      | "write-sysctl"
      | "load-program"
      | "add-members"
      | "delete-members"
      | "delete-stray"
      | "add-dead-end"
      | "delete-dead-end";
  }
>;

function renderEntryOp(op: EntryOp): string {
  switch (op.op) {
    case "add-vtep": {
      const { name, mac, mtuBytes, vni, underlay, local, port, learning, gbp } = op.vtep;
      return `ip link add ${name} up${mac ? ` address ${mac}` : ""} mtu ${mtuBytes} type vxlan id ${vni} dev #${underlay} local ${local} dstport ${port} ${learning ? "" : "no"}learning${gbp ? " gbp" : ""}`;
    }
    case "change-vtep": {
      const { underlay, local, mac, mtuBytes, isUp } = op.change;
      const own = [underlay && `dev #${underlay}`, local && `local ${local}`].filter(Boolean).join(" ");
      const words = [
        mac && `address ${mac}`,
        mtuBytes && `mtu ${mtuBytes}`,
        isUp !== undefined && (isUp ? "up" : "down"),
        own && `type vxlan ${own}`,
      ];
      return `ip link set ${op.name} ${words.filter(Boolean).join(" ")}`;
    }
    case "delete-vtep":
      return `ip link del ${op.name}`;
    case "add-address":
    case "delete-address":
      return `ip addr ${verb(op.op)} ${op.address} dev ${CLAIMS.devices.vxlan[op.family]}`;
    case "replace-neighbor":
      return `ip neigh replace ${op.ip} lladdr ${op.mac} dev ${deviceOf(op.ip)} nud permanent`;
    case "delete-neighbor":
      return `ip neigh del ${op.ip} dev ${deviceOf(op.ip)}`;
    case "replace-fdb":
    case "delete-fdb":
      return `bridge fdb ${verb(op.op)} ${op.mac} dev ${CLAIMS.devices.vxlan[op.family]} dst ${op.vtep} self permanent`;
    case "replace-route":
    case "delete-route":
      return `ip route ${verb(op.op)} ${op.to}${op.way.via ? ` via ${op.way.via}` : ""} dev ${op.way.device}${op.way.onlink ? " onlink" : ""} proto ${CLAIMS.routeProtocol}`;
    default:
      return renderWireguardOp(op);
  }
}

function renderDeadEnd(verb: string, { to, kind, metric, protocol }: RouteSpec): string {
  return `ip route ${verb} ${kind} ${to} metric ${metric} proto ${protocol}`;
}

function verb(op: Op["op"]): string {
  const word = op.slice(0, op.indexOf("-"));
  return word === "delete" ? "del" : word;
}

function deviceOf(key: Ip): string {
  return CLAIMS.devices.vxlan[familyOf(key)];
}
