/** @throws {Error} what is not the address of an API */
export function parseServerUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "https:")
    throw new Error(`${JSON.stringify(text)} is not an address such as https://192.0.2.1:6443`);
  return url.origin;
}
