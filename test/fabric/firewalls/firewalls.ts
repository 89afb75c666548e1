/** Firewalls as other programs lay them out in the kernel, written with the programs' own tools, and stand-ins for the commands
 *  of those that are not installed here: they do to the rules what the real ones do. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Machine } from "../machines.ts";

/** Runs a shell's text on a machine, with the stand-ins first in its path. @throws when a command of it fails */
export function onMachine(machine: Machine, script: string): string {
  const name = machine.path.split("/").at(-1) ?? "";
  return execFileSync("ip", ["netns", "exec", name, "sh", "-e", "-c", script], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, PATH: `${join(machine.dir, "bin")}:${process.env["PATH"]}` },
    timeout: 30_000,
  });
}

/** Puts `ufw` and `firewall-cmd` where `onMachine` finds them. */
export function installStandIns(machine: Machine): void {
  const bin = join(machine.dir, "bin");
  mkdirSync(bin);
  for (const [name, text] of [
    ["ufw", UFW_COMMAND],
    ["firewall-cmd", firewallCommand(join(machine.dir, "firewalld"))],
  ] as const) {
    writeFileSync(join(bin, name), text);
    chmodSync(join(bin, name), 0o755);
  }
}

/** Both families, in one variant of iptables. */
function each(variant: "nft" | "legacy", script: (iptables: string, v6: boolean) => string): string {
  return [script(`iptables-${variant}`, false), script(`ip6tables-${variant}`, true)].join("\n");
}

