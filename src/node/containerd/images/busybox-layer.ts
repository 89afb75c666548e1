import { execFile } from "node:child_process";
import { open } from "node:fs/promises";
import { promisify } from "node:util";
import { program, withFolders } from "./node-layer.ts";
import type { Layer } from "./oci-archive.ts";
import type { TarEntry } from "./tar.ts";

/** Where Debian's `busybox-static` and others put it. */
const PLACES = ["/bin/busybox", "/usr/bin/busybox", "/bin/busybox.static"] as const;
const PROGRAM_HEADERS_AT = 32;
const PROGRAM_HEADER_SIZE_AT = 54;
const PT_INTERP = 3;

export interface Busybox {
  readonly path: string;
  /** `1.35.0` */
  readonly version: string;
}

/** A busybox of this machine that runs without any other file; undefined where none is installed. */
export async function findBusybox(places: readonly string[] = PLACES): Promise<Busybox | undefined> {
  for (const path of places) {
    if (!(await isStatic(path))) continue;
    const { stdout } = await promisify(execFile)(path, ["--help"], { timeout: 10_000 });
    const version = /BusyBox v(\d+(?:\.\d+)*)/.exec(stdout)?.[1];
    if (version !== undefined) return { path, version };
  }
  return undefined;
}

/** `/bin/sh` and the other small programs. */
export async function busyboxLayer({ path }: Busybox): Promise<Layer> {
  const { stdout } = await promisify(execFile)(path, ["--list"], { timeout: 10_000 });
  const names = stdout.split("\n").filter((name) => /^[\w.[-]+$/.test(name) && name !== "busybox");
  return withFolders([
    program("/bin/busybox", path),
    ...names.map((name): TarEntry => ({ kind: "link", path: `bin/${name}`, to: "busybox" })),
  ]);
}

/** Whether it is an ELF executable that names no loader. @see elf(5) */
async function isStatic(path: string): Promise<boolean> {
  try {
    await using file = await open(path, "r");
    const { buffer } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
    if (buffer.toString("latin1", 0, 4) !== "\x7fELF") return false;
    const at = Number(buffer.readBigUInt64LE(PROGRAM_HEADERS_AT));
    const size = buffer.readUInt16LE(PROGRAM_HEADER_SIZE_AT);
    const count = buffer.readUInt16LE(PROGRAM_HEADER_SIZE_AT + 2);
    const types = Array.from({ length: count }, (_, i) => buffer.readUInt32LE(at + i * size));
    return !types.includes(PT_INTERP);
  } catch {
    return false; // Not there, or nothing that could be run.
  }
}
