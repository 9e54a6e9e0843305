"use strict";
// The only script: what the explorer shows under the pointer, or at the keyboard's place.
(() => {
  const map = document.getElementById("map");
  if (!map) return;
  const picture = document.getElementById("map-picture");
  const text = document.getElementById("map-text");
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
})();
