/** The house as data: each room and what it may import, lowest first. `design` of the imports, read by architecture.test.ts. */
const VALUES = ["addr", "fault", "disk", "life", "telemetry", "wire"];
const PLANE = [...VALUES, "kernel", "kube", "reconcile"];
const SERVER = [...VALUES, "kube", "reconcile"];

export const ROOMS: Readonly<Record<string, readonly string[]>> = {
  addr: [],
  fault: [],
  disk: [],
  life: ["fault"],
  telemetry: ["life"],
  wire: ["addr", "fault"],
  kernel: VALUES,
  kube: VALUES,
  reconcile: ["fault", "life", "telemetry"],
  fabric: PLANE,
  cni: PLANE,
  service: PLANE,
  dns: SERVER,
  store: SERVER,
  apiserver: [...SERVER, "store"],
  controllers: SERVER,
  node: [...PLANE, "cni", "dns"],
  cloud: [...SERVER],
  addons: [...SERVER],
  join: [...SERVER],
  lab: [...PLANE, "node", "addons", "join"],
  app: [
    ...PLANE,
    ...[
      "fabric",
      "cni",
      "service",
      "dns",
      "store",
      "apiserver",
      "controllers",
      "node",
      "cloud",
      "addons",
      "join",
      "lab",
    ],
  ],
};

/** koffi is opened here and nowhere else. */
export const FFI_FOLDER = "src/kernel/ffi/";
export const LONGEST_FILE_LINES = 400;
