{% load static %}// Sends what waits in the outbox when no page is open, as soon as there is a network (background sync).

import { NAME, deliverAll } from "{% static 'js/deliver-all.js' %}";

const pages = new BroadcastChannel(NAME);

async function sendWaiting() {
  const asked_ms = await deliverAll(({ item, status, error }) => {
    // Audio is no part of the message: pages want to know which take it was.
    const { id, user, title } = item;
    if (!error) pages.postMessage({ item: { id, user, title }, status });
  });
  // A rejected promise makes the browser try again later.
  if (asked_ms !== null) throw new Error("a take still waits");
}

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("sync", (event) => {
  if (event.tag === NAME) event.waitUntil(sendWaiting());
});
