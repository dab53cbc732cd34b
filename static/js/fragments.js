// The fragments of an original, here and on the server: added, moved, removed, and each of these undone.

import { call, post } from "./api.js";

export class Fragments {
  /** urls: {fragments, fragment (with ID in it)}; rows: as the server describes them. */
  constructor(urls, rows) {
    this.urls = urls;
    this.list = rows;
    this.done = [];
    this.sort();
  }

  sort() {
    this.list.sort((a, b) => a.start_s - b.start_s || a.end_s - b.end_s);
  }

  url(id) {
    return this.urls.fragment.replace("ID", id);
  }

  /** What undo would take back, in words, or "". */
  get undoable() {
    return this.done.at(-1)?.words ?? "";
  }

  /** All of these reject with an ApiError where the server refuses; nothing has changed then. */
  async add(start_s, end_s) {
    const fragment = await post(this.urls.fragments, { start_s, end_s });
    this.list.push(fragment);
    this.sort();
    this.done.push({ words: "the added phrase", undo: () => this.takeOut(fragment) });
    return fragment;
  }

  async move(fragment, start_s, end_s) {
    const before = { ...fragment };
    await this.put(fragment, start_s, end_s);
    this.done.push({ words: "the move", undo: () => this.moveBack(fragment, before) });
  }

  async remove(fragment) {
    await this.takeOut(fragment);
    this.done.push({ words: "the removal", undo: () => this.putBack(fragment) });
  }

  async undo() {
    const last = this.done.at(-1);
    if (!last) return "";
    await last.undo();
    this.done.pop();
    return last.words;
  }

  async put(fragment, start_s, end_s) {
    const { body } = await call("PATCH", this.url(fragment.id), { start_s, end_s });
    Object.assign(fragment, body);
    this.sort();
  }

  async takeOut(fragment) {
    await call("DELETE", this.url(fragment.id));
    this.list.splice(this.list.indexOf(fragment), 1);
  }

  async putBack(fragment) {
    Object.assign(fragment, await post(this.url(fragment.id)));
    this.list.push(fragment);
    this.sort();
  }

  /** A move that made a new phrase is undone by taking that one out and the old one in again. */
  async moveBack(fragment, before) {
    if (fragment.id === before.id) {
      await this.put(fragment, before.start_s, before.end_s);
      return;
    }
    await call("DELETE", this.url(fragment.id));
    Object.assign(fragment, before, await post(this.url(before.id)));
    this.sort();
  }
}
