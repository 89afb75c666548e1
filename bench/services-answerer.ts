/** Accepts connections in each namespace named, and closes them: `node services-answerer.ts PORT NETNS...`. Says `ready`. */
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { parseIp } from "#addr/ip";
import { CLAIMS } from "#kernel/claims";
import { openListeningSocket } from "#kernel/listening-socket";
import { inNetns, openNetns } from "#kernel/netns";

const [, , port = "", ...names] = process.argv;
for (const name of names) {
  using ns = openNetns(join(CLAIMS.netnsDir, name));
  let fd = -1;
  inNetns(ns, () => {
    fd = openListeningSocket(parseIp("0.0.0.0"), Number(port)).disown();
  });
  const server = createServer((socket) => socket.on("error", () => {}).destroy());
  server.listen({ fd });
  await once(server, "listening");
}
process.stdout.write("ready\n");
process.stdin.resume().once("end", () => process.exit());
