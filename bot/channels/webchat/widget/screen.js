/** On a small screen the panel fills it: the page behind is out of reach, and the keyboard covers nothing. */

export class Screen {
  #app;
  #panel;
  #small = window.matchMedia("(max-width: 480px), (max-height: 480px)");
  #inert = false; // Whether it was us who put the page out of reach.

  /**
   * @param app see app.js
   * @param panel the chat's
   */
  constructor(app, panel) {
    this.#app = app;
    this.#panel = panel;
    const fit = () => this.fit();
    this.#small.addEventListener("change", fit);
    window.visualViewport?.addEventListener("resize", fit);
    window.visualViewport?.addEventListener("scroll", fit);
    window.addEventListener("pageshow", fit);
    window.addEventListener("pagehide", () => this.#release());
  }

  /** The panel was opened or closed, or there is more or less room. */
  fit() {
    const { page } = this.#app;
    const panel = this.#panel;
    const covers = !page && this.#small.matches && !panel.hidden;
    const { height, offsetTop, scale } = window.visualViewport ?? {};
    const squeezed = (covers || page) && height && scale === 1 && height < window.innerHeight - 1;
    panel.style.height = squeezed ? `${height}px` : "";
    panel.style.insetBlockStart = squeezed && covers ? `${offsetTop}px` : "";
    if (!page) panel.setAttribute("aria-modal", String(covers));
    if (!covers) this.#release();
    else if (!document.body.inert) {
      document.body.inert = true;
      this.#inert = true;
    }
  }

  #release() {
    if (this.#inert) document.body.inert = false;
    this.#inert = false;
  }
}
