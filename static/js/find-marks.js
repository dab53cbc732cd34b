// The person's word on a result: that's it, or not. Whoever found their song may give the hum to the collection.

import { ApiError, csrfToken, post } from "./api.js";
import { mark } from "./find-search.js";
import * as words from "./find-words.js";
import { announce, byId, linkButton, notice } from "./page.js";

function link(address, text) {
  const element = document.createElement("a");
  element.className = "link";
  element.href = address;
  element.textContent = text;
  return element;
}

/** The dialog with the text to agree to: true or false, for and against AI training; null: not now. */
function askConsent() {
  const dialog = byId("consent");
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve({ ai: true, "no-ai": false }[dialog.returnValue] ?? null), { once: true });
  });
}

/** Who was nobody is signed in as a guest: the navigation gets what guests have, and the forms the new session's token. */
function becomeSomebody() {
  document.querySelectorAll("[data-for-guests]").forEach((element) => { element.hidden = false; });
  document.querySelectorAll('input[name="csrfmiddlewaretoken"]').forEach((input) => { input.value = csrfToken(); });
}

export class Marks {
  /** root: the page's element with data-user; needed: whether the person has yet to agree; changed(result, word). */
  constructor(root, needed, changed) {
    Object.assign(this, { root, needed, changed, search: null, result: null });
    this.given = new Map(); // song: {right, kept, guest}
    this.turn = Promise.resolve();
    byId("right").addEventListener("click", () => this.say(true));
    byId("wrong").addEventListener("click", () => this.say(false));
  }

  /** Another answer, with what was said of it before: {song: {right, kept}}. */
  begin(search, marked = {}) {
    this.search = search;
    this.given = new Map(Object.entries(marked).map(([song, said]) => [song, { ...said, sentence: said.kept ? words.MARKS.kept : "" }]));
  }

  /** The person's word on a result: "right", "wrong" or null. */
  of(result) {
    return { true: "right", false: "wrong" }[this.given.get(result.song.id)?.right] ?? null;
  }

  /** Another result is open. */
  show(result) {
    this.result = result;
    this.render();
  }

  /** A hum that was given goes only where the person says so in so many words: another word on a song withdraws it. */
  get isKept() {
    return [...this.given.values()].some(({ kept }) => kept);
  }

  render() {
    const given = this.given.get(this.result.song.id);
    byId("right").setAttribute("aria-pressed", String(given?.right === true));
    byId("wrong").setAttribute("aria-pressed", String(given?.right === false));
    ["right", "wrong"].forEach((id) => { byId(id).setAttribute("aria-disabled", String(this.isKept)); });
    byId("marked").replaceChildren(...(given ? [this.thanks(given)] : []));
  }

  thanks({ right, kept, sentence, guest }) {
    const back = linkButton(words.LINKS.takeBack, () => this.takeBack());
    if (kept) {
      const guests = guest ? [link(this.root.dataset.signUpUrl, words.LINKS.signUp)] : [];
      return notice("good", sentence, link(this.root.dataset.takesUrl, words.LINKS.takes), ...guests, back);
    }
    if (!right) return notice("info", words.MARKS.notThis, back);
    const box = notice("good", words.MARKS.thanks, back);
    // Nobody is asked to agree to what then cannot be.
    const why = sentence || this.result.why_not;
    if (why) {
      const line = this.line(why);
      if (!sentence) line.className = "soft";
      box.lastElementChild.append(line);
      return box;
    }
    const give = document.createElement("button");
    give.type = "button";
    give.id = "give";
    give.className = "button button--small";
    give.textContent = words.LINKS.keep;
    give.addEventListener("click", () => this.keep());
    box.lastElementChild.append(this.line(words.MARKS.offer), give);
    return box;
  }

  line(sentence) {
    const line = document.createElement("p");
    line.textContent = sentence;
    return line;
  }

  /** The person's word; the same again takes it back. */
  say(right) {
    const { result } = this;
    if (!result) return;
    this.inTurn(async () => {
      if (this.isKept) return;
      await this.tell(result, this.given.get(result.song.id)?.right === right ? null : right);
    });
  }

  takeBack() {
    const { result } = this;
    this.inTurn(() => this.tell(result, null));
  }

  /** Gives the hum to the collection, after the person has agreed to what becomes of it. */
  keep() {
    const { result, search } = this;
    this.inTurn(async () => {
      if (this.needed) {
        const ai_training = await askConsent();
        if (ai_training === null || this.search !== search) return;
        if (!(await this.tried(() => this.agree(ai_training)))) return;
      }
      await this.tell(result, true, true);
    });
  }

  /** One word after the other, however fast they come. */
  inTurn(work) {
    this.turn = this.turn.then(work);
    return this.turn;
  }

  async agree(ai_training) {
    const { person, guest } = await post("/api/hum/consent", { ai_training });
    if (this.root.dataset.user === "") becomeSomebody();
    this.root.dataset.user = person;
    this.guest = guest;
    this.needed = false;
  }

  async tell(result, right, keep = false) {
    const { search } = this;
    await this.tried(async () => {
      const { kept, sentence } = await mark(search, result.song.id, right, keep);
      if (this.search !== search) return;
      if (right === null) this.given.delete(result.song.id);
      else this.given.set(result.song.id, { right, kept, sentence, guest: this.guest });
      this.changed(result, this.of(result));
      if (this.result !== result) return;
      const hadFocus = byId("marked").contains(document.activeElement);
      this.render();
      if (hadFocus) byId("right").focus({ preventScroll: true });
      announce(right === null ? words.MARKS.takenBack : byId("marked").innerText);
    });
  }

  /** Whether it went well; a refusal is said where the word was given. */
  async tried(work) {
    try {
      await work();
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.code === "consent_first") this.needed = true;
      byId("marked").querySelector("[data-refused]")?.remove();
      const box = notice("bad", error.message);
      box.dataset.refused = "";
      byId("marked").append(box);
      announce(error.message, { urgent: true });
      return false;
    }
  }
}
