"use strict";
(() => {
  const parts =
    "#head,#flow,#playing,#peers,#origins,#room,#caps,#ledger,#faults,#counters";
  const gone = document.getElementById("gone");
  let timer = 0;
  async function turn() {
    clearTimeout(timer);
    if (document.hidden) return;
    try {
      const answer = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(5000) });
      if (!answer.ok) throw answer;
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const old of document.querySelectorAll(parts)) {
        const now = next.getElementById(old.id);
        if (now && now.innerHTML !== old.innerHTML) old.innerHTML = now.innerHTML;
      }
      document.title = next.title;
      show(true);
    } catch {
      show(false);
    }
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(turn, 2000);
  }
  function show(well) {
    gone.hidden = well;
    document.body.classList.toggle("stale", !well);
  }
  document.addEventListener("visibilitychange", turn);
  timer = setTimeout(turn, 2000);
})();