/** A machine that forwards nothing of others, as hardening guides have it. */
export function forwardDrop(variant: "nft" | "legacy"): string {
  return each(
    variant,
    (iptables) => `${iptables} -P FORWARD DROP
${iptables} -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
  );
}

/** Takes in answers, ICMP and SSH. */
export function inputDrop(variant: "nft" | "legacy"): string {
  return each(
    variant,
    (iptables, v6) => `${iptables} -A INPUT -i lo -j ACCEPT
${iptables} -A INPUT -p ${v6 ? "ipv6-icmp" : "icmp"} -j ACCEPT
${iptables} -A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
${iptables} -A INPUT -p tcp -m multiport --dports 22,80:90 -j ACCEPT
${iptables} -P INPUT DROP`,
  );
}

/** Docker 28, with its one bridge and a published port. */
export const DOCKER = each(
  "nft",
  (iptables) => `
for chain in DOCKER DOCKER-USER DOCKER-FORWARD DOCKER-CT DOCKER-BRIDGE DOCKER-INTERNAL; do ${iptables} -N $chain; done
${iptables} -P FORWARD DROP
${iptables} -A FORWARD -j DOCKER-USER
${iptables} -A FORWARD -j DOCKER-FORWARD
${iptables} -A DOCKER ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
${iptables} -A DOCKER ! -i docker0 -o docker0 -j DROP
${iptables} -A DOCKER-BRIDGE -o docker0 -j DOCKER
${iptables} -A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
${iptables} -A DOCKER-FORWARD -j DOCKER-CT
${iptables} -A DOCKER-FORWARD -j DOCKER-INTERNAL
${iptables} -A DOCKER-FORWARD -j DOCKER-BRIDGE
${iptables} -A DOCKER-FORWARD -i docker0 -j ACCEPT`,
);

/** ufw as `ufw enable` leaves it, with SSH allowed and limited. */
export const UFW = each("nft", (iptables, v6) => ufwRules(iptables, v6));

function ufwRules(iptables: string, v6: boolean): string {
  const u = v6 ? "ufw6" : "ufw";
  const kinds = "before-logging before after after-logging reject track";
  return `
for hook in input output forward; do
  for kind in ${kinds} user user-logging skip-to-policy; do ${iptables} -N ${u}-$kind-$hook; done
done
for chain in logging-deny logging-allow not-local user-limit user-limit-accept; do ${iptables} -N ${u}-$chain; done
${iptables} -P INPUT DROP
${iptables} -P FORWARD DROP
for kind in ${kinds}; do
  ${iptables} -A INPUT -j ${u}-$kind-input
  ${iptables} -A FORWARD -j ${u}-$kind-forward
  ${iptables} -A OUTPUT -j ${u}-$kind-output
done
${iptables} -A ${u}-before-input -i lo -j ACCEPT
${v6 ? `${iptables} -A ${u}-before-input -m rt --rt-type 0 -j DROP` : ""}
${iptables} -A ${u}-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
${iptables} -A ${u}-before-input -m conntrack --ctstate INVALID -j ${u}-logging-deny
${iptables} -A ${u}-before-input -m conntrack --ctstate INVALID -j DROP
${iptables} -A ${u}-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
${v6 ? ufwBefore6(iptables, u) : ufwBefore4(iptables, u)}
${iptables} -A ${u}-before-input -j ${u}-user-input
${iptables} -A ${u}-before-forward -j ${u}-user-forward
for port in 137 138; do ${iptables} -A ${u}-after-input -p udp --dport $port -j ${u}-skip-to-policy-input; done
${iptables} -A ${u}-after-logging-input -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "
${iptables} -A ${u}-after-logging-forward -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "
${iptables} -A ${u}-skip-to-policy-input -j DROP
${iptables} -A ${u}-skip-to-policy-forward -j DROP
${iptables} -A ${u}-track-output -p tcp -m conntrack --ctstate NEW -j ACCEPT
${iptables} -A ${u}-user-input -p tcp --dport 22 -j ACCEPT
${iptables} -A ${u}-user-limit -j REJECT
${iptables} -A ${u}-user-limit-accept -j ACCEPT`;
}

function ufwBefore4(iptables: string, u: string): string {
  return `
for type in destination-unreachable time-exceeded parameter-problem echo-request; do
  ${iptables} -A ${u}-before-input -p icmp --icmp-type $type -j ACCEPT
  ${iptables} -A ${u}-before-forward -p icmp --icmp-type $type -j ACCEPT
done
${iptables} -A ${u}-before-input -p udp --sport 67 --dport 68 -j ACCEPT
${iptables} -A ${u}-before-input -j ${u}-not-local
for type in LOCAL MULTICAST BROADCAST; do ${iptables} -A ${u}-not-local -m addrtype --dst-type $type -j RETURN; done
${iptables} -A ${u}-not-local -m limit --limit 3/min --limit-burst 10 -j ${u}-logging-deny
${iptables} -A ${u}-not-local -j DROP
${iptables} -A ${u}-before-input -p udp -d 224.0.0.251 --dport 5353 -j ACCEPT`;
}

function ufwBefore6(iptables: string, u: string): string {
  return `
${iptables} -A ${u}-before-forward -m rt --rt-type 0 -j DROP
for type in echo-request neighbor-solicitation neighbor-advertisement router-solicitation; do
  ${iptables} -A ${u}-before-input -p icmpv6 --icmpv6-type $type -m hl --hl-eq 255 -j ACCEPT
done
${iptables} -A ${u}-before-input -p icmpv6 --icmpv6-type echo-request -j ACCEPT
${iptables} -A ${u}-before-input -s fe80::/10 -d fe80::/10 -p udp --sport 547 --dport 546 -j ACCEPT
${iptables} -A ${u}-before-input -p udp -d ff02::fb --dport 5353 -j ACCEPT`;
}

const UFW_COMMAND = `#!/bin/sh -e
chain=ufw-user-input
[ "$1" = route ] && { chain=ufw-user-forward; shift; }
[ "$1" = allow ] || { echo "ERROR: Invalid syntax" >&2; exit 1; }
shift
proto= from= to= port= v6=
while [ $# -gt 0 ]; do
  case "$1" in
    proto) proto="-p $2"; shift 2;;
    from) [ "$2" = any ] || from="-s $2"; address="$2"; shift 2;;
    to) [ "$2" = any ] || { to="-d $2"; address="$2"; }; shift 2;;
    port) port="--dport $2"; shift 2;;
    *) echo "ERROR: Invalid token '$1'" >&2; exit 1;;
  esac
