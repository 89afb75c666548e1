import { klipperLb } from "#node/runtime/process/images/klipper-lb/main";
import { runImage } from "#node/runtime/process/images/preamble";

runImage(klipperLb);
