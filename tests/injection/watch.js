// Runs before any script of a page, in every frame: notes what a hostile text did, and tells how the page looks.

(() => {
  const found = [];
  const note = (what) => (found.length < 1000 ? found.push(what) : 0);
  const canary = (...given) => note(`ran: pwn(${given.map(String).join().slice(0, 80)})`);
  Object.defineProperty(globalThis, "pwn", { get: () => canary, set: () => note("ran: pwn was set"), configurable: false });
  for (const name of ["alert", "confirm", "prompt", "print"]) globalThis[name] = () => note(`dialog: ${name}`);
  document.addEventListener("securitypolicyviolation", (event) =>
    note(`policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`),
  );

  const LINKS = ["href", "src", "action", "formaction", "xlink:href", "data", "poster", "srcset", "background", "ping"];
  const FOREIGN = "iframe, object, embed, base, applet, frame, frameset, portal, marquee, plaintext, xmp, noembed";
  const SAFE = /^(https?:|mailto:|tel:|blob:|data:image\/(png|jpeg|gif|webp)[;,])/i;

  function leads(value) {
    try {
      return SAFE.test(new URL(value, "https://here.example/"));
    } catch {
      return /^(https?|mailto|tel):/.test(value); // An address no browser can follow.
    }
  }

  const TAKEN = /^(Refill|document|cookie|getElementById|body|firstChild|config|htmx|csrf|attributes|currentScript|customElements|localStorage)$/;

  function* elements(root) {
    for (const one of root.querySelectorAll("*")) {
      yield one;
      if (one.shadowRoot) yield* elements(one.shadowRoot);
    }
  }

  function brief(one, name) {
    return `<${one.localName} ${name}=${JSON.stringify((one.getAttribute(name) ?? "").slice(0, 60))}>`;
  }

  // What stands in the page that no template and no cleaned text puts there.
  function strange(root = document) {
    const wrong = [];
    for (const one of elements(root)) {
      if (one.matches(FOREIGN)) wrong.push(`<${one.localName}>`);
      if (one.matches("script:not([src]), style") && /pwn/i.test(one.textContent)) wrong.push(`<${one.localName}>`);
      if (one.matches("meta[http-equiv=refresh]")) wrong.push("<meta refresh>");
      for (const { name, value } of one.attributes) {
        const address = LINKS.includes(name);
        const ours = name.startsWith("hx-") || ["id", "name", "style", "target"].includes(name);
        const loads = address && !one.matches("a, area");
        if (/^on/i.test(name) || /pwn/i.test(name) || name === "srcdoc") wrong.push(brief(one, name));
        else if (["id", "name"].includes(name) && TAKEN.test(value) && !one.matches("input[type=hidden]")) wrong.push(brief(one, name));
        else if (address && !leads(value)) wrong.push(brief(one, name));
        else if (/pwn/i.test(value) && (ours || loads) && !one.matches("input, textarea, option")) wrong.push(brief(one, name));
      }
    }
    return wrong;
  }

  // Every kind of element and attribute in the page.
  function kinds(root = document) {
    const all = new Set();
    for (const one of elements(root)) {
      all.add(one.localName);
      for (const { name } of one.attributes) all.add(`${one.localName} ${name}`);
    }
    return [...all];
  }

  const clips = (one) => getComputedStyle(one).overflowX !== "visible";

  // What sticks out of the box it belongs to, to the left or right; what scrolls within itself does not.
  function outside(box) {
    const wrong = [];
    if (box.clientWidth < 2) return wrong; // Only read out.
    const { left, right } = box.getBoundingClientRect();
    if (box.scrollWidth > box.clientWidth + 1 && clips(box)) wrong.push(`.${box.className} is wider than it shows`);
    for (const one of elements(box)) {
      const rect = one.getBoundingClientRect();
      if (!one.checkVisibility() || !rect.width || (rect.left >= left - 1 && rect.right <= right + 1)) continue;
      let inside = one.parentElement;
      while (inside && inside !== box && !clips(inside)) inside = inside.parentElement;
      if (inside === box && (!clips(box) || rect.left < left - 1)) wrong.push(`${one.localName}.${one.className} sticks out`);
      if (inside && inside !== box && inside.matches(".bubble, p, li")) wrong.push(`${inside.className} hides a part`);
    }
    return [...new Set(wrong)];
  }

  const TURNS = /[\u202a-\u202e\u2066-\u2069]/;

  const blockOf = (one) => {
    while (one.parentElement && getComputedStyle(one).display === "inline") one = one.parentElement;
    return one;
  };

  const ISOLATES = ["isolate", "isolate-override", "plaintext"];

  // Whether what a text turns round goes on to another one behind it.
  function reaches(text, other, block) {
    if (blockOf(other.parentElement) !== block || /flex|grid/.test(getComputedStyle(block).display)) return false;
    for (let one = text.parentElement; one !== block && !one.contains(other); one = one.parentElement)
      if (ISOLATES.includes(getComputedStyle(one).unicodeBidi)) return false;
    return true;
  }

  // Texts that turn round the words after them: their line is shared, and nothing keeps them apart.
  function turned(root = document.body) {
    const wrong = [];
    const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let text = walk.nextNode(); text; text = walk.nextNode()) {
      if (!TURNS.test(text.data) || text.parentElement?.closest("script, style, title, option, textarea")) continue;
      const block = blockOf(text.parentElement);
      const after = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
      after.currentNode = text;
      let other = after.nextNode();
      while (other && !other.data.trim()) other = after.nextNode();
      if (other && reaches(text, other, block))
        wrong.push(`<${text.parentElement.localName}> turns ${other.data.trim().slice(0, 30)}`);
    }
    for (const one of root.querySelectorAll("*")) if (one.shadowRoot) wrong.push(...turned(one.shadowRoot));
    return [...new Set(wrong)];
  }

  // Where the parts of the page stand: left edge and width of each, by selector.
  function places(selectors, root = document) {
    return selectors.map((selector) => {
      const rect = root.querySelector(selector)?.getBoundingClientRect();
      return rect ? `${selector} ${Math.round(rect.left)} ${Math.round(rect.width)}` : `${selector} is not there`;
    });
  }

  const sideways = () => Math.max(0, document.scrollingElement.scrollWidth - innerWidth);

  Object.defineProperty(globalThis, "watch", { value: { found, strange, kinds, outside, turned, places, sideways } });
})();
