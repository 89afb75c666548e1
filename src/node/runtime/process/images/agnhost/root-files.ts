import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { IMAGES_FOLDER } from "../preamble.ts";

/** What the image has in its root: a certificate for `localhost` that signs itself, with its key. Test material that everybody can read here;
 *  nothing may ever trust it. */
const ROOT_FILES: Readonly<Record<string, string>> = {
  "localhost.crt": `-----BEGIN CERTIFICATE-----
MIIBlDCCATugAwIBAgIUaxbdJKzP6yS5mQnKXYe5uNIZBMEwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjEyMzYxMloYDzIxMjYxMDI5
MTIzNjEyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASGm5iqA8LUxChfQbUhpQAvBk5c019WTl3Xvkx5pD4W8cbE3VWJeGfU
KEHzZqknbmOTtPFfAlAgTqrL5nwCD38wo2kwZzAdBgNVHQ4EFgQUaLzMnEeEVNQ+
XMJxUYbd0qGveCIwHwYDVR0jBBgwFoAUaLzMnEeEVNQ+XMJxUYbd0qGveCIwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
RwAwRAIgbQqsuSPMZM1ru/74t7Y4lKve3+kf4HZxCYBQtwO0/T0CIGWLQwpQ6Qyt
cW/bAYtrMJKe4gaic/PRxjGRj8FhHIOc
-----END CERTIFICATE-----
`,
  "localhost.key": `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgx7Id8tvXkYOd+xg7
1W4ef++rPGwATNNw79G9Xw8c39yhRANCAASGm5iqA8LUxChfQbUhpQAvBk5c019W
Tl3Xvkx5pD4W8cbE3VWJeGfUKEHzZqknbmOTtPFfAlAgTqrL5nwCD38w
-----END PRIVATE KEY-----
`,
};

/** Leaves `/localhost.crt`, as the image has it, in the root of a container; readiness is asked for there. Nothing happens outside of one, or
 *  where the root cannot be written. */
export function leaveRootFiles(): void {
  if (!existsSync(IMAGES_FOLDER)) return;
  try {
    writeFileSync("/localhost.crt", ROOT_FILES["localhost.crt"] ?? "", { flag: "wx" });
  } catch {
    // There already, or a root that is read-only: then nothing is served there.
  }
}

/** The content of a file, which may be one of those in the image's root. @throws the system's error for any other that is not there */
export function readRootFile(path: string): Buffer {
  const known = existsSync(path) ? undefined : ROOT_FILES[path];
  return known === undefined ? readFileSync(path) : Buffer.from(known);
}
