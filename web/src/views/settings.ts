/** The sheet of settings: look, language, voice, and being forgotten. */

import * as api from "../api";
import { announce, h } from "../dom";
import { LANGUAGES, texts } from "../i18n";
import { get, set, type LanguageChoice, type Theme } from "../store";
import { openDialog } from "./frame";
import { choice } from "./plan";

/** Open it; resolves to whether everything was erased. */
export async function openSettings(): Promise<boolean> {
  const t = texts();
  let erased = false;
  await openDialog("settings", t.settings, (close) => {
    const languages = { auto: t.prefs.auto, ...Object.fromEntries(Object.entries(LANGUAGES).map(([code, one]) => [code, one.name])) };
    const voice = h("input", { type: "checkbox", id: "voice", role: "switch", checked: get().voice, onchange: () => set({ voice: voice.checked }) });
    const failure = h("p", { class: "failure", role: "alert" });
    const erase = async (): Promise<void> => {
      try {
        await api.forgetMe();
        erased = true;
        announce(t.prefs.forgotten);
        close();
      } catch (error) {
        failure.textContent = error instanceof api.Refusal ? error.message : t.errors.offline;
      }
    };
    const sure = h("div", { class: "sure", hidden: true },
      h("p", {}, t.prefs.forgetSure),
      h("div", { class: "actions" },
        h("button", { type: "button", class: "danger", onclick: () => void erase() }, t.prefs.yes),
        h("button", { type: "button", onclick: () => { sure.hidden = true; } }, t.prefs.no)));
    const forget = h("button", { type: "button", class: "quietly danger-text", onclick: () => {
      sure.hidden = false;
      sure.querySelector("button")?.focus();
    } }, t.prefs.forget);
    return [
      h("div", { class: "body" },
        choice("theme", t.prefs.look, t.prefs.themes, get().theme, (value) => set({ theme: value as Theme })),
        choice("language", t.prefs.language, languages, get().language, (value) => {
          close();
          set({ language: value as LanguageChoice });
        }),
        h("div", { class: "switch" }, h("label", { for: "voice" }, t.prefs.voice), voice),
        forget, sure, failure,
        h("p", { class: "small" }, `${t.prefs.data}: © `, h("a", { href: "https://www.openstreetmap.org/copyright", rel: "noreferrer", target: "_blank" }, "OpenStreetMap contributors"), ", ODbL 1.0")),
    ];
  });
  return erased;
}
