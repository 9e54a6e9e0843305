// SPDX-License-Identifier: Apache-2.0
"use strict";

const by = (id) => document.getElementById(id);
let choices;
let last; // what is shown: {name, data}
let turn = 0; // answers to an earlier image are dropped

function make(tag, text, kind) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (kind) element.className = kind;
  return element;
}

function say(text, bad = false) {
  by("message").textContent = text;
  by("message").classList.toggle("bad", bad);
}

async function ask(path, asked, body) {
  const options = body === undefined ? {} : { method: "POST", body, headers: { "X-Edgecxr": "1" } };
  let answer;
  try {
    answer = await fetch(`api/${path}?${new URLSearchParams(asked)}`, options);
  } catch {
    throw new Error("edgecxr does not answer; is it still running?");
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Error(told.error || `edgecxr failed (${answer.status}); start it again`);
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;

function cost(found) {
  if (found.instructions !== null) return `${found.instructions.toLocaleString("en")} instructions`;
  return found.latency_ms === null ? "no latency" : `${found.latency_ms.toFixed(2)} ms`;
}

function agreement(found) {
  if (found.same_decision === false) return "decides otherwise than this model's rules";
  if (found.agrees_with_host === null) return "";
  if (found.bit_exact_with_host) return "this computer agrees, bit for bit";
  return found.agrees_with_host ? "this computer agrees, within rounding" : "this computer DISAGREES";
}

function fill(card, found) {
  card.replaceChildren();
  card.append(make("h3", `${found.precision} on ${found.where}`));
  const label = found.uncertain ? `uncertain, perhaps ${found.label}` : found.label;
  card.append(make("p", label, found.uncertain ? "verdict uncertain" : "verdict"));
  for (const [name, score] of Object.entries(found.scores)) {
    const row = make("div", undefined, "score");
    const bar = make("progress");
    bar.max = 1;
    bar.value = score;
    bar.setAttribute("aria-label", name);
    row.append(make("span", name), make("span", percent(score)), bar);
    card.append(row);
  }
  const level = choices.bundles[by("bundle").value].level;
  if (found.possible !== null && level !== null) {
    card.append(make("p", `possible at ${+(100 * level).toFixed(1)} %: ${found.possible.join(", ")}`, "soft"));
    card.append(make("p", `calibrated confidence ${percent(found.confidence)}`, "soft"));
  }
  card.append(make("p", cost(found), "soft"));
  const agrees = agreement(found);
  const wrong = found.same_decision === false || found.agrees_with_host === false;
  if (agrees) card.append(make("p", agrees, wrong ? "bad" : "soft"));
}

function newCard(title, text) {
  const card = make("article", undefined, "card");
  card.append(make("h3", title), make("p", text, "soft"));
  by("cards").append(card);
  return card;
}

async function onDevice(mine, bundle, pixels) {
  const device = by("device").value;
  if (!device) return;
  const card = newCard(device, "asking it …");
  try {
    const found = await (await ask("device", { bundle, device }, pixels)).json();
    if (mine === turn) fill(card, found);
  } catch (error) {
    if (mine === turn) card.lastChild.replaceWith(make("p", error.message, "bad"));
  }
}

async function explain(mine, bundle, pixels) {
  by("heat-figure").hidden = true;
  if (!choices.bundles[bundle].explains) return;
  try {
    const found = await (await ask("explain", { bundle }, pixels)).json();
    if (mine !== turn) return;
    by("heat").src = found.picture;
    const what = `what speaks for ${found.label} (Grad-CAM, float32)`;
    by("heat").alt = `The image with ${what} in colour`;
    by("heat-text").textContent =
      `In colour: ${what}, ${found.cells.join("×")} cells. Blue line: the lungs, an estimate.`;
    by("heat-figure").hidden = false;
  } catch (error) {
    if (mine === turn) say(error.message, true);
  }
}

async function show(name, data) {
  const mine = ++turn;
  const bundle = by("bundle").value;
  last = { name, data };
  say(`Looking at ${name} …`);
  let answer;
  try {
    answer = await (await ask("host", { bundle }, data)).json();
  } catch (error) {
    if (mine !== turn) return;
    by("result").hidden = true;
    say(error.message, true);
    return;
  }
  if (mine !== turn) return;
  const pixels = Uint8Array.from(atob(answer.pixels), (c) => c.charCodeAt(0));
  by("seen").src = answer.picture;
  await by("seen").decode();
  const [width, height] = [by("seen").naturalWidth, by("seen").naturalHeight];
  by("seen-text").textContent = `What the model sees: ${width}×${height} pixels.`;
  by("name").textContent = name;
  by("cards").replaceChildren();
  for (const found of answer.found) fill(newCard("", ""), found);
  const facts = choices.bundles[bundle];
  by("meaning").textContent =
    (name.startsWith("synthetic_")
      ? "This sample is synthetic: what a model finds in it is neither right nor wrong. " : "") +
    (facts.synthetic ? "This model was trained on synthetic images. " : "") +
    (facts.level === null ? "This model has no rules for being uncertain (edgecxr calibrate)." : "");
  by("result").hidden = false;
  say("");
  await Promise.all([onDevice(mine, bundle, pixels), explain(mine, bundle, pixels)]);
}

function again() {
  if (last) show(last.name, last.data);
}

function given(files) {
  if (files.length !== 1) say("Give one image at a time.", true);
  else show(files[0].name, files[0]);
}

function listen() {
  by("file").addEventListener("change", () => {
    if (by("file").files.length) given(by("file").files);
    by("file").value = ""; // so that the same file can be chosen again
  });
  by("bundle").addEventListener("change", again);
  by("device").addEventListener("change", again);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    by("drop").classList.add("over");
  });
  document.addEventListener("dragleave", () => by("drop").classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    by("drop").classList.remove("over");
    given(event.dataTransfer.files);
  });
}

async function begin() {
  choices = await (await ask("choices", {})).json();
  for (const name of Object.keys(choices.bundles)) by("bundle").append(new Option(name, name));
  by("device").append(new Option("none", ""));
  for (const name of choices.devices) by("device").append(new Option(name, name));
  if (choices.devices.length) by("device").value = choices.devices[0];
  by("samples").append(make("span", "Synthetic samples:", "soft"));
  for (const name of choices.samples) {
    const button = make("button", name.replace("synthetic_", "").replaceAll("_", " "));
    button.type = "button";
    button.addEventListener("click", async () => {
      try {
        show(name, await (await ask("sample", { name })).blob());
      } catch (error) {
        say(error.message, true);
      }
    });
    by("samples").append(button);
  }
  listen();
}

begin().catch((error) => say(error.message, true));
