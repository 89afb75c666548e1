/** `start-and-wait.ts NETNS SOCKETS LOGS`: makes a device there, says so, and waits to be killed. */
import { openKernel } from "../../open.ts";

const [netns = "", sockets = "", logs = ""] = process.argv.slice(2);
const host = openKernel();
const ns = host.openNetns(netns);
const { wireguard } = host.inNetns(ns, () => openKernel({ wireguard: { sockets, logs } }));
wireguard.start("flannel-wg");
wireguard.configure("flannel-wg", { listenPort: 51820 });
process.stdout.write("started\n");
process.stdin.resume();
