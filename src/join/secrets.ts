import { existsSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "#fault/fault";
import { randomSecret } from "./authority.ts";
import { readIfThere, writeFileAtomic } from "./file.ts";
import { formatToken, parseToken } from "./token.ts";

/** The passwords nodes join with. */
export interface ClusterSecrets {
  readonly server: string;
  readonly node: string;
}

/** Settles the cluster's tokens and writes them where K3s does: `token` (0600), `node-token` beside it, `agent-token`.
 *  What was chosen first stays: another `--token` for a standing cluster is refused. @throws {Fault} BadToken */
export function settleSecrets(
  dir: string,
  caPem: string,
  options: { token: string | undefined; agentToken: string | undefined },
): ClusterSecrets {
  const standing = passwordIn(readIfThere(join(dir, "token")));
  const wanted = passwordIn(options.token);
  if (standing !== undefined && wanted !== undefined && standing !== wanted) {
    throw new Fault(
      "BadToken",
      `Cannot use --token: this cluster was made with another one, kept in ${join(dir, "token")}. Leave --token out, or use that one`,
    );
  }
  const server = wanted ?? standing ?? randomSecret();
  const node = passwordIn(options.agentToken) ?? server;
  writeFileAtomic(join(dir, "token"), `${formatToken(caPem, "server", server)}\n`, 0o600);
  link("token", join(dir, "node-token"));
  if (node === server) link("token", join(dir, "agent-token"));
  else writeFileAtomic(join(dir, "agent-token"), `${formatToken(caPem, "node", node)}\n`, 0o600);
  return { server, node };
}

function passwordIn(text: string | undefined): string | undefined {
  if (text === undefined || text.trim() === "") return undefined;
  const token = parseToken(text);
  if (token.kind === "password") return token.password;
  throw new Fault(
    "BadToken",
    "Cannot use --token: a bootstrap token (id.secret) joins nodes, it cannot be a server's own token",
  );
}

function link(target: string, path: string): void {
  rmSync(path, { force: true });
  if (!existsSync(path)) symlinkSync(target, path);
}
