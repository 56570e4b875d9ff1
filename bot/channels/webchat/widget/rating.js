/** The card on which help is rated: every choice is sent at once, the comment with its button. */

import { h } from "./dom.js";

const SCORES = [1, 2, 3, 4, 5];

function scores(name, number, question, labels, hiddenQuestion) {
  const choice = (value) => {
    const label = labels[value - 1];
    const input = h("input", { type: "radio", name: `${name}-${number}`, value });
    const spoken = h("span", { class: "hidden", text: ` ${label}` });
    return h("label", { title: label }, input, h("span", {}, String(value), spoken));
  };
  return h(
    "fieldset",
    { "data-scores": name, hidden: name === "effort" },
    h("legend", { class: hiddenQuestion ? "hidden" : null, text: question }),
    h("div", { class: "scores" }, SCORES.map(choice)),
    h("p", { class: "ends", "aria-hidden": "true" }, h("span", { text: labels[0] }), h("span", { text: labels[4] })),
  );
}

/** The card below a message that asks for a rating. */
export function ratingCard(chat, { number, rating: { case: about, effort } }) {
  const { words } = chat;
  const id = `comment-${number}`;
  const comment = h("textarea", { id, rows: "2", maxlength: "1000", dir: "auto" });
  const made = h(
    "div",
    { class: "rating" },
    scores("csat", number, words.rating, words.scores, true),
    scores("effort", number, words.effort, words.efforts, false),
    h(
      "div",
      { class: "comment", "data-comment": true, hidden: true },
      h("label", { "data-more": true, for: id }),
      comment,
      h("button", { type: "button", "data-send-comment": true, text: words.rating_send, click: () => send() }),
    ),
    h("p", { class: "thanks", role: "status" }),
  );
  const chosen = (name) => Number(made.querySelector(`[data-scores=${name}] input:checked`)?.value) || null;
  const send = () => {
    const asked = effort ? chosen("effort") : null;
    chat.conversation.rate(about, { csat: chosen("csat"), effort: asked, comment: comment.value.trim() || null });
  };
  made.addEventListener("change", (event) => event.target.type === "radio" && chosen("csat") && send());
  return made;
}

/** Show on a card what was rated, by whichever tab. */
export function showRating(chat, card, { rating: { case: about, effort } }) {
  const { words } = chat;
  const rating = chat.conversation.ratings.get(about);
  const state = JSON.stringify(rating ?? null);
  if (card.dataset.rated === state) return;
  card.dataset.rated = state;
  for (const name of ["csat", "effort"]) {
    const input = card.querySelector(`[data-scores=${name}] input[value="${rating?.[name]}"]`);
    if (input) input.checked = true;
  }
  const comment = card.querySelector("textarea");
  if (rating?.comment && !comment.value) comment.value = rating.comment;
  card.querySelector("[data-scores=effort]").hidden = !effort || !rating?.csat;
  card.querySelector("[data-comment]").hidden = !rating?.csat;
  card.querySelector("[data-more]").textContent = rating?.csat <= 2 ? words.rating_sorry : words.rating_more;
  const told = card.querySelector(".thanks");
  if (rating?.state === "failed") told.textContent = rating.error || words.rating_failed;
  else told.textContent = rating?.state === "sent" ? words.rating_thanks : "";
  // With the time below it, which would be cut off else.
  if (rating?.state) chat.reveal(card.closest(".message"));
}
