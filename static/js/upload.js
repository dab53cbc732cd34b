// A form sent with progress, which fetch cannot tell. Errors are those of api.js.

import { ApiError, csrfToken } from "./api.js";

const OFFLINE = "The upload did not get through. Check your connection, then try again; what you typed is still here.";
const BROKEN = "The server had a problem with this. Try again in a minute; what you typed is still here.";
const SIGNED_OUT = "You are signed out. Sign in in another tab, then try again here; what you typed is still here.";
const TOO_LARGE = "The file is larger than the server takes.";

/** What came back as JSON, or null. */
function bodyOf(request) {
  if (!(request.getResponseHeader("content-type") ?? "").includes("json")) return null;
  return JSON.parse(request.responseText);
}

function problemOf(request) {
  if (request.status === 413) return new ApiError(TOO_LARGE, { status: 413, code: "too_large" });
  if (request.status === 403 || request.responseURL.includes("/sign-in/")) return new ApiError(SIGNED_OUT, { status: 401, code: "signed_out" });
  return new ApiError(BROKEN, { status: request.status, code: "" });
}

/**
 * Sends a form to `path`: {answer, stop}. answer resolves with {status, body} of any JSON answer, null when it was
 * stopped. told(share, bytes, all) is called as it goes.
 */
export function upload(path, form, told) {
  const request = new XMLHttpRequest();
  request.open("POST", path);
  request.setRequestHeader("Accept", "application/json");
  request.setRequestHeader("X-CSRFToken", csrfToken());
  request.upload.addEventListener("progress", ({ loaded, total }) => told(total ? loaded / total : 0, loaded, total));
  const answer = new Promise((resolve, reject) => {
    request.addEventListener("load", () => {
      const body = bodyOf(request);
      if (body) resolve({ status: request.status, body });
      else reject(problemOf(request));
    });
    request.addEventListener("error", () => reject(new ApiError(OFFLINE)));
    request.addEventListener("abort", () => resolve(null));
  });
  request.send(form);
  return { answer, stop: () => request.abort() };
}
