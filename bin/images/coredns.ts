import { runCoredns } from "#dns/main";
import { runImage } from "#node/runtime/process/images/preamble";
import { openLog } from "#telemetry/log";

const log = openLog({ write: (line) => process.stdout.write(line), level: "info" });
runImage((argv, { signal }) => runCoredns(argv, { signal, env: process.env, log }));
