type Environment = Readonly<Record<string, string | undefined>>;

/** What a containerd needs of the agent's environment; the rest (tokens, sockets of systemd) is none of its business, nor of
 *  the shims it starts. As with K3s, `CONTAINERD_X` reaches it as `X`, and beats a plain `X`. */
const PASSED = /^(?:PATH|HOME|LANG|LC_\w+|TZ|TMPDIR|SSL_CERT_(?:FILE|DIR)|(?:HTTPS?|ALL|NO)_PROXY)$/i;
const PREFIX = "CONTAINERD_";
/** Says what the log shows, and is no variable of its own. */
const LOG_LEVEL = "CONTAINERD_LOG_LEVEL";
const DEFAULT_LEVEL = "info";

export function environmentFor(env: Environment): Readonly<Record<string, string>> {
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(env))
    if (value !== undefined && PASSED.test(name)) passed[name] = value;
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && name.startsWith(PREFIX) && name !== LOG_LEVEL && name !== PREFIX)
      passed[name.slice(PREFIX.length)] = value;
  }
  return passed;
}

export function logLevelOf(env: Environment): string {
  return env[LOG_LEVEL] || DEFAULT_LEVEL;
}
