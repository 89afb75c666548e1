import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "#life/clock";
import { silentLog } from "#telemetry/log";
import { knownImages } from "./known-images.ts";

const condition = (isRuntimeReady: boolean) => ({ isRuntimeReady, isNetworkReady: true, messages: [] });
const image = { id: "i", names: ["a"], sizeBytes: 1, isPinned: false };

test("a runtime that refuses, hangs or is down has the images it had", async () => {
  const base = {
    clock: { ...systemClock, sleep: async () => {} },
    log: silentLog,
    signal: new AbortController().signal,
  };
  let answer: () => Promise<readonly (typeof image)[]> = async () => [image];
  let isReady = true;
  const images = knownImages({ images: () => answer(), condition: () => condition(isReady) }, base);
  assert.deepEqual(await images(), [image]);
  answer = () => Promise.reject(new Error("connection refused"));
  assert.deepEqual(await images(), [image]);
  answer = () => new Promise(() => {});
  assert.deepEqual(await images(), [image]);
  answer = async () => [];
  isReady = false;
  assert.deepEqual(await images(), [image]);
  isReady = true;
  assert.deepEqual(await images(), []);
});
