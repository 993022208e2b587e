"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const requirements = [...document.querySelectorAll("details.req")];
  const texts = new Map(
    requirements.map((r) => [r, (r.querySelector("summary").textContent + r.querySelector(".meta").textContent).toLowerCase()])
  );
  const filter = () => {
    const words = $("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const word = $("word").value;
    const level = $("level").value;
    let shown = 0;
    for (const r of requirements) {
      const found = r.dataset.words.split(" ");
      const apt = found.filter((w) => w !== "not-applicable");
      r.hidden =
        !words.every((w) => texts.get(r).includes(w)) ||
        (word && !found.includes(word)) ||
        (level && r.dataset.level !== level) ||
        ($("differ") && $("differ").checked && new Set(apt).size < 2);
      shown += r.hidden ? 0 : 1;
    }
    for (const area of document.querySelectorAll("section.area")) {
      area.hidden = !area.querySelector("details.req:not([hidden])");
    }
    $("shown").textContent = shown === requirements.length ? `${shown} requirements` : `${shown} of ${requirements.length}`;
  };
  $("filter").hidden = false;
  $("filter").addEventListener("input", filter);
  $("filter").addEventListener("submit", (event) => event.preventDefault());
  $("open").addEventListener("click", () => {
    const open = $("open").textContent === "Open all";
    requirements.forEach((r) => { r.open = open && !r.hidden; });
    $("open").textContent = open ? "Close all" : "Open all";
  });
  filter();

  // A link to something folded opens it.
  const unfold = () => {
    const target = location.hash && $(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === "DETAILS") {
      target.hidden = false;
      target.closest("section").hidden = false;
      target.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", unfold);
  unfold();

  for (const pre of document.querySelectorAll("pre.command")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      const text = pre.querySelector("code").textContent;
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(pre.querySelector("code"));
        button.textContent = "Selected";
      }
    });
    pre.append(button);
  }

  // On paper every failure is told in full.
  addEventListener("beforeprint", () => {
    document.querySelectorAll("details.case").forEach((d) => { d.open = true; });
  });
})();
