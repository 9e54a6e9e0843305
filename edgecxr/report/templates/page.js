"use strict";
// The only script: what an explorer shows under the pointer, or at the keyboard's place.
document.querySelectorAll(".explorer").forEach((explorer) => {
  const map = explorer.querySelector(".map");
  const picture = explorer.querySelector("img");
  const text = explorer.querySelector("aside p");
  const show = (event) => {
    const point = event.target.closest("[data-text]");
    if (!point) return;
    map.querySelectorAll(".shown").forEach((each) => each.classList.remove("shown"));
    point.classList.add("shown");
    text.textContent = point.dataset.text;
    picture.hidden = !point.dataset.image;
    if (point.dataset.image) picture.src = point.dataset.image;
    picture.alt = point.dataset.text;
  };
  map.addEventListener("pointerover", show);
  map.addEventListener("click", show);
  map.addEventListener("focusin", show);
});
