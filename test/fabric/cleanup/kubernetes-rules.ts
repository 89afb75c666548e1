/** What a K3s node has in iptables, and rules that a person may have there, as the text of `iptables-restore`. */
import type { Family } from "#addr/family";

export type Variant = "nft" | "legacy";

export function program(family: Family, variant: Variant, verb: "" | "-save" | "-restore" = ""): string {
  return `${family === 4 ? "iptables" : "ip6tables"}-${variant}${verb}`;
}

interface Facts {
  readonly cluster: string;
  readonly node: string;
  readonly pod: string;
  readonly service: string;
}

const FACTS: Readonly<Record<Family, Facts>> = {
  4: { cluster: "10.42.0.0/16", node: "10.42.0.0/24", pod: "10.42.0.5", service: "10.43.0.10" },
  6: { cluster: "fd42::/56", node: "fd42::/64", pod: "fd42::5", service: "fd43::a" },
};

const BUILT_IN = {
  filter: ["INPUT", "FORWARD", "OUTPUT"],
  nat: ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
  mangle: ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
} as const;

export type TableName = keyof typeof BUILT_IN;
export const TABLES = Object.keys(BUILT_IN) as readonly TableName[];

export function builtIn(table: TableName): readonly string[] {
  return BUILT_IN[table];
}

/** A person's rules, some of which only sound like Kubernetes. */
export function ownRules(family: Family): string {
  const { cluster, pod } = FACTS[family];
  return `*filter
:INPUT ACCEPT [7:420]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:MY-CNI-THING - [0:0]
:mine - [0:0]
:my-kube-rules - [0:0]
[5:300] -A INPUT -p tcp -m tcp --dport 22 -m comment --comment "flannel ssh, KUBE- and CNI- too" -j ACCEPT
[0:0] -A INPUT -i flannel.1 -j mine
[0:0] -A INPUT -p udp -m udp --dport 8472 -j ACCEPT
[2:80] -A FORWARD -j MY-CNI-THING
[0:0] -A FORWARD -i cni0 -j my-kube-rules
[0:0] -A mine -s ${pod} -j DROP
[0:0] -A mine -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
[0:0] -A MY-CNI-THING -g mine
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
[1:60] -A POSTROUTING -s ${cluster} -o eth9 -j MASQUERADE
[0:0] -A POSTROUTING -m mark --mark 0x9/0xf -j RETURN
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
[0:0] -A PREROUTING -p tcp -m tcp --dport 99 -j MARK --set-xmark 0x1/0xffffffff
COMMIT
`;
}

/** K3s's, put around what stands: kube-proxy, kube-router, flannel (of today and of before 0.20), portmap, the kubelet. */
export function k3sRules(family: Family): string {
  const { cluster, node, pod, service } = FACTS[family];
  const host = family === 4 ? "/32" : "/128";
  return `*filter
:FLANNEL-FWD - [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
:KUBE-NWPLCY-DEFAULT - [0:0]
:KUBE-POD-FW-G6A7BCQ2SDRXWYTM - [0:0]
:KUBE-ROUTER-FORWARD - [0:0]
:KUBE-ROUTER-INPUT - [0:0]
:CNI-FORWARD - [0:0]
-I INPUT 1 -m comment --comment "kube-router netpol - 4IA2OSFRMVNDXBVV" -j KUBE-ROUTER-INPUT
-I FORWARD 1 -m comment --comment "kube-router netpol - TEMCG2JMHZYE7H7T" -j KUBE-ROUTER-FORWARD
-I FORWARD 2 -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A FORWARD -s ${cluster} -m comment --comment "flanneld forward" -j ACCEPT
-A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD
-A INPUT -j KUBE-FIREWALL
-A FLANNEL-FWD -s ${cluster} -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-FWD -d ${cluster} -m comment --comment "flanneld forward" -j ACCEPT
-A KUBE-FIREWALL -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-NWPLCY-DEFAULT -j MARK --set-xmark 0x10000/0x10000
-A KUBE-POD-FW-G6A7BCQ2SDRXWYTM -m addrtype --src-type LOCAL -d ${pod}${host} -j ACCEPT
-A KUBE-POD-FW-G6A7BCQ2SDRXWYTM -j KUBE-NWPLCY-DEFAULT
-A KUBE-POD-FW-G6A7BCQ2SDRXWYTM -m mark ! --mark 0x10000/0x10000 -j REJECT
-A KUBE-ROUTER-FORWARD -d ${pod}${host} -j KUBE-POD-FW-G6A7BCQ2SDRXWYTM
-A KUBE-ROUTER-FORWARD -m mark --mark 0x20000/0x20000 -j ACCEPT
-A KUBE-ROUTER-INPUT -d ${service}${host} -j RETURN
COMMIT
*nat
:CNI-DN-ba5cf6c5f4c30f3e8d1ab - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:FLANNEL-POSTRTG - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SEP-3GTAHQJYZW5OTJHB - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-TCOU7JCQXEZGVUNU - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A CNI-HOSTPORT-DNAT -p tcp -m multiport --dports 80,443 -j CNI-DN-ba5cf6c5f4c30f3e8d1ab
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s ${node} -d ${cluster} -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s ${cluster} -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
-A KUBE-SEP-3GTAHQJYZW5OTJHB -s ${pod}${host} -j KUBE-MARK-MASQ
-A KUBE-SEP-3GTAHQJYZW5OTJHB -p udp -m udp -j DNAT --to-destination ${pod}
-A KUBE-SERVICES -d ${service}${host} -p udp -m udp --dport 53 -j KUBE-SVC-TCOU7JCQXEZGVUNU
-A KUBE-SVC-TCOU7JCQXEZGVUNU -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-3GTAHQJYZW5OTJHB
COMMIT
*mangle
:KUBE-IPTABLES-HINT - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
COMMIT
`;
}
