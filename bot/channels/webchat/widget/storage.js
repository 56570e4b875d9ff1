/** What the browser remembers. Where storage is forbidden or full, things last as long as the page. */

const memory = new Map();

/** The value kept under a key of `localStorage` or `sessionStorage`, or null. */
export function recall(storage, key) {
  if (memory.has(key)) return memory.get(key);
  try {
    return JSON.parse(window[storage].getItem(key));
  } catch {
    return null;
  }
}

/** Remember a value; null forgets it. */
export function remember(storage, key, value) {
  memory.delete(key);
  try {
    if (value === null) window[storage].removeItem(key);
    else window[storage].setItem(key, JSON.stringify(value));
  } catch {
    memory.set(key, value);
  }
}
