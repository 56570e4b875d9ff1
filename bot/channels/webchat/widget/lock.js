/** One tab at a time. */

import { newId } from "./dom.js";
import { recall, remember } from "./storage.js";

const HELD_MS = 10_000; // A tab that was closed meanwhile holds it no longer.
const SETTLE_MS = 30;
const AGAIN_MS = 50;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * Run a task while no other tab of this website runs one of the same name.
 *
 * Web Locks exist on secure pages only, and not where storage is forbidden; else a mark in `localStorage` stands in.
 *
 * @param name of the lock
 * @param task a function, which may be async
 * @returns what the task gives
 */
export async function alone(name, task) {
  let begun = false;
  try {
    const run = () => ((begun = true), task());
    if (navigator.locks) return await navigator.locks.request(name, run);
  } catch (error) {
    if (begun) throw error;
  }
  const me = newId();
  for (;;) {
    const held = recall("localStorage", name);
    if (!held || held.until < Date.now()) {
      remember("localStorage", name, { me, until: Date.now() + HELD_MS });
      await pause(SETTLE_MS);
      if ((recall("localStorage", name)?.me ?? me) === me) break;
    }
    await pause(AGAIN_MS);
  }
  try {
    return await task();
  } finally {
    remember("localStorage", name, null);
  }
}
