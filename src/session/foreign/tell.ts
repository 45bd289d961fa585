/** How stores of other people's middleware answer: by a callback, or, where none was given, by a promise. */
import { AsyncResource } from "node:async_hooks";
import type { FlotillaError } from "../../support/errors.ts";

// biome-ignore lint/suspicious/noExplicitAny: the types of several libraries, which are not those of each other.
export type Callback = (error?: any, value?: any) => void;
export type Done<Value> = (error: FlotillaError | null, value?: Value) => void;

/**
 * Always in a later turn and in the caller's context: the store calls back in one of its own (A50), and what a handler throws there
 * would end the connection over which the session came.
 */
export function answer<Value>(
  callback: Callback | undefined,
  run: (done: Done<Value>) => void,
): Promise<Value> | undefined {
  if (typeof callback !== "function") {
    const promise = promised(run);
    // To destroy without looking is common; nobody listening must not end the process.
    promise.catch(() => {});
    return promise;
  }
  const bound = AsyncResource.bind(callback);
  try {
    run((error, value) => process.nextTick(bound, error, value));
  } catch (thrown) {
    // As of an id that is no text: whoever gave a callback looks nowhere else.
    process.nextTick(bound, thrown);
  }
  return undefined;
}

export function promised<Value>(run: (done: Done<Value>) => void): Promise<Value> {
  return new Promise((resolve, reject) => {
    run((error, value) => (error === null ? resolve(value as Value) : reject(error)));
  });
}
