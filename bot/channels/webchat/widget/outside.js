/** Call a function at a press outside of some elements, on the page or within the chat. Gives what ends it. */
export function outside(elements, act) {
  const control = new AbortController();
  const pressed = (event) => elements.some((one) => event.composedPath().includes(one)) || act();
  document.addEventListener("pointerdown", pressed, { signal: control.signal, capture: true });
  return () => control.abort();
}
