import type { Plugin, PluginHost } from "../../plugin.ts";
import { parseReload, type ReloadConfig } from "./config.ts";

/** Looks now and then whether the Corefile has changed, and takes over the new one. */
export const reload: Plugin = {
  name: "reload",
  configure([directive]) {
    const config = parseReload(directive);
    return (host) => {
      void watchCorefile(host, config);
      return {};
    };
  },
};

async function watchCorefile(host: PluginHost, { everyMs, jitterMs }: ReloadConfig): Promise<void> {
  const { clock, signal, random } = host;
  while (!signal.aborted) {
    const waitMs = everyMs + (2 * random() - 1) * jitterMs;
    await clock.sleep(waitMs, { signal }).catch(() => {});
    if (!signal.aborted) await host.checkCorefile();
  }
}
