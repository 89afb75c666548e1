import { join } from "node:path";
import type { Places } from "./places.ts";
import { renderToml, type TomlTable } from "./toml.ts";
import type { ContainerdVersion } from "./version.ts";

export interface ConfigFacts {
  readonly places: Places;
  readonly version: ContainerdVersion;
  readonly snapshotter: Snapshotter;
  readonly sandboxImage: string;
  /** Where plugins and their configuration are; undefined leaves containerd's own: /opt/cni/bin and /etc/cni/net.d. */
  readonly cni: { readonly binDir: string; readonly confDir: string } | undefined;
  /** False where CAP_SYS_RESOURCE is missing: no process may then be made less likely to be killed than it was. */
  readonly mayLowerOomScore: boolean;
  readonly streamPort: number;
  /** Credentials, by registry. */
  readonly registryConfigs: TomlTable;
}

export type Snapshotter = "overlayfs" | "native";

/** Of file systems that nobody asked for: their absence would be a warning at every start. */
const UNUSED_PLUGINS = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.erofs",
  "io.containerd.snapshotter.v1.zfs",
];
const RUNC = { runtime_type: "io.containerd.runc.v2", options: { SystemdCgroup: false } } as const;
const STREAM_ADDRESS = "127.0.0.1";

/** The configuration of an instance of our own, in the version of the file that this containerd prefers. */
export function renderConfig(facts: ConfigFacts): string {
  return renderToml(isSplit(facts.version) ? splitConfig(facts) : singleConfig(facts));
}

/** Whether the CRI is two plugins with a file of version 3, as from containerd 2.0 on. */
export function isSplit({ major }: ContainerdVersion): boolean {
  return major >= 2;
}

/** 1.6 and 1.7. @see containerd docs/cri/config.md of release 1.7 */
function singleConfig(facts: ConfigFacts): TomlTable {
  const { places, version, snapshotter, cni, registryConfigs } = facts;
  return {
    ...common(facts, 2),
    plugins: {
      ...ownPlugins(places, version),
      "io.containerd.grpc.v1.cri": {
        ...streaming(facts),
        sandbox_image: facts.sandboxImage,
        ...unprivileged(facts),
        ...(cni ? { cni: { bin_dir: cni.binDir, conf_dir: cni.confDir } } : {}),
        containerd: { snapshotter, default_runtime_name: "runc", runtimes: { runc: RUNC } },
        registry: { config_path: places.certsDir, configs: registryConfigs },
      },
    },
  };
}

/** 2.0 and later. @see containerd docs/cri/config.md of release 2.0 */
function splitConfig(facts: ConfigFacts): TomlTable {
  const { places, version, snapshotter, cni, registryConfigs } = facts;
  return {
    ...common(facts, 3),
    plugins: {
      ...ownPlugins(places, version),
      "io.containerd.grpc.v1.cri": streaming(facts),
      "io.containerd.cri.v1.runtime": {
        ...unprivileged(facts),
        ...(cni ? { cni: { ...binDirs(version, cni.binDir), conf_dir: cni.confDir } } : {}),
        containerd: { default_runtime_name: "runc", runtimes: { runc: RUNC } },
      },
      "io.containerd.cri.v1.images": {
        snapshotter,
        pinned_images: { sandbox: facts.sandboxImage },
        registry: { config_path: places.certsDir, configs: registryConfigs },
      },
    },
  };
}

function common({ places }: ConfigFacts, version: 2 | 3): TomlTable {
  return {
    version,
    root: places.root,
    state: places.state,
    imports: [join(places.configDir, version === 2 ? "config.toml.d/*.toml" : "config-v3.toml.d/*.toml")],
    disabled_plugins: UNUSED_PLUGINS,
    grpc: { address: places.socket },
  };
}

/** Plugins that would use places of the whole machine, which another containerd may have. */
function ownPlugins(places: Places, { major, minor }: ContainerdVersion): TomlTable {
  const hasNri = major > 1 || minor >= 7;
  return {
    "io.containerd.internal.v1.opt": { path: join(places.root, "opt") },
    ...(hasNri ? { "io.containerd.nri.v1.nri": { disable: true } } : {}),
  };
}

function streaming({ streamPort }: ConfigFacts): TomlTable {
  return { stream_server_address: STREAM_ADDRESS, stream_server_port: String(streamPort) };
}

/** Ports below 1024 and pings for everybody in a pod, as K3s has them: CoreDNS runs as nobody. */
function unprivileged({ mayLowerOomScore }: ConfigFacts): TomlTable {
  return {
    enable_unprivileged_ports: true,
    enable_unprivileged_icmp: true,
    restrict_oom_score_adj: !mayLowerOomScore,
  };
}

function binDirs({ major, minor }: ContainerdVersion, binDir: string): TomlTable {
  const isList = major > 2 || minor >= 1;
  return isList ? { bin_dirs: [binDir] } : { bin_dir: binDir };
}
