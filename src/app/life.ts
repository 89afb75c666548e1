import type { Logger } from "#telemetry/log";

/** What every long-running part is given. */
export interface Life {
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Where the bundles of the images Twill carries are, or will be made. */
  readonly imagesDir: string;
  /** Where Twill's own files are, and the Node that runs it. */
  readonly program: { readonly root: string; readonly node: string };
}

/** A node's own password: outside the data directory, so that it survives a reinstallation. */
export const PASSWORD_FILE = "/etc/rancher/node/password";
