/** `--kube-apiserver-arg=NAME=VALUE`: the arguments of kube-apiserver that mean something here; every other is refused by its name. */
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseAuditPolicy } from "#apiserver/audit/parse-policy";
import type { AuditPolicy } from "#apiserver/audit/policy";
import type { AuditFileOptions } from "#apiserver/audit/sink";
import { ComponentArgs } from "./component-args.ts";
import type { ValueReader } from "./value-reader.ts";

const FLAG = "kube-apiserver-arg";

/** How the API differs from what it is by default. */
export interface ApiServerArgs {
  /** Undefined: for health and the version only. */
  readonly anonymous: "anybody" | "nobody" | undefined;
  readonly audit: AuditArgs | undefined;
  readonly tokens: {
    readonly issuer: string | undefined;
    readonly audiences: readonly string[];
    readonly maxExpirationSeconds: number | undefined;
    readonly extendsExpiration: boolean;
    /** PEM: keys whose tokens are good beside the one that signs. */
    readonly publicKeys: readonly string[];
  };
}

export interface AuditArgs {
  readonly policy: AuditPolicy;
  /** Undefined for standard output. */
  readonly file: AuditFileOptions | undefined;
}

const LEAST_TOKEN_SECONDS = 3600;
const MOST_TOKEN_SECONDS = 2 ** 32;

export function readApiServerArgs(reader: ValueReader): ApiServerArgs {
  const args = new ComponentArgs(reader, FLAG);
  const anonymous = args.flag("anonymous-auth");
  args.check("authorization-mode", checkMode);
  const read: ApiServerArgs = {
    anonymous: anonymous === undefined ? undefined : anonymous ? "anybody" : "nobody",
    audit: readAudit(args),
    tokens: {
      issuer: args.text("service-account-issuer"),
      audiences: (args.text("api-audiences") ?? "").split(",").filter((audience) => audience !== ""),
      maxExpirationSeconds: args.parse("service-account-max-token-expiration", parseTokenLife),
      extendsExpiration: args.flag("service-account-extend-token-expiration") ?? true,
      publicKeys: args.all("service-account-key-file", readPublicKeys).flat(),
    },
  };
  args.refuseOthers();
  return read;
}

function readAudit(args: ComponentArgs): AuditArgs | undefined {
  args.check("audit-log-format", (text) => {
    if (text !== "json") throw new Error(`${JSON.stringify(text)} is not a format; there is json`);
  });
  const policy = args.parse("audit-policy-file", (path) => parseAuditPolicy(readFileSync(path, "utf8")));
  const path = args.text("audit-log-path");
  const limits = {
    maxAgeDays: args.parse("audit-log-maxage", parseCount) ?? 0,
    maxBackups: args.parse("audit-log-maxbackup", parseCount) ?? 0,
    maxSizeMb: args.parse("audit-log-maxsize", parseCount) ?? 0,
  };
  if (policy === undefined || path === undefined) return undefined;
  return { policy, file: path === "-" ? undefined : { path: resolve(path), ...limits } };
}

function checkMode(text: string): void {
  const modes = text.split(",");
  if (modes.length !== 2 || !modes.includes("Node") || !modes.includes("RBAC"))
    throw new Error(`${JSON.stringify(text)} is not what Twill does, which is Node,RBAC`);
}

function parseCount(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new Error(`${JSON.stringify(text)} is not a whole number`);
  return Number(text);
}

const SECONDS: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1 };

/** A duration as Go writes it: `24h`, `1h30m`. */
function parseTokenLife(text: string): number {
  if (!/^(?:\d+[hms])+$/.test(text)) throw new Error(`${JSON.stringify(text)} is not a duration such as 24h`);
  const parts = [...text.matchAll(/(\d+)([hms])/g)];
  const seconds = parts.reduce((sum, [, count, unit = ""]) => sum + Number(count) * (SECONDS[unit] ?? 0), 0);
  if (seconds < LEAST_TOKEN_SECONDS || seconds > MOST_TOKEN_SECONDS)
    throw new Error(`${text} is not between 1h and 2^32 seconds`);
  return seconds;
}

const PEM_BLOCK = /-----BEGIN ([^-]+)-----[\s\S]+?-----END \1-----/g;

/** The public halves of a file's keys, whichever halves it has. */
function readPublicKeys(path: string): readonly string[] {
  const blocks = readFileSync(path, "utf8").match(PEM_BLOCK) ?? [];
  if (blocks.length === 0) throw new Error(`${path} holds no key in PEM form`);
  return blocks.map((pem) => createPublicKey(pem).export({ type: "spki", format: "pem" }).toString());
}
