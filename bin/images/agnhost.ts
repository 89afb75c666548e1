import { runAgnhost } from "#node/runtime/process/images/agnhost/main";
import { runImage } from "#node/runtime/process/images/preamble";

runImage(runAgnhost);
