import { down as runDown } from "#lab/down";
import { up as runUp } from "#lab/up";
import { systemClock } from "#life/clock";
import type { Command } from "./command.ts";
import { DEFAULT_LAB } from "./kubeconfig-of.ts";
import { readLabFlags, readName } from "./lab-flags.ts";
import { takeOwnFlags } from "./own-flags.ts";

export const up: Command = {
  summary: "make a cluster on this machine, out of network namespaces",
  help: `Usage: ./twill up [flags] [flags of twill server]

  --nodes N                 how many nodes: one server, the others agents (default: 1)
  --name NAME               which lab; several can stand side by side (default: ${DEFAULT_LAB})
  --demo                    apply the manifests in demo/ and show them working
  --api-port PORT           loopback port of the API on this machine (default: the first free one from 6443 on)
  --page-port PORT          loopback port of the demo's page (default: the first free one from 8080 on)
  --runtime containerd      give every node a containerd of its own (default: pods are processes)
  --write-kubeconfig FILE   where the kubeconfig for this machine goes (default: in the lab's own folder)

Every other flag is one of twill server, such as --cluster-cidr; see twill server --help. Agents get those that they take too,
such as --debug, except those about one node, such as --node-label.

A lab that stands is not made again: what has ended in it is started. With another --flannel-backend or --flannel-conf its nodes are
started again with that, one after the other, under its pods; with another --disable its server is, and with servicelb
back again all of them.
`,
  async run(argv, { write, writeError, program, signal }) {
    const { flags, problems, warnings } = readLabFlags(argv);
    for (const warning of warnings) writeError(`Warning: ${warning}\n`);
    if (problems.length > 0) {
      writeError(`Cannot make a lab:\n${problems.map((problem) => `  ${problem}\n`).join("")}`);
      return 2;
    }
    await runUp({ ...flags, program, write, clock: systemClock, signal });
    return 0;
  },
};

export const down: Command = {
  summary: "remove such a cluster, whatever state it is in",
  help: `Usage: ./twill down [--name NAME]\n`,
  async run(argv, { write, writeError, signal }) {
    const own = takeOwnFlags(argv, ["name"], []);
    const problems = [...own.problems, ...own.rest.map((word) => `${word} is not a flag of down`)];
    const name = readName(own.values.get("name"), problems);
    if (problems.length > 0) {
      writeError(`Cannot remove a lab:\n${problems.map((problem) => `  ${problem}\n`).join("")}`);
      return 2;
    }
    await runDown({ name, write, clock: systemClock, signal });
    return 0;
  },
};
