/** Makes the checked file unchangeable, Maps included (Object.freeze alone leaves their entries open). */

export function freezeDeep<T>(value: T): T {
  // The secrets are Buffers, and views of bytes cannot be frozen.
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value))
    return value;
  if (value instanceof Map) {
    for (const entry of value.values()) freezeDeep(entry);
    for (const method of ["set", "delete", "clear"]) Object.defineProperty(value, method, { value: refuse });
  }
  Object.freeze(value);
  for (const part of Object.values(value)) freezeDeep(part);
  return value;
}

function refuse(): never {
  throw new TypeError("the configuration is frozen");
}