done
case "$address" in *:*) v6=6; chain=ufw6\${chain#ufw};; esac
ip\${v6}tables-nft -A $chain $proto $from $to $port -j ACCEPT
`;

const FIREWALLD_TABLE = `table inet firewalld {
  chain filter_INPUT {
    type filter hook input priority filter + 10; policy accept;
    ct state { established, related } accept
    ct status dnat accept
    iifname "lo" accept
    ct state invalid drop
    jump filter_INPUT_POLICIES
    reject with icmpx admin-prohibited
  }
  chain filter_FORWARD {
    type filter hook forward priority filter + 10; policy accept;
    ct state { established, related } accept
    ct status dnat accept
    iifname "lo" accept
    ct state invalid drop
    ip6 daddr { ::/96, ::ffff:0.0.0.0/96, 2002::/24, 2002:a00::/24, 2002:7f00::/24 } reject with icmpv6 addr-unreachable
    jump filter_FORWARD_POLICIES
    reject with icmpx admin-prohibited
  }
  chain filter_INPUT_POLICIES {
# sources of trusted
    iifname "eth0" jump filter_IN_public
    iifname "eth0" reject with icmpx admin-prohibited
    jump filter_IN_public
    reject with icmpx admin-prohibited
  }
  chain filter_FORWARD_POLICIES {
# sources of trusted
    iifname "eth0" oifname "eth0" jump filter_FWD_public
    iifname "eth0" oifname "eth0" reject with icmpx admin-prohibited
    iifname "eth0" jump filter_FWD_public
    iifname "eth0" reject with icmpx admin-prohibited
    jump filter_FWD_public
    reject with icmpx admin-prohibited
  }
  chain filter_IN_public {
    jump filter_IN_public_deny
    jump filter_IN_public_allow
    meta l4proto { icmp, ipv6-icmp } accept
  }
  chain filter_IN_public_deny { }
  chain filter_IN_public_allow {
    tcp dport 22 accept
    ip6 daddr fe80::/64 udp dport 546 accept
# ports of public
  }
  chain filter_FWD_public {
    jump filter_FWD_public_allow
    meta l4proto { icmp, ipv6-icmp } accept
  }
  chain filter_FWD_public_allow {
    oifname "eth0" iifname "eth0" accept
  }
  chain filter_trusted { }
}`;

/** firewalld 2 with its zone public for eth0 and for all that is in no zone. */
export const FIREWALLD = `nft -f - <<'END'
${FIREWALLD_TABLE}
END`;

/** Remembers what it is told, and lays the table out anew with it at a reload. */
function firewallCommand(memory: string): string {
  const table = FIREWALLD_TABLE.replaceAll("# sources of trusted\n", "$sources\n").replaceAll(
    "# ports of public\n",
    "$ports\n",
  );
  return `#!/bin/sh -e
for word in "$@"; do
  case "$word" in
    --permanent|--zone=*) ;;
    --add-source=*:*) echo "ip6 saddr \${word#*=}" >> ${memory}-sources;;
    --add-source=*) echo "ip saddr \${word#*=}" >> ${memory}-sources;;
    --add-port=*) port=\${word#*=}; echo "\${port#*/} dport \${port%/*} accept" >> ${memory}-ports;;
    --reload)
      touch ${memory}-sources ${memory}-ports
      sources=$(sort -u ${memory}-sources | while read -r match; do echo "$match jump filter_trusted"; echo "$match accept"; done)
      ports=$(sort -u ${memory}-ports)
      nft -f - <<END
table inet firewalld
delete table inet firewalld
${table}
END
      ;;
    *) echo "usage: firewall-cmd" >&2; exit 2;;
  esac
done
`;
}

/** A person's own table, as the examples of nftables' wiki have it. */
export const OWN_TABLE = `nft -f - <<'END'
table inet filter {
  set friends { type ipv4_addr; flags interval; elements = { 198.51.100.0/24, 203.0.113.5 } }
  chain inbound {
    type filter hook input priority 0; policy drop;
    ct state vmap { established : accept, related : accept, invalid : drop }
    iif lo accept
    ip protocol icmp accept
    meta l4proto ipv6-icmp accept
    ip saddr @friends accept
    tcp dport { 22, 80, 443 } accept
    tcp dport vmap { 8080 : jump web, 9000-9099 : drop }
    limit rate 5/second log prefix "in: "
  }
  chain web { ip saddr 192.0.2.0/24 accept; }
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    ip saddr 198.51.100.0/24 ip daddr 203.0.113.0/24 tcp dport 443 accept
    iifname "wg0" oifname "eth0" accept
  }
}
END`;

/** Everything of every filter away. */
export const FLUSH = `nft flush ruleset
for iptables in iptables-legacy ip6tables-legacy; do
  names=/proc/self/net/ip_tables_names; [ $iptables = ip6tables-legacy ] && names=/proc/self/net/ip6_tables_names
  for table in $(cat $names); do
    $iptables -t $table -F; $iptables -t $table -X
  done
  grep -q filter $names && for hook in INPUT FORWARD OUTPUT; do $iptables -P $hook ACCEPT; done
done
true`;
