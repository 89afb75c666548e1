import { readFileSync, statSync } from "node:fs";

/** Gives the bearer token of each request. A token file is read again when it changes, since projected tokens are renewed. */
export function openToken(options: {
  token?: string | undefined;
  tokenFile?: string | undefined;
}): () => string | undefined {
  const { tokenFile } = options;
  if (tokenFile === undefined) return () => options.token;
  let read: { stamp: string; token: string } | undefined;
  return () => {
    const { mtimeMs, ino } = statSync(tokenFile);
    const stamp = `${ino}.${mtimeMs}`;
    if (read?.stamp !== stamp) read = { stamp, token: readFileSync(tokenFile, "utf8").trim() };
    return read.token;
  };
}
