/** The contributor's one command: types, format and lint, then tests from cheapest to dearest, stopping at the first that fails.
 *  `node scripts/check.ts` needs no root; `--root` adds the real kernel, `--all` a whole cluster too. */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const wants = new Set(process.argv.slice(2));
const isRoot = wants.has("--root") || wants.has("--all");

interface Step {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

const PLACES = ["src/**/*.test.ts", "test/**/*.test.ts"];
const tests = globSync(PLACES, { cwd: root }).sort();
const needsRoot = (file: string) => file.endsWith(".root.test.ts");
const isCluster = (file: string) => file.startsWith("test/lab/");
/** Tests of one file share a process; files that make namespaces or measure waiting run one after the other. */
const nodeTest = (name: string, files: readonly string[], concurrency: number): Step => ({
  name,
  command: process.execPath,
  args: ["--test", `--test-concurrency=${concurrency}`, "--test-timeout=300000", ...files],
});

/** What tests that were killed have left; tests themselves remove what is theirs. */
const sweep: Step = {
  name: "remove what killed runs left",
  command: process.execPath,
  args: ["test/sweep.ts"],
};
const fast = tests.filter((file) => !needsRoot(file));
const onKernel = tests.filter((file) => needsRoot(file) && !isCluster(file));
const onCluster = tests.filter((file) => needsRoot(file) && isCluster(file));

const steps: readonly Step[] = [
  { name: "types", command: process.execPath, args: ["node_modules/typescript/bin/tsc", "-p", "."] },
  {
    name: "format and lint",
    command: "node_modules/.bin/biome",
    args: ["check", "--error-on-warnings", "."],
  },
  nodeTest("tests without root", fast, 2),
  ...(isRoot ? [sweep, nodeTest("tests on the real kernel", onKernel, 1)] : []),
  ...(wants.has("--all") ? [nodeTest("tests on a whole cluster", onCluster, 1)] : []),
];

if (isRoot && process.getuid?.() !== 0) {
  process.stderr.write(
    "Cannot test the real kernel without root; run it with sudo, or npm run check for the rest\n",
  );
  process.exit(1);
}
for (const step of steps) {
  const began = performance.now();
  process.stdout.write(`--- ${step.name}\n`);
  const { status, signal } = spawnSync(step.command, step.args, { cwd: root, stdio: "inherit" });
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  if (status !== 0) {
    process.stdout.write(`--- ${step.name}: failed after ${seconds} s${signal ? ` (${signal})` : ""}\n`);
    process.exit(1);
  }
  process.stdout.write(`--- ${step.name}: good, ${seconds} s\n`);
}
