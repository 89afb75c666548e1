import { openLog } from "#telemetry/log";
import { readProxyAlone } from "../config/read-proxy-alone.ts";
import type { Command } from "./command.ts";

const BAD_USAGE = 2;
/** From here on klog tells what somebody looking for a mistake wants to know. */
const DEBUG_FROM = 4;

export const proxy: Command = {
  summary: "route services alone, on any cluster, in kube-proxy's place: proxy --kubeconfig FILE",
  help: `Usage: twill proxy [flags]

Takes the flags of kube-proxy (one dash or two); what has no effect here is told, and what cannot be honoured is refused.

  --kubeconfig FILE               how to reach the cluster (default: the service account of the pod this runs in)
  --master URL                    the API server, in place of the kubeconfig's
  --hostname-override NODE        the Node this machine is (default: the host name)
  --cluster-cidr CIDRS            addresses of pods; others are masqueraded on their way to a ClusterIP
  --detect-local-mode MODE        ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix: how a pod is known
  --pod-bridge-interface NAME     for BridgeInterface
  --pod-interface-name-prefix P   for InterfaceNamePrefix
  --masquerade-all                masquerade every connection to a ClusterIP
  --nodeport-addresses CIDRS      addresses that answer on node ports, or the word primary (default: all)
  --iptables-localhost-nodeports  whether 127.0.0.1 does too (default: true)
  --healthz-bind-address IP:PORT  (default: 0.0.0.0:10256)
  --metrics-bind-address IP:PORT  (default: 127.0.0.1:10249)
  --bind-address-hard-fail        end when one of these cannot be had
  --conntrack-...                 as kube-proxy's
  --v N                           4 or more: log plans and requests
  --cleanup                       take away what an earlier run left, and end
Not kube-proxy's:
  --service-cidr CIDRS            where ClusterIPs come from, where the API has no ServiceCIDR objects (before 1.33)
  --status-socket PATH            where twill service asks (default: /run/twill/service.sock)

It needs the role system:node-proxier, and in a container on the host's network NET_ADMIN. What it made stays when it ends.
End the cluster's own kube-proxy first.
`,
  run: async (argv, context) => {
    const reading = readProxyAlone(argv);
    for (const warning of reading.warnings) context.writeError(`Warning: ${warning}\n`);
    if (reading.kind === "bad") {
      context.writeError(`Cannot start:\n${reading.problems.map((problem) => `  ${problem}\n`).join("")}`);
      return BAD_USAGE;
    }
    if (process.getuid?.() !== 0) {
      context.writeError(
        "Cannot start: routing services is done in the kernel, which needs root; run it with sudo\n",
      );
      return 1;
    }
    const { config } = reading;
    const level = config.args.verbosity >= DEBUG_FROM ? "debug" : "info";
    const log = openLog({ write: context.writeError, level });
    const { runProxyAlone } = await import("../proxy-alone.ts");
    await runProxyAlone(config, { log, signal: context.signal });
    return 0;
  },
};
