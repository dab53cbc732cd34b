// Runs in the head, before anything is painted: the person's choice of light or dark, without a flash of the other.
// A classic script on purpose: modules are deferred.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const chosen = localStorage.getItem("chad-theme");
    if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  } catch (error) {
    // Storage may be forbidden (private windows); the system's own choice stands then.
    if (error.name !== "SecurityError") throw error;
  }
})();
