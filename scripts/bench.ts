/** `npm run bench [NAME...]`: figures, each beside a peer's in the same run where there is one. Never part of the tests. */
const BENCHES: Readonly<Record<string, () => Promise<unknown>>> = {
  up: async () => (await import("../bench/up.ts")).benchUp(),
  "pod-setup": async () => (await import("../bench/pod-setup.ts")).benchPodSetup(),
  pods: async () => (await import("../bench/pods.ts")).benchPods(),
  fabric: async () => (await import("../bench/fabric.ts")).benchFabric(),
  services: async () => (await import("../bench/services.ts")).benchServices(),
  dns: async () => (await import("../bench/dns.ts")).benchDns(),
  api: async () => (await import("../bench/api.ts")).benchApi(),
  scheduler: async () => (await import("../bench/scheduler.ts")).benchScheduler(),
  workloads: async () => (await import("../bench/workloads.ts")).benchWorkloads(),
  idle: async () => (await import("../bench/idle.ts")).benchIdle(),
};

const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in BENCHES));
if (unknown.length > 0) {
  process.stderr.write(
    `There is no bench ${unknown.join(", ")}; there is: ${Object.keys(BENCHES).join(", ")}\n`,
  );
  process.exit(2);
}
for (const name of names.length > 0 ? names : Object.keys(BENCHES)) {
  process.stdout.write(`--- ${name}\n`);
  await BENCHES[name]?.();
}
